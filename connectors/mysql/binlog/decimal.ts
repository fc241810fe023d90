import type { Print } from '../values/printed.ts';

/** Bytes that hold the first 0–9 decimal digits of a group. */
const groupBytes = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4] as const;
const minus = 0x2d;
const point = 0x2e;
const zero = 0x30;

/** MySQL's packed DECIMAL(precision, scale): how many bytes it takes and how they are printed. */
export interface PackedDecimal {
  readonly width: number;
  /** As exact text with a fixed scale. */
  readonly print: Print;
}

/**
 * Groups of nine digits in four bytes, big endian; the sign is the inverted top bit and negative numbers are complemented.
 * Source: strings/decimal.cc, bin2decimal.
 */
export function packedDecimal(precision: number, scale: number): PackedDecimal {
  const whole = precision - scale;
  const wholeRest = whole % 9;
  const wholeGroups = (whole - wholeRest) / 9;
  const fractionRest = scale % 9;
  const fractionGroups = (scale - fractionRest) / 9;
  const wholeRestBytes = groupBytes[wholeRest] ?? 0;
  const fractionRestBytes = groupBytes[fractionRest] ?? 0;

  const print: Print = (out, bytes, start) => {
    const negative = ((bytes[start] ?? 0) & 0x80) === 0;
    const flip = negative ? 0xff : 0;
    if (negative) out.byte(minus);
    let at = start + wholeRestBytes;
    let begun = false;
    const rest = wholeRestBytes === 0 ? 0 : digitsAt(bytes, start, wholeRestBytes, flip, start);
    if (rest > 0) {
      out.integer(rest);
      begun = true;
    }
    for (let i = 0; i < wholeGroups; i += 1, at += 4) {
      const value = digitsAt(bytes, at, 4, flip, start);
      if (begun) out.digits(value, 9);
      else if (value > 0) {
        out.integer(value);
        begun = true;
      }
    }
    if (!begun) out.byte(zero);
    if (scale === 0) return;
    out.byte(point);
    for (let i = 0; i < fractionGroups; i += 1, at += 4) out.digits(digitsAt(bytes, at, 4, flip, start), 9);
    if (fractionRest > 0) out.digits(digitsAt(bytes, at, fractionRestBytes, flip, start), fractionRest);
  };
  return { width: wholeRestBytes + 4 * wholeGroups + 4 * fractionGroups + fractionRestBytes, print };
}

/** The number in `length` bytes; the top bit of the one at `first` is the sign's. */
function digitsAt(bytes: Buffer, at: number, length: number, flip: number, first: number): number {
  let value = 0;
  for (let i = at; i < at + length; i += 1) {
    const byte = (bytes[i] ?? 0) ^ flip;
    value = value * 256 + (i === first ? byte ^ 0x80 : byte);
  }
  return value;
}
