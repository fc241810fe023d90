/** The shortest number that is the same float32: 1.1, not 1.100000023841858. Infinities and NaN do not occur in MySQL. */
export function shortestFloat(value: number): number {
  const single = Math.fround(value);
  if (single === Math.trunc(single) && Math.abs(single) < 16_777_216) return single;
  for (let digits = 6; digits <= 9; digits += 1) {
    const candidate = Number(single.toPrecision(digits));
    if (Math.fround(candidate) === single) return candidate;
  }
  return single;
}

/**
 * A double as the servers' JSON functions print it: whole numbers of more than 15 digits in exponent form, other ones with `.0`.
 * Source: MySQL strings/dtoa.cc, my_gcvt.
 */
export function formatJsonDouble(value: number): string {
  const size = Math.abs(value);
  // Here JavaScript's own form has the same digits and no exponent.
  if (size < 1e15 && size >= 1e-6) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [mantissa = '', exponentText = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const point = Number(exponentText) + 1;
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if ((point > 15 && digits.length <= point) || point < -14) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${sign}${digits.slice(0, 1)}${fraction}e${exponentText.replace('+', '')}`;
  }
  if (point <= 0) return value === 0 ? `${sign}0.0` : `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (digits.length <= point) return `${sign}${digits.padEnd(point, '0')}.0`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
