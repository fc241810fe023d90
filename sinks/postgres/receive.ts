import { isIP } from 'node:net';
import type { Bytes } from '../../core/bytes.ts';
import { wholeNumberOf } from '../../core/number-text.ts';
import { daysOf, fractionOf, microsOfTime, secondsOf } from '../../core/date-text.ts';
import { isZeroDate } from './unheld.ts';

/**
 * Appends what a type's receive function takes, made from a value's canonical text; false, with nothing appended, where the text is no
 * such value. Source: PostgreSQL src/backend/utils/adt, the functions that end in `recv`.
 */
export type Receive = (out: Bytes, text: Bytes) => boolean;

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** smallint, integer or bigint, the smallest of `bits` or more. */
export function integer(bits: number): Receive {
  if (bits <= 16) return (out, text) => withNumber(text, (value) => out.int16(value));
  if (bits <= 32) return (out, text) => withNumber(text, (value) => out.int32(value));
  return (out, text) => {
    // More digits than a double has exactly.
    if (text.length > 15) int64(out, BigInt(text.buffer.toString('latin1', 0, text.length)));
    else return withNumber(text, (value) => exactInt64(out, value));
    return true;
  };
}

function withNumber(text: Bytes, append: (value: number) => void): boolean {
  const value = wholeNumberOf(text);
  if (Number.isNaN(value)) return false;
  append(value);
  return true;
}

/** A whole number up to 2^53. */
function exactInt64(out: Bytes, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  out.int32(high);
  out.int32(value - high * 0x1_0000_0000);
}

function int64(out: Bytes, value: bigint): void {
  out.int32(Number(BigInt.asIntN(32, value >> 32n)));
  out.int32(Number(BigInt.asIntN(32, value)));
}

const NUMERIC_NEGATIVE = 0x4000;

/** Groups of four decimal digits to both sides of the point: their count, how many stand before the point less one, the sign, the places. */
export const numeric: Receive = (out, { buffer, length }) => {
  const start = length > 0 && buffer[0] === MINUS ? 1 : 0;
  let point = start;
  while (point < length && buffer[point] !== POINT) point += 1;
  const places = Math.max(0, length - point - 1);
  const before = Math.ceil((point - start) / 4);
  out.int16(before + Math.ceil(places / 4));
  out.int16(before - 1);
  out.int16(start === 1 ? NUMERIC_NEGATIVE : 0);
  out.int16(places);
  for (let end = point - 4 * (before - 1); end <= point; end += 4)
    out.int16(group(buffer, Math.max(start, end - 4), end, end));
  for (let at = point + 1; at < length; at += 4) out.int16(group(buffer, at, at + 4, length));
  return true;
};

/** Four digits; those at `last` and behind are zeros. */
function group(buffer: Uint8Array, from: number, to: number, last: number): number {
  let value = 0;
  for (let i = from; i < to; i += 1) value = value * 10 + (i < last ? (buffer[i] ?? ZERO) - ZERO : 0);
  return value;
}

/** PostgreSQL counts from 2000-01-01. */
const EPOCH_DAYS = 10_957;
const EPOCH_SECONDS = EPOCH_DAYS * 86_400;

/** Days. */
export const date: Receive = (out, text) => {
  const days = daysOf(text);
  if (Number.isNaN(days) || isZeroDate(text, 0)) return false;
  out.int32(days - EPOCH_DAYS);
  return true;
};

/** Microseconds, of timestamps with and without a time zone. */
export const timestamp: Receive = (out, text) => {
  const seconds = secondsOf(text) - EPOCH_SECONDS;
  if (Number.isNaN(seconds) || isZeroDate(text, 0)) return false;
  const fraction = fractionOf(text, 19, 6);
  const micros = seconds * 1_000_000 + fraction;
  if (Number.isSafeInteger(micros)) exactInt64(out, micros);
  else int64(out, BigInt(seconds) * 1_000_000n + BigInt(fraction));
  return true;
};

