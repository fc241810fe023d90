import type { Value } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import type { Column, ColumnType } from '../../core/table.ts';
import { clockText, dateText, datetimeText, fractionText } from './calendar.ts';
import { decimalText } from './decimal.ts';
import { shortestFloat } from './float.ts';
import type { AvroRecord, AvroType } from './parse.ts';
import type { AvroReader } from './reader.ts';
import { compileSkip } from './skip.ts';
import { scaleOf, unitsPerSecond } from './wire.ts';

/** Reads a value into the column's canonical form. */
export type ColumnReader = (reader: AvroReader) => Value;

/** A reader of a column's values as a writer with the type `type` wrote them. KAFKA_MESSAGE where the two do not go together. */
export function compileColumnReader(type: AvroType, column: Column, where: string): ColumnReader {
  if (type.type === 'union') {
    const branches = type.branches.map((branch) => compileColumnReader(branch, column, where));
    return (reader) => {
      const branch = branches[reader.size()];
      if (branch === undefined)
        throw new LockstepError('KAFKA_MESSAGE', `${where}: column ${column.name} has a branch that its union has not`);
      return branch(reader);
    };
  }
  if (type.type === 'null') return () => null;
  const read = valueReader(type, column.type);
  if (read !== null) return read;
  throw new LockstepError(
    'KAFKA_MESSAGE',
    `${where}: column ${column.name} (${column.declared}) comes as Avro ${type.type} ${type.semantic}, which cannot be read as ${column.type.kind}`,
    {
      fix: 'leave the topic out, or let its producer use a type that docs/04-kafka lists',
    },
  );
}

function valueReader(type: AvroType, to: ColumnType): ColumnReader | null {
  switch (to.kind) {
    case 'int':
    case 'year':
      return isWhole(type) ? readNumber : null;
    case 'bigint':
      if (isWhole(type)) return readBigint;
      return type.type === 'bytes' && scaleOf(type) === 0 ? readBigDecimal : null;
    case 'decimal':
      return decimalReader(type, to.scale);
    case 'float':
      return type.type === 'float' ? readFloat : type.type === 'double' ? readDouble : null;
    case 'double':
      return type.type === 'double' ? readDouble : type.type === 'float' ? readFloat : null;
    case 'boolean':
      return type.type === 'boolean' ? readBoolean : isWhole(type) ? (reader) => reader.long() !== 0 : null;
    case 'bit':
      return bitReader(type, to.length);
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return textReader(type);
    case 'binary':
    case 'varbinary':
    case 'blob':
      if (type.type === 'fixed') return (reader) => reader.fixed(type.size);
      return type.type === 'bytes' ? readBytes : null;
    case 'date':
      return isWhole(type) ? readDate : null;
    case 'datetime':
    case 'timestamp':
      return type.type === 'string' ? zonedReader(to.digits) : datetimeReader(type, to.digits);
    case 'time':
      return timeReader(type, to.digits);
    case 'geometry':
      return type.type === 'record' ? geometryReader(type) : null;
    case 'vector':
      return type.type === 'array' && type.items.type === 'float' ? readVector : null;
    default:
      return unreachable(to);
  }
}

function isWhole(type: AvroType): boolean {
  return type.type === 'int' || type.type === 'long';
}

const readNumber: ColumnReader = (reader) => reader.long();
const readBigint: ColumnReader = (reader) => reader.bigLong();
const readBigDecimal: ColumnReader = (reader) => BigInt(reader.integer(reader.size()));
const readFloat: ColumnReader = (reader) => shortestFloat(reader.float());
const readDouble: ColumnReader = (reader) => reader.double();
const readBoolean: ColumnReader = (reader) => reader.boolean();
const readText: ColumnReader = (reader) => reader.string();
const readBytes: ColumnReader = (reader) => reader.bytes();
const readDate: ColumnReader = (reader) => dateText(reader.long());

function decimalReader(type: AvroType, scale: number): ColumnReader | null {
  if (type.type === 'string') return readText;
  const written = scaleOf(type);
  if (written !== scale) return null;
  if (type.type === 'fixed') return (reader) => decimalText(reader.integer(type.size), scale);
  return type.type === 'bytes' ? (reader) => decimalText(reader.integer(reader.size()), scale) : null;
}

function bitReader(type: AvroType, length: number): ColumnReader | null {
  if (type.type === 'boolean') return length === 1 ? readBoolean : null;
  if (type.type !== 'bytes' || length === 1) return null;
  return (reader) => {
    const bytes = reader.bytes();
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
    return value;
  };
}

function textReader(type: AvroType): ColumnReader | null {
  if (type.type === 'string') return readText;
  if (type.type !== 'enum') return null;
  const { symbols } = type;
  return (reader) => symbols[reader.long()] ?? '';
}

/** `2020-01-02T03:04:05.678Z`: the same characters as a timestamp but two, and any number of places. */
function zonedReader(digits: number): ColumnReader {
  return (reader) => {
    const text = reader.string();
    const zone = text.length - 1;
    if (text.charCodeAt(zone) !== 0x5a)
      throw new LockstepError('KAFKA_MESSAGE', 'a message has a ZonedTimestamp that is not in UTC');
    const seconds = `${text.slice(0, 10)} ${text.slice(11, 19)}`;
    if (digits === 0) return seconds;
    return `${seconds}.${text.slice(20, zone).padEnd(digits, '0').slice(0, digits)}`;
  };
}

function datetimeReader(type: AvroType, digits: number): ColumnReader | null {
  const perSecond = unitsPerSecond(type);
  if (!isWhole(type) || perSecond === null) return null;
  const places = Math.log10(perSecond);
  return (reader) => {
    reader.splitLong(perSecond);
    return datetimeText(reader.seconds) + fractionText(reader.rest, places, digits);
  };
}

function timeReader(type: AvroType, digits: number): ColumnReader | null {
  const perSecond = unitsPerSecond(type);
  if (!isWhole(type) || perSecond === null) return null;
  const places = Math.log10(perSecond);
  return (reader) => {
    const units = reader.long();
    const size = Math.abs(units);
    const seconds = Math.floor(size / perSecond);
    return (units < 0 ? '-' : '') + clockText(seconds) + fractionText(size - seconds * perSecond, places, digits);
  };
}

/** Debezium's Geometry and Point: whatever fields there are, `wkb` and `srid` (null is 0) make the value. */
function geometryReader(type: AvroRecord): ColumnReader | null {
  if (!type.fields.some((field) => field.name === 'wkb')) return null;
  const steps = type.fields.map(({ name, type: field }) => ({
    name,
    skip: compileSkip(field),
    nulls: field.type === 'union' ? field.branches.map((branch) => branch.type === 'null') : null,
  }));
  return (reader) => {
    let value: Uint8Array | null = null;
    let srid = 0;
    for (const { name, skip, nulls } of steps) {
      if (name !== 'wkb' && name !== 'srid') skip(reader);
      else if (nulls !== null && nulls[reader.size()] === true) continue;
      else if (name === 'wkb') value = reader.fixed(reader.size(), 4);
      else srid = reader.long();
    }
    if (value !== null) for (let i = 0; i < 4; i++) value[i] = (srid >>> (8 * i)) & 0xff;
    return value;
  };
}

const readVector: ColumnReader = (reader) => {
  let value: Uint8Array = new Uint8Array(0);
  for (let count = reader.long(); count !== 0; count = reader.long()) {
    if (count < 0) reader.size();
    const block = reader.fixed(Math.abs(count) * 4, value.length);
    block.set(value);
    value = block;
  }
  return value;
};
