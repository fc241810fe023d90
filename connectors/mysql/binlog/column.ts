import { LockstepError } from '../../../core/errors.ts';
import type { PackedColumn } from '../../../core/row.ts';
import type { Column, ColumnType } from '../../../core/table.ts';
import { isValidUtf8 } from '../../../core/utf8.ts';
import { bytesOf } from '../values/bytes-of.ts';
import { isUtf8, textDecoder } from '../values/charset.ts';
import { shortestFloat } from '../values/float.ts';
import { formatInet4, formatInet6, formatUuid } from '../values/network-types.ts';
import { printedColumn } from '../values/printed.ts';
import { setLabels } from '../values/set-labels.ts';
import { compressedColumn } from './compressed-column.ts';
import { packedDecimal } from './decimal.ts';
import { printJson } from './json.ts';
import { wire, type WireColumn } from './table-map.ts';
import { temporal } from './temporal.ts';

/** One column of a row image: where its bytes are and what they mean. */
export interface LaidColumn extends PackedColumn {
  /** Bytes of a value, where all have the same number; else 0. */
  readonly width: number;
  /** Bytes of the length that stands before a value, little endian; 0 where there is none. */
  readonly prefix: number;
}

/**
 * Compiles one column from how it lies in the log (`laid`) and what it is declared as.
 * Errors: SOURCE_SCHEMA where the two contradict each other.
 */
export function laidColumn(laid: WireColumn, column: Column, where: string): LaidColumn {
  const found = fixed(laid, column.type) ?? sized(laid, column, where);
  if (found !== null) return found;
  throw new LockstepError(
    'SOURCE_SCHEMA',
    `${where}: the binlog has a column of type ${laid.type} where the table has ${column.declared}`,
    {
      fix: 'the table was altered after this part of the log was written; set binlog_row_metadata=FULL on the source and resync the table',
    },
  );
}

/** A length of 1 to 4 bytes, little endian. */
export function lengthAt(bytes: Buffer, at: number, size: number): number {
  let length = bytes[at] ?? 0;
  if (size > 1) length |= (bytes[at + 1] ?? 0) << 8;
  if (size > 2) length |= (bytes[at + 2] ?? 0) << 16;
  if (size > 3) length += (bytes[at + 3] ?? 0) * 0x100_0000;
  return length;
}

function fixed(laid: WireColumn, type: ColumnType): LaidColumn | null {
  const dates = temporal(laid, type);
  if (dates !== null) return { ...printedColumn(dates.print), width: dates.width, prefix: 0 };
  switch (laid.type) {
    case wire.tiny:
      return integer(1, type);
    case wire.short:
      return integer(2, type);
    case wire.int24:
      return integer(3, type);
    case wire.long:
      return integer(4, type);
    case wire.longlong:
      return type.kind === 'bigint' ? bigint(type.unsigned) : null;
    case wire.year:
      return type.kind === 'year' ? year : null;
    case wire.float:
      return type.kind === 'float' ? float : null;
    case wire.double:
      return type.kind === 'double' ? double : null;
    case wire.newdecimal:
      return type.kind === 'decimal' ? decimal(laid.meta & 0xff, laid.meta >> 8) : null;
    case wire.bit:
      return type.kind === 'bit' ? bit(laid.meta, type.length) : null;
    case wire.enum:
      return type.kind === 'enum' ? enumeration(laid.meta, type.labels) : null;
    case wire.set:
      return type.kind === 'set' ? set(laid.meta, type.labels) : null;
    default:
      return null;
  }
}

function integer(width: number, type: ColumnType): LaidColumn | null {
  if (type.kind !== 'int') return null;
  const read = type.unsigned ? readUnsigned : readSigned;
  return {
    width,
    prefix: 0,
    decode: read,
    print: (out, bytes, start, end) => out.integer(read(bytes, start, end)),
  };
}

/** 1 to 4 bytes, little endian. */
function readUnsigned(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let i = start, shift = 0; i < end; i += 1, shift += 8) value |= (bytes[i] ?? 0) << shift;
  return value >>> 0;
}

function readSigned(bytes: Buffer, start: number, end: number): number {
  const shift = 32 - 8 * (end - start);
  return (readUnsigned(bytes, start, end) << shift) >> shift;
}

/** Beyond this a double is not exact. */
const exact = 2 ** 53;

function bigint(unsigned: boolean): LaidColumn {
  const read = unsigned
    ? (bytes: Buffer, start: number): bigint => bytes.readBigUInt64LE(start)
    : (bytes: Buffer, start: number): bigint => bytes.readBigInt64LE(start);
  return {
    width: 8,
    prefix: 0,
    decode: read,
    print: (out, bytes, start) => {
      const high = unsigned ? bytes.readUInt32LE(start + 4) : bytes.readInt32LE(start + 4);
      const value = high * 0x1_0000_0000 + bytes.readUInt32LE(start);
      if (value < exact && value > -exact) out.integer(value);
      else out.ascii(String(read(bytes, start)));
    },
  };
}

