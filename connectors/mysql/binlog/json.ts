import { LockstepError } from '../../../core/errors.ts';
import { formatClock, formatDate, formatFraction } from '../calendar.ts';
import { formatJsonDouble } from '../float.ts';
import { Cursor } from './cursor.ts';
import { decimalDecoder } from './decimal.ts';

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

/** Prints binary JSON (`bytes[start, end)`) as the server's own text. An empty value is the JSON null. Errors: SOURCE_EVENT_CORRUPT. */
export function printJson(bytes: Buffer, start: number, end: number): string {
  return start === end ? 'null' : printValue(bytes, bytes[start] ?? 0, start + 1, end);
}

function printValue(bytes: Buffer, kind: number, at: number, end: number): string {
  switch (kind) {
    case type.smallObject:
    case type.largeObject:
      return printContainer(bytes, at, end, kind === type.largeObject, true);
    case type.smallArray:
    case type.largeArray:
      return printContainer(bytes, at, end, kind === type.largeArray, false);
    case type.literal:
      return literal(bytes[at] ?? 0);
    case type.int16:
      return String(bytes.readInt16LE(at));
    case type.uint16:
      return String(bytes.readUInt16LE(at));
    case type.int32:
      return String(bytes.readInt32LE(at));
    case type.uint32:
      return String(bytes.readUInt32LE(at));
    case type.int64:
      return String(bytes.readBigInt64LE(at));
    case type.uint64:
      return String(bytes.readBigUInt64LE(at));
    case type.double:
      return formatJsonDouble(bytes.readDoubleLE(at));
    case type.string: {
      const [length, from] = varLength(bytes, at);
      return quoteJson(bytes.toString('utf8', from, from + length));
    }
    case type.opaque:
      return printOpaque(bytes, at);
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

/** Objects: count, size, key entries (offset, length), value entries, keys, values. Arrays have no keys. */
function printContainer(bytes: Buffer, at: number, end: number, large: boolean, object: boolean): string {
  const width = large ? 4 : 2;
  const read = (offset: number): number => (large ? bytes.readUInt32LE(offset) : bytes.readUInt16LE(offset));
  const count = read(at);
  if (at + read(at + width) > end) throw corrupt('a container longer than its document');
  const keys = at + 2 * width;
  const values = keys + (object ? count * (width + 2) : 0);
  let text = '';
  for (let i = 0; i < count; i += 1) {
    if (i > 0) text += ', ';
    if (object) {
      const entry = keys + i * (width + 2);
      const from = at + read(entry);
      text += `${quoteJson(bytes.toString('utf8', from, from + bytes.readUInt16LE(entry + width)))}: `;
    }
    const entry = values + i * (width + 1);
    const kind = bytes[entry] ?? 0;
    text += printValue(bytes, kind, isInlined(kind, large) ? entry + 1 : at + read(entry + 1), end);
  }
  return object ? `{${text}}` : `[${text}]`;
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
function printOpaque(bytes: Buffer, at: number): string {
  const field = bytes[at] ?? 0;
  const [length, from] = varLength(bytes, at + 1);
  if (field === 246) {
    const cursor = new Cursor();
    cursor.set(bytes, from + 2, from + length);
    return decimalDecoder(bytes[from] ?? 0, bytes[from + 1] ?? 0)(cursor);
  }
  if (field === 10 || field === 7 || field === 12 || field === 11)
    return `"${packedTemporal(bytes.readBigInt64LE(from), field)}"`;
  return `"base64:type${field}:${bytes.toString('base64', from, from + length)}"`;
}

function packedTemporal(packed: bigint, field: number): string {
  const negative = packed < 0n;
  const value = negative ? -packed : packed;
  const micros = Number(value & 0xff_ffffn);
  const whole = Number(value >> 24n);
  const clock = (hours: number): string =>
    formatClock(hours, (whole >> 6) & 63, whole & 63) + formatFraction(micros, 6);
  if (field === 11) return `${negative ? '-' : ''}${clock((whole >> 12) & 1023)}`;
  const days = Math.floor(whole / 0x2_0000);
  const months = Math.floor(days / 32);
  const date = formatDate(Math.floor(months / 13), months % 13, days % 32);
  return field === 10 ? date : `${date} ${clock((whole >> 12) & 31)}`;
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

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function quoteJson(text: string): string {
  const escaped = text.replace(
    // oxlint-disable-next-line no-control-regex -- control characters are what must be escaped
    /["\\\u0000-\u001f]/g,
    (char) => escapes[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}

function corrupt(what: string): LockstepError {
  return new LockstepError('SOURCE_EVENT_CORRUPT', `a JSON value in the binlog has ${what}`, {
    fix: 'check the server’s binlog with mysqlbinlog --verify-binlog-checksum',
  });
}
