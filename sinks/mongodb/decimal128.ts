import { Decimal128 } from 'mongodb';

/** The most digits a Decimal128 holds, and its range of exponents. Source: IEEE 754-2008, decimal128. */
export const MAX_DIGITS = 34;
const bias = 6176n;
const minExponent = -6176;
const maxExponent = 6111;
const mask = (1n << 64n) - 1n;
/** A number holds any integer of so many digits. */
const SHORT_DIGITS = 15;

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
  return coefficient.length <= SHORT_DIGITS
    ? encodeShort(negative, Number(coefficient), exponent)
    : encode(negative, BigInt(coefficient), exponent);
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

/** As `encode`, of a coefficient that needs no bigint: most amounts. */
function encodeShort(negative: boolean, coefficient: number, exponent: number): Decimal128 {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUInt32LE(coefficient % 2 ** 32, 0);
  bytes.writeUInt32LE(Math.floor(coefficient / 2 ** 32), 4);
  bytes.writeUInt32LE(0, 8);
  bytes.writeUInt32LE((exponent + Number(bias)) * 2 ** 17 + (negative ? 2 ** 31 : 0), 12);
  return new Decimal128(bytes);
}
