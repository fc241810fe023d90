/** The shortest decimal that is the same float32, from six digits on: 1.1, not 1.100000023841858. */
export function shortestFloat(single: number): number {
  const size = Math.abs(single);
  if (size < 16_777_216 && Math.trunc(single) === single) return single;
  if (size >= 1e-3) {
    // Nearly all values in use have few decimals; a whole number divided by a power of ten is the exact nearest double.
    for (let power = 10; power <= 1e6 && size * power < 1e6; power *= 10) {
      const candidate = Math.round(single * power) / power;
      if (Math.fround(candidate) === single) return candidate;
    }
  }
  for (let digits = 6; digits <= 9; digits += 1) {
    const candidate = Number(single.toPrecision(digits));
    if (Math.fround(candidate) === single) return candidate;
  }
  return single;
}
