import type { Value } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import type { Column, ColumnType } from '../../../core/table.ts';
import { formatClock, formatDate, formatEpochSeconds, formatFraction } from '../calendar.ts';
import { textDecoder } from '../charset.ts';
import { shortestFloat } from '../float.ts';
import { formatInet4, formatInet6, formatUuid } from '../network-types.ts';
import { setLabels } from '../set-labels.ts';
import type { Cursor } from './cursor.ts';
import { decimalDecoder } from './decimal.ts';
import { printJson } from './json.ts';
import { wire, type WireColumn } from './table-map.ts';

/** Reads one value that is not NULL and moves behind it. */
export type ColumnDecoder = (cursor: Cursor) => Value;

/**
 * Compiles the decoder of one column from how it lies in the log (`laid`) and what it is declared as.
 * Errors: SOURCE_SCHEMA where the two contradict each other.
 */
export function columnDecoder(laid: WireColumn, column: Column, where: string): ColumnDecoder {
  const { type } = column;
  const decoder = decoderFor(laid, type, column, where);
  if (decoder !== null) return decoder;
  throw new LockstepError(
    'SOURCE_SCHEMA',
    `${where}: the binlog has a column of type ${laid.type} where the table has ${column.declared}`,
    {
      fix: 'the table was altered after this part of the log was written; set binlog_row_metadata=FULL on the source and resync the table',
    },
  );
}

function decoderFor(laid: WireColumn, type: ColumnType, column: Column, where: string): ColumnDecoder | null {
  switch (laid.type) {
    case wire.tiny:
    case wire.short:
    case wire.int24:
    case wire.long:
      return type.kind === 'int' || type.kind === 'boolean'
        ? intDecoder(laid.type, type.kind === 'int' && type.unsigned)
        : null;
    case wire.longlong:
      return type.kind === 'bigint' ? bigintDecoder(type.unsigned) : null;
    case wire.year:
      return type.kind === 'year' ? (cursor) => yearOf(cursor.u8()) : null;
    case wire.float:
      return type.kind === 'float' ? readFloat : null;
    case wire.double:
      return type.kind === 'double' ? readDouble : null;
    case wire.newdecimal:
      return type.kind === 'decimal' ? decimalDecoder(laid.meta & 0xff, laid.meta >> 8) : null;
    case wire.bit:
      return type.kind === 'bit' ? bitDecoder(laid.meta, type.length) : null;
    case wire.enum:
      return type.kind === 'enum' ? enumDecoder(laid.meta, type.labels) : null;
    case wire.set:
      return type.kind === 'set' ? setDecoder(laid.meta, type.labels) : null;
    case wire.date:
    case wire.newdate:
      return type.kind === 'date' ? readDate : null;
    case wire.time:
    case wire.datetime:
    case wire.timestamp:
    case wire.time2:
    case wire.datetime2:
    case wire.timestamp2:
      return temporalDecoder(laid, type);
    case wire.json:
      return type.kind === 'json' ? jsonDecoder(laid.meta) : null;
    case wire.varchar:
    case wire.varString:
      return bytesDecoder(laid.meta > 255 ? 2 : 1, type, column, where);
    case wire.string:
      return bytesDecoder(laid.meta > 255 ? 2 : 1, type, column, where);
    case wire.blob:
    case wire.geometry:
    case wire.vector:
      return bytesDecoder(laid.meta, type, column, where);
    default:
      return null;
  }
}

function intDecoder(laid: number, unsigned: boolean): ColumnDecoder {
  switch (laid) {
    case wire.tiny:
      return unsigned ? (cursor) => cursor.u8() : (cursor) => (cursor.u8() << 24) >> 24;
    case wire.short:
      return unsigned ? (cursor) => cursor.u16() : (cursor) => (cursor.u16() << 16) >> 16;
    case wire.int24:
      return unsigned ? (cursor) => cursor.u24() : (cursor) => (cursor.u24() << 8) >> 8;
    default:
      return unsigned ? (cursor) => cursor.u32() : (cursor) => cursor.i32();
  }
}

function bigintDecoder(unsigned: boolean): ColumnDecoder {
  return unsigned
    ? (cursor) => {
        cursor.at += 8;
        return cursor.bytes.readBigUInt64LE(cursor.at - 8);
      }
    : (cursor) => {
        cursor.at += 8;
        return cursor.bytes.readBigInt64LE(cursor.at - 8);
      };
}

const yearOf = (byte: number): number => (byte === 0 ? 0 : byte + 1900);

function readFloat(cursor: Cursor): number {
  cursor.at += 4;
  return shortestFloat(cursor.bytes.readFloatLE(cursor.at - 4));
}

function readDouble(cursor: Cursor): number {
  cursor.at += 8;
  return cursor.bytes.readDoubleLE(cursor.at - 8);
}

/** `meta`: bits of the last byte, then whole bytes. */
function bitDecoder(meta: number, length: number): ColumnDecoder {
  const size = (meta >> 8) + ((meta & 0xff) > 0 ? 1 : 0);
  if (length === 1) return (cursor) => cursor.u8() !== 0;
  return (cursor) => {
    let value = 0n;
    for (let i = 0; i < size; i += 1) value = (value << 8n) | BigInt(cursor.u8());
    return value;
  };
}

/** Index 0 is the empty label, which an ENUM takes for an invalid value. */
function enumDecoder(size: number, labels: readonly string[]): ColumnDecoder {
  const byIndex = ['', ...labels];
  return (cursor) => byIndex[cursor.uint(size)] ?? '';
}

