import type { Bytes } from './bytes.ts';

const MINUS = 0x2d;
const ZERO = 0x30;

/** A whole number of up to 15 digits from its text, `[-]digits`; NaN where the text is another one. More digits than that a double does not surely hold. */
export function wholeNumberOf({ buffer, length }: Bytes): number {
  const negative = length > 0 && buffer[0] === MINUS;
  let value = 0;
  for (let i = negative ? 1 : 0; i < length; i += 1) {
    const digit = (buffer[i] ?? 0) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}
