import type { Bytes } from '../../core/bytes.ts';
import type { AvroWriter } from './writer.ts';

/** What a double holds exactly in whole decimal digits. */
const NUMBER_DIGITS = 15;

/**
 * A decimal text as Avro's `decimal`: the length and the shortest two's complement, big endian, of the digits without the point.
 * False, and nothing is written, where the text is no decimal of at most `scale` places.
 */
export function writeDecimalText(writer: AvroWriter, text: Bytes, scale: number): boolean {
  const { buffer, length } = text;
  const negative = length > 0 && buffer[0] === 0x2d;
  let value = 0;
  let count = 0;
  let places = -1;
  for (let i = negative ? 1 : 0; i < length; i++) {
    const digit = (buffer[i] ?? 0) - 48;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      count += 1;
      if (places >= 0) places += 1;
    } else if (digit === -2 && places < 0) places = 0;
    else return false;
  }
  const missing = scale - Math.max(places, 0);
  if (count === 0 || missing < 0) return false;
  if (count + missing > NUMBER_DIGITS) {
    writeDecimal(writer, BigInt(buffer.toString('latin1', 0, length).replace('.', '') + '0'.repeat(missing)));
    return true;
  }
  for (let i = 0; i < missing; i++) value *= 10;
  writeSmall(writer, negative ? -value : value);
  return true;
}

/** A whole number as Avro's `decimal` of scale 0. */
export function writeDecimal(writer: AvroWriter, value: bigint): void {
  if (value <= Number.MAX_SAFE_INTEGER && value >= -Number.MAX_SAFE_INTEGER) {
    writeSmall(writer, Number(value));
    return;
  }
  const hex = (value < 0n ? -value - 1n : value).toString(16);
  const bits = (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex.slice(0, 1), 16)));
  const length = (bits >> 3) + 1;
  writer.long(length);
  const at = writer.room(length);
  let rest = value;
  for (let end = at + length; end > at; end -= 4) {
    const word = Number(BigInt.asIntN(32, rest));
    for (let i = 1; i <= 4 && end - i >= at; i++) writer.buffer[end - i] = word >> ((i - 1) * 8);
    rest >>= 32n;
  }
}

function writeSmall(writer: AvroWriter, value: number): void {
  let length = 1;
  for (let limit = 128; value >= limit || value < -limit; limit *= 256) length += 1;
  writer.byte(length << 1);
  const at = writer.room(length);
  const { buffer } = writer;
  let rest = value;
  for (let i = at + length - 1; i >= at; i--) {
    const next = Math.floor(rest / 256);
    buffer[i] = rest - next * 256;
    rest = next;
  }
}

/** The digits of a decimal with the point put in: always exactly `scale` places. */
export function decimalText(unscaled: number | bigint, scale: number): string {
  const text = String(unscaled);
  if (scale <= 0) return text + '0'.repeat(-scale);
  const negative = text.charCodeAt(0) === 45;
  const digits = (negative ? text.slice(1) : text).padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${negative ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
}
