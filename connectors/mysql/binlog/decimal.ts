import type { Cursor } from './cursor.ts';

/** Bytes that hold the first 0–9 decimal digits of a group. */
const groupBytes = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4] as const;

/**
 * MySQL's packed DECIMAL(precision, scale) as exact text with a fixed scale. Groups of nine digits in four bytes, big endian; the
 * sign is the inverted top bit and negative numbers are complemented. Source: strings/decimal.cc, bin2decimal.
 */
export function decimalDecoder(precision: number, scale: number): (cursor: Cursor) => string {
  const whole = precision - scale;
  const wholeRest = whole % 9;
  const wholeGroups = (whole - wholeRest) / 9;
  const fractionRest = scale % 9;
  const fractionGroups = (scale - fractionRest) / 9;
  const wholeRestBytes = groupBytes[wholeRest] ?? 0;
  const fractionRestBytes = groupBytes[fractionRest] ?? 0;
  const size = wholeRestBytes + 4 * wholeGroups + 4 * fractionGroups + fractionRestBytes;

  return (cursor) => {
    const { bytes, at } = cursor;
    cursor.at = at + size;
    const first = bytes[at] ?? 0;
    const negative = (first & 0x80) === 0;
    const group = (offset: number, length: number): number => {
      let value = 0;
      for (let i = 0; i < length; i += 1) {
        let byte = bytes[at + offset + i] ?? 0;
        if (offset + i === 0) byte ^= 0x80;
        value = value * 256 + (negative ? byte ^ 0xff : byte);
      }
      return value;
    };
    let offset = wholeRestBytes;
    let text = wholeRestBytes === 0 ? '' : String(group(0, wholeRestBytes));
    for (let i = 0; i < wholeGroups; i += 1, offset += 4) text += String(group(offset, 4)).padStart(9, '0');
    text = text.replace(/^0+(?=\d)/, '');
    if (text === '') text = '0';
    if (scale > 0) {
      text += '.';
      for (let i = 0; i < fractionGroups; i += 1, offset += 4) text += String(group(offset, 4)).padStart(9, '0');
      if (fractionRest > 0) text += String(group(offset, fractionRestBytes)).padStart(fractionRest, '0');
    }
    return negative ? `-${text}` : text;
  };
}