const year: LaidColumn = {
  width: 1,
  prefix: 0,
  decode: yearOf,
  print: (out, bytes, start) => out.integer(yearOf(bytes, start)),
};

function yearOf(bytes: Buffer, start: number): number {
  const byte = bytes[start] ?? 0;
  return byte === 0 ? 0 : byte + 1900;
}

const float: LaidColumn = {
  width: 4,
  prefix: 0,
  decode: (bytes, start) => shortestFloat(bytes.readFloatLE(start)),
  print: null,
};

const double: LaidColumn = {
  width: 8,
  prefix: 0,
  decode: (bytes, start) => bytes.readDoubleLE(start),
  print: (out, bytes, start) => {
    const value = bytes.readDoubleLE(start);
    out.ascii(Object.is(value, -0) ? '-0' : String(value));
  },
};

function decimal(precision: number, scale: number): LaidColumn {
  const { width, print } = packedDecimal(precision, scale);
  return { ...printedColumn(print), width, prefix: 0 };
}

/** `meta`: bits of the last byte, then whole bytes. */
function bit(meta: number, length: number): LaidColumn {
  const width = (meta >> 8) + ((meta & 0xff) > 0 ? 1 : 0);
  const read = (bytes: Buffer, start: number, end: number): bigint => {
    let value = 0n;
    for (let i = start; i < end; i += 1) value = (value << 8n) | BigInt(bytes[i] ?? 0);
    return value;
  };
  return { width, prefix: 0, decode: length === 1 ? (bytes, start) => bytes[start] !== 0 : read, print: null };
}

/** Index 0 is the empty label, which an ENUM takes for an invalid value. */
function enumeration(width: number, labels: readonly string[]): LaidColumn {
  const byIndex = ['', ...labels];
  const read = (bytes: Buffer, start: number, end: number): string => byIndex[readUnsigned(bytes, start, end)] ?? '';
  return { width, prefix: 0, decode: read, print: (out, bytes, start, end) => out.text(read(bytes, start, end)) };
}

function set(width: number, labels: readonly string[]): LaidColumn {
  const read = (bytes: Buffer, start: number, end: number): string => {
    let bits = 0n;
    for (let i = end - 1; i >= start; i -= 1) bits = (bits << 8n) | BigInt(bytes[i] ?? 0);
    return setLabels(bits, labels);
  };
  return { width, prefix: 0, decode: read, print: null };
}

/** Everything that lies as a length and its bytes. */
function sized(laid: WireColumn, column: Column, where: string): LaidColumn | null {
  const prefix = prefixOf(laid);
  if (prefix === null || (laid.type === wire.json && column.type.kind !== 'json')) return null;
  const content = contentOf(laid, column, where);
  if (content === null) return null;
  const packed = laid.type === wire.blobCompressed || laid.type === wire.varcharCompressed;
  return { ...(packed ? compressedColumn(content, `${where}.${column.name}`) : content), width: 0, prefix };
}

function prefixOf({ type, meta }: WireColumn): number | null {
  switch (type) {
    case wire.varchar:
    case wire.varString:
    case wire.string:
    case wire.varcharCompressed:
      return meta > 255 ? 2 : 1;
    case wire.json:
    case wire.blob:
    case wire.geometry:
    case wire.vector:
    case wire.blobCompressed:
      return meta;
    default:
      return null;
  }
}

function contentOf(laid: WireColumn, { type, charset, name }: Column, where: string): PackedColumn | null {
  switch (type.kind) {
    case 'json':
      if (laid.type === wire.json) return printedColumn(printJson, 'utf8');
      return text(charset ?? 'utf8mb4', `${where}.${name}`);
    case 'char':
    case 'varchar':
    case 'text':
      return text(charset ?? 'utf8mb4', `${where}.${name}`);
    case 'binary': {
      const { length } = type;
      return { decode: (bytes, start, end) => padded(bytes, start, end, length), print: null };
    }
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
      return { decode: bytesOf, print: null };
    case 'uuid':
      return { decode: (bytes, start, end) => formatUuid(padded(bytes, start, end, 16)), print: null };
    case 'inet4':
      return { decode: (bytes, start, end) => formatInet4(padded(bytes, start, end, 4)), print: null };
    case 'inet6':
      return { decode: (bytes, start, end) => formatInet6(padded(bytes, start, end, 16)), print: null };
    default:
      return null;
  }
}

function text(charset: string, where: string): PackedColumn {
  const decode = textDecoder(charset, where);
  if (!isUtf8(charset)) return { decode, print: null };
  return {
    decode,
    print: (out, bytes, start, end) => {
      // Decoding says what is wrong with it.
      if (!isValidUtf8(bytes, start, end)) decode(bytes, start, end);
      out.copy(bytes, start, end);
    },
  };
}

/** The binlog leaves out the zero bytes at the end of BINARY(n). */
function padded(bytes: Buffer, start: number, end: number, length: number): Uint8Array {
  const full = new Uint8Array(Math.max(length, end - start));
  full.set(bytes.subarray(start, end));
  return full;
}