/** Microseconds, days, months. */
export const interval: Receive = (out, text) => {
  const micros = microsOfTime(text);
  if (Number.isNaN(micros)) return false;
  exactInt64(out, micros);
  out.int32(0);
  out.int32(0);
  return true;
};

export const uuid: Receive = (out, text) => {
  const hex = text.buffer.toString('latin1', 0, text.length).replaceAll('-', '');
  const bytes = Buffer.from(hex, 'hex');
  if (bytes.length !== 16) return false;
  out.copy(bytes, 0, 16);
  return true;
};

const INET = { 4: { family: 2, bytes: 4 }, 6: { family: 3, bytes: 16 } } as const;

/** Address family, length of the network's part in bits, whether it is a network, length in bytes, the address. */
export const inet: Receive = (out, text) => {
  const address = text.buffer.toString('latin1', 0, text.length);
  const version = isIP(address);
  if (version !== 4 && version !== 6) return false;
  const { family, bytes } = INET[version];
  out.byte(family);
  out.byte(8 * bytes);
  out.byte(0);
  out.byte(bytes);
  if (version === 4) for (const part of address.split('.')) out.byte(Number(part));
  else for (const part of wordsOf(address)) out.int16(part);
  return true;
};

/** The eight words of an IPv6 address, of which `::` stands for as many zeros as are missing. */
function wordsOf(address: string): number[] {
  const [head = '', tail] = address.split('::').map((side) => side.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, dotted));
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...missing, ...after].map((word) => Number.parseInt(word, 16));
}

function dotted(_: string, ...parts: string[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

const OID = { text: 25, float4: 700 } as const;

/** An array of one dimension: dimensions, whether there are nulls, the type of its elements, how many, the first one's number. */
function array(out: Bytes, oid: number, count: number): void {
  out.int32(count === 0 ? 0 : 1);
  out.int32(0);
  out.int32(oid);
  if (count === 0) return;
  out.int32(count);
  out.int32(1);
}

export function texts(out: Bytes, values: readonly string[]): true {
  array(out, OID.text, values.length);
  for (const value of values) {
    const at = out.length;
    out.int32(0);
    out.text(value);
    out.putInt32(at, out.length - at - 4);
  }
  return true;
}

/** `values`: floats of four bytes, little endian. */
export function floats(out: Bytes, values: Uint8Array): boolean {
  if (values.length % 4 !== 0) return false;
  array(out, OID.float4, values.length / 4);
  for (let at = 0; at < values.length; at += 4) {
    out.int32(4);
    for (let i = 3; i >= 0; i -= 1) out.byte(values[at + i] ?? 0);
  }
  return true;
}

/** The count of bits, then the bits from the highest of the first byte on. */
export function bits(out: Bytes, value: bigint, length: number): true {
  const bytes = Math.ceil(length / 8);
  const shifted = value << BigInt(8 * bytes - length);
  out.int32(length);
  for (let i = bytes - 1; i >= 0; i -= 1) out.byte(Number((shifted >> BigInt(8 * i)) & 0xffn));
  return true;
}

/** A bytea that is given as its input function takes it. */
export function hex(out: Bytes, text: string | null): boolean {
  if (text?.startsWith('\\x') !== true) return false;
  const bytes = Buffer.from(text.slice(2), 'hex');
  out.copy(bytes, 0, bytes.length);
  return true;
}

export function float4(out: Bytes, value: number): true {
  out.reserve(4);
  out.length = out.buffer.writeFloatBE(value, out.length);
  return true;
}

export function float8(out: Bytes, value: number): true {
  out.reserve(8);
  out.length = out.buffer.writeDoubleBE(value, out.length);
  return true;
}

export function bool(out: Bytes, value: boolean): true {
  out.byte(value ? 1 : 0);
  return true;
}

export function bytea(out: Bytes, value: Uint8Array): true {
  out.copy(value, 0, value.length);
  return true;
}