function setDecoder(size: number, labels: readonly string[]): ColumnDecoder {
  return (cursor) => {
    let bits = 0n;
    for (let i = 0; i < size; i += 1) bits |= BigInt(cursor.u8()) << BigInt(8 * i);
    return setLabels(bits, labels);
  };
}

function readDate(cursor: Cursor): string {
  const packed = cursor.u24();
  return formatDate(packed >> 9, (packed >> 5) & 15, packed & 31);
}

/** The packed forms of 5.6 and later carry fractions in the bytes behind; the older ones have none. Source: sql-common/my_time.cc */
function temporalDecoder(laid: WireColumn, type: ColumnType): ColumnDecoder | null {
  if (type.kind !== 'datetime' && type.kind !== 'timestamp' && type.kind !== 'time') return null;
  const digits = laid.meta;
  switch (laid.type) {
    case wire.timestamp2:
      return (cursor) => formatTimestamp(cursor.uintBE(4), readFraction(cursor, digits), digits);
    case wire.datetime2:
      return (cursor) => readDatetime2(cursor, digits);
    case wire.time2:
      return (cursor) => readTime2(cursor, digits);
    case wire.timestamp:
      return type.digits === 0 ? (cursor) => formatTimestamp(cursor.u32(), 0, 0) : null;
    case wire.datetime:
      return type.digits === 0 ? readOldDatetime : null;
    default:
      return type.digits === 0 ? readOldTime : null;
  }
}

function readFraction(cursor: Cursor, digits: number): number {
  if (digits === 0) return 0;
  const size = (digits + 1) >> 1;
  return cursor.uintBE(size) * 10 ** (6 - 2 * size);
}

function formatTimestamp(seconds: number, micros: number, digits: number): string {
  const zero = seconds === 0 && micros === 0;
  return (zero ? '0000-00-00 00:00:00' : formatEpochSeconds(seconds)) + formatFraction(micros, digits);
}

function readDatetime2(cursor: Cursor, digits: number): string {
  const packed = cursor.uintBE(5) - 0x80_0000_0000;
  const clock = packed % 0x2_0000;
  const days = (packed - clock) / 0x2_0000;
  const months = days >> 5;
  const date = formatDate(Math.trunc(months / 13), months % 13, days & 31);
  return `${date} ${formatClock(clock >> 12, (clock >> 6) & 63, clock & 63)}${formatFraction(readFraction(cursor, digits), digits)}`;
}

/** A negative time is the complement of whole and fraction together. */
function readTime2(cursor: Cursor, digits: number): string {
  const size = (digits + 1) >> 1;
  const scale = 256 ** size;
  const packed = cursor.uintBE(3 + size) - 0x80_0000 * scale;
  const value = Math.abs(packed);
  const whole = Math.floor(value / scale);
  const micros = (value % scale) * 10 ** (6 - 2 * size);
  const sign = packed < 0 ? '-' : '';
  return (
    sign +
    formatHours((whole >> 12) & 1023) +
    formatClock(0, (whole >> 6) & 63, whole & 63).slice(2) +
    formatFraction(micros, digits)
  );
}

const formatHours = (hours: number): string => String(hours).padStart(2, '0');

function readOldDatetime(cursor: Cursor): string {
  const packed = cursor.u64();
  const date = Math.floor(packed / 1_000_000);
  const clock = packed % 1_000_000;
  const day = formatDate(Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100);
  return `${day} ${formatClock(Math.floor(clock / 10_000), Math.floor(clock / 100) % 100, clock % 100)}`;
}

function readOldTime(cursor: Cursor): string {
  const packed = (cursor.u24() << 8) >> 8;
  const value = Math.abs(packed);
  const clock = formatClock(0, Math.floor(value / 100) % 100, value % 100).slice(2);
  return (packed < 0 ? '-' : '') + formatHours(Math.floor(value / 10_000)) + clock;
}

function jsonDecoder(lengthSize: number): ColumnDecoder {
  return (cursor) => {
    const length = cursor.uint(lengthSize);
    cursor.at += length;
    return printJson(cursor.bytes, cursor.at - length, cursor.at);
  };
}

/** Everything that lies as a length and its bytes. */
function bytesDecoder(lengthSize: number, type: ColumnType, column: Column, where: string): ColumnDecoder | null {
  const sized = (read: (cursor: Cursor, length: number) => Value): ColumnDecoder => {
    if (lengthSize === 1) return (cursor) => read(cursor, cursor.u8());
    if (lengthSize === 2) return (cursor) => read(cursor, cursor.u16());
    return (cursor) => read(cursor, cursor.uint(lengthSize));
  };
  switch (type.kind) {
    case 'char':
    case 'varchar':
    case 'text':
    case 'json': {
      const decode = textDecoder(column.charset ?? 'utf8mb4', `${where}.${column.name}`);
      return sized((cursor, length) => {
        cursor.at += length;
        return decode(cursor.bytes, cursor.at - length, cursor.at);
      });
    }
    case 'binary': {
      const { length: full } = type;
      return sized((cursor, length) => padded(cursor.copy(length), full));
    }
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
      return sized((cursor, length) => cursor.copy(length));
    case 'uuid':
      return sized((cursor, length) => formatUuid(padded(cursor.copy(length), 16)));
    case 'inet4':
      return sized((cursor, length) => formatInet4(padded(cursor.copy(length), 4)));
    case 'inet6':
      return sized((cursor, length) => formatInet6(padded(cursor.copy(length), 16)));
    default:
      return null;
  }
}

/** The binlog leaves out the zero bytes at the end of BINARY(n). */
function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes;
  const full = new Uint8Array(length);
  full.set(bytes);
  return full;
}
