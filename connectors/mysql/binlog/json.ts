import type { Bytes } from '../../../core/bytes.ts';
import { LockstepError } from '../../../core/errors.ts';
import { printClock, printClockOfDay, printDate, printFraction } from '../values/calendar.ts';
import { formatJsonDouble } from '../values/float.ts';
import { packedDecimal } from './decimal.ts';

/** Value types of MySQL's binary JSON. Source: sql-common/json_binary.h */
const type = {
  smallObject: 0x00,
  largeObject: 0x01,
  smallArray: 0x02,
  largeArray: 0x03,
  literal: 0x04,
  int16: 0x05,
  uint16: 0x06,
  int32: 0x07,
  uint32: 0x08,
  int64: 0x09,
  uint64: 0x0a,
  double: 0x0b,
  string: 0x0c,
  opaque: 0x0f,
} as const;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const space = 0x20;

/**
 * A document that is printed. No two values of it lie in one place but small ones in their container's table, so what is read of it in all
 * is at most twice its length.
 */
interface Document {
  readonly bytes: Buffer;
  left: number;
}

const maxDepth = 100;

/** Bytes of the values that have one size, by type. */
const valueBytes: Readonly<Record<number, number>> = {
  [type.literal]: 1,
  [type.int16]: 2,
  [type.uint16]: 2,
  [type.int32]: 4,
  [type.uint32]: 4,
  [type.int64]: 8,
  [type.uint64]: 8,
  [type.double]: 8,
};

/** Prints binary JSON (`bytes[start, end)`) as the server's own text. An empty value is the JSON null. Errors: SOURCE_EVENT_CORRUPT. */
export function printJson(out: Bytes, bytes: Buffer, start: number, end: number): void {
  if (start === end) out.ascii('null');
  else printValue(out, { bytes, left: 2 * (end - start) }, bytes[start] ?? 0, start + 1, end, 0);
}

function take(document: Document, at: number, length: number, end: number): void {
  document.left -= length;
  if (at + length > end || document.left < 0) throw corrupt('a value that is longer than its document');
}

function printValue(out: Bytes, document: Document, kind: number, at: number, end: number, depth: number): void {
  const { bytes } = document;
  take(document, at, valueBytes[kind] ?? 0, end);
  switch (kind) {
    case type.smallObject:
    case type.largeObject:
    case type.smallArray:
    case type.largeArray:
      return printContainer(out, document, kind, at, end, depth + 1);
    case type.literal:
      return out.ascii(literal(bytes[at] ?? 0));
    case type.int16:
      return out.integer(bytes.readInt16LE(at));
    case type.uint16:
      return out.integer(bytes.readUInt16LE(at));
    case type.int32:
      return out.integer(bytes.readInt32LE(at));
    case type.uint32:
      return out.integer(bytes.readUInt32LE(at));
    case type.int64:
      return out.ascii(String(bytes.readBigInt64LE(at)));
    case type.uint64:
      return out.ascii(String(bytes.readBigUInt64LE(at)));
    case type.double:
      return out.ascii(formatJsonDouble(bytes.readDoubleLE(at)));
    case type.string: {
      const [length, from] = varLength(bytes, at);
      take(document, from, length, end);
      return printString(out, bytes, from, from + length);
    }
    case type.opaque:
      return printOpaque(out, document, at, end);
    default:
      throw corrupt(`value type ${kind}`);
  }
}

function literal(byte: number): string {
  if (byte === 0) return 'null';
  if (byte === 1) return 'true';
  if (byte === 2) return 'false';
  throw corrupt(`literal ${byte}`);
}

/** Objects: count, size, key entries (offset, length), value entries, keys, values. Arrays have no keys. `outer`: where what holds it ends. */
function printContainer(out: Bytes, document: Document, kind: number, at: number, outer: number, depth: number): void {
  const { bytes } = document;
  const large = kind === type.largeObject || kind === type.largeArray;
  const object = kind === type.smallObject || kind === type.largeObject;
  const width = large ? 4 : 2;
  take(document, at, 2 * width, outer);
  const count = readSize(bytes, at, large);
  const end = at + readSize(bytes, at + width, large);
  const keys = at + 2 * width;
  const values = keys + (object ? count * (width + 2) : 0);
  const inside = values + count * (width + 1);
  if (end > outer || inside > end || depth > maxDepth) throw corrupt('a container longer than its document');
  take(document, keys, inside - keys, end);
  out.byte(object ? 0x7b : 0x5b);
  for (let i = 0; i < count; i += 1) {
    if (i > 0) {
      out.byte(comma);
      out.byte(space);
    }
    if (object) {
      const entry = keys + i * (width + 2);
      const from = at + readSize(bytes, entry, large);
      const length = bytes.readUInt16LE(entry + width);
      take(document, from, length, end);
      printString(out, bytes, from, from + length);
      out.byte(0x3a);
      out.byte(space);
    }
    const entry = values + i * (width + 1);
    const inner = bytes[entry] ?? 0;
    const place = isInlined(inner, large) ? entry + 1 : at + readSize(bytes, entry + 1, large);
    if (place < values) throw corrupt('a value before its container');
    printValue(out, document, inner, place, end, depth);
  }
  out.byte(object ? 0x7d : 0x5d);
}

