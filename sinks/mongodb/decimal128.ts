import { Decimal128 } from 'mongodb';
import type { Bytes } from '../../core/bytes.ts';

/** The most digits a Decimal128 holds, and its range of exponents. Source: IEEE 754-2008, decimal128. */
export const MAX_DIGITS = 34;
const bias = 6176n;
const minExponent = -6176;
const maxExponent = 6111;
const mask = (1n << 64n) - 1n;
/** A number holds any integer of so many digits. */
const SHORT_DIGITS = 15;
const MINUS = 0x2d;
const POINT = 0x2e;

/** `[-]digits[.digits]` as Decimal128 with every digit kept, trailing zeros too; null where it has more than 34. */
export function decimal128(text: string): Decimal128 | null {
  const negative = text.charCodeAt(0) === 45;
  const point = text.indexOf('.');
  const digits = point < 0 ? text.slice(negative ? 1 : 0) : text.slice(negative ? 1 : 0, point) + text.slice(point + 1);
  return scaledDecimal128(negative, digits, point < 0 ? 0 : point + 1 - text.length);
}

/** ±digits × 10^exponent; null where Decimal128 cannot hold it exactly. */
export function scaledDecimal128(negative: boolean, digits: string, exponent: number): Decimal128 | null {
  let coefficient = digits;
  if (coefficient.length > MAX_DIGITS) {
    coefficient = coefficient.replace(/^0+/, '');
    if (coefficient.length > MAX_DIGITS) return null;
  }
  if (exponent < minExponent || exponent > maxExponent) return null;
  return encode(negative, BigInt(coefficient), exponent);
}

/** An integer of at most 34 digits. */
export function integerDecimal128(value: bigint): Decimal128 {
  return value < 0n ? encode(true, -value, 0) : encode(false, value, 0);
}

/** Binary integer significand: sign, 14 bits of exponent, 113 bits of coefficient, little endian. Source: BSON specification, decimal128. */
function encode(negative: boolean, coefficient: bigint, exponent: number): Decimal128 {
  const bytes = Buffer.allocUnsafe(16);
  const high = (coefficient >> 64n) | ((BigInt(exponent) + bias) << 49n) | (negative ? 1n << 63n : 0n);
  bytes.writeBigUInt64LE(coefficient & mask, 0);
  bytes.writeBigUInt64LE(high, 8);
  return new Decimal128(bytes);
}

/** Appends what `decimal128` makes of a text; false where that has to be asked. A coefficient that is short, as most are, needs no bigint. */
export function appendDecimal128(out: Bytes, { buffer, length }: Bytes): boolean {
  const negative = length > 0 && buffer[0] === MINUS;
  let coefficient = 0;
  let digits = 0;
  let places = -1;
  for (let at = negative ? 1 : 0; at < length; at += 1) {
    const byte = buffer[at] ?? 0;
    if (byte === POINT && places < 0) places = 0;
    else if (byte < 0x30 || byte > 0x39) return false;
    else {
      coefficient = coefficient * 10 + byte - 0x30;
      digits += 1;
      if (places >= 0) places += 1;
    }
  }
  if (digits === 0 || digits > SHORT_DIGITS) return false;
  out.int64le(coefficient);
  out.int32le(0);
  out.int32le((Number(bias) - Math.max(places, 0)) * 2 ** 17 + (negative ? 2 ** 31 : 0));
  return true;
}