function readSize(bytes: Buffer, at: number, large: boolean): number {
  return large ? bytes.readUInt32LE(at) : bytes.readUInt16LE(at);
}

function isInlined(kind: number, large: boolean): boolean {
  return (
    kind === type.literal ||
    kind === type.int16 ||
    kind === type.uint16 ||
    (large && (kind === type.int32 || kind === type.uint32))
  );
}

/** Column types that MySQL stores inside JSON as they are; the temporal ones are packed 64-bit integers. */
function printOpaque(out: Bytes, document: Document, at: number, end: number): void {
  const { bytes } = document;
  const field = bytes[at] ?? 0;
  const [length, from] = varLength(bytes, at + 1);
  take(document, from, length, end);
  if (field === 246) {
    if (length < 2) throw corrupt('a decimal of no digits');
    const { width, print } = packedDecimal(bytes[from] ?? 0, bytes[from + 1] ?? 0);
    if (length < 2 + width) throw corrupt('a decimal of too few digits');
    print(out, bytes, from + 2, from + length);
    return;
  }
  out.byte(quote);
  if (field === 10 || field === 7 || field === 12 || field === 11) {
    if (length !== 8) throw corrupt('a time of another length');
    printTemporal(out, bytes.readBigInt64LE(from), field);
  } else out.ascii(`base64:type${field}:${bytes.toString('base64', from, from + length)}`);
  out.byte(quote);
}

function printTemporal(out: Bytes, packed: bigint, field: number): void {
  const value = packed < 0n ? -packed : packed;
  const micros = Number(value & 0xff_ffffn);
  const whole = Number(value >> 24n);
  if (field === 11) {
    if (packed < 0n) out.byte(0x2d);
    printClock(out, (whole >> 12) & 1023, (whole >> 6) & 63, whole & 63);
    printFraction(out, micros, 6);
    return;
  }
  const days = Math.floor(whole / 0x2_0000);
  const months = Math.floor(days / 32);
  printDate(out, Math.floor(months / 13), months % 13, days % 32);
  if (field === 10) return;
  printClockOfDay(out, (whole >> 12) & 31, (whole >> 6) & 63, whole & 63);
  printFraction(out, micros, 6);
}

/** A length in groups of seven bits, least significant first. */
function varLength(bytes: Buffer, start: number): [length: number, next: number] {
  let length = 0;
  for (let i = 0; i < 5; i += 1) {
    const byte = bytes[start + i] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [length, start + i + 1];
  }
  throw corrupt('a length of more than five bytes');
}

/** What stands behind the backslash for a control character; those without one are written by their number. */
const escapes: Readonly<Record<number, number>> = { 8: 0x62, 9: 0x74, 10: 0x6e, 12: 0x66, 13: 0x72 };

/** UTF-8 in quotes. */
function printString(out: Bytes, bytes: Buffer, start: number, end: number): void {
  out.byte(quote);
  let from = start;
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte >= space && byte !== quote && byte !== backslash) continue;
    out.copy(bytes, from, i);
    from = i + 1;
    const escape = byte < space ? escapes[byte] : byte;
    out.byte(backslash);
    if (escape === undefined) out.ascii(`u${byte.toString(16).padStart(4, '0')}`);
    else out.byte(escape);
  }
  out.copy(bytes, from, end);
  out.byte(quote);
}

function corrupt(what: string): LockstepError {
  return new LockstepError('SOURCE_EVENT_CORRUPT', `a JSON value in the binlog has ${what}`, {
    fix: 'check the server’s binlog with mysqlbinlog --verify-binlog-checksum',
  });
}
