import { Binary, Decimal128, Double, Int32, Long, UUID } from 'mongodb';
import { unreachable } from '../core/errors.ts';
import type { ColumnType } from '../core/table.ts';
import { latin1Of } from './geometry.ts';
import { canonicalObject } from './json.ts';
import { doubleText, exactNumber, plainDecimal } from './number.ts';
import { microseconds, shortFraction } from './time.ts';
import { EITHER_NULL, type Text } from './row.ts';

/** What a part of an `_id` can be. */
export type BsonKey = boolean | string | Long | Decimal128 | Double | Binary | Date;

const LONGEST = 2n ** 63n - 1n;

/**
 * A BSON value, as the driver gives it with `promoteValues: false`, as the text to compare. What has another BSON type than the
 * column's type asks for comes back with a `?` before it, which equals nothing that a source gives.
 */
export function fromBson(type: ColumnType, value: unknown): Text {
  if (value === null) return type.kind === 'json' ? EITHER_NULL : null;
  return read(type, value) ?? `?${describe(value)}`;
}

function read(type: ColumnType, value: unknown): string | null {
  switch (type.kind) {
    case 'int':
    case 'bigint':
    case 'year':
      return integer(value);
    case 'decimal':
      return decimal(type.precision, value);
    case 'float':
      return value instanceof Double ? doubleText(Math.fround(value.value)) : null;
    case 'double':
      return value instanceof Double ? doubleText(value.value) : null;
    case 'boolean':
      return typeof value === 'boolean' ? bit(value) : null;
    case 'bit':
      return type.length === 1 ? (typeof value === 'boolean' ? bit(value) : null) : integer(value);
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'inet4':
    case 'inet6':
      return typeof value === 'string' ? value : null;
    case 'set':
      return Array.isArray(value) && value.every((label) => typeof label === 'string') ? value.join() : null;
    case 'binary':
    case 'varbinary':
    case 'blob':
      return value instanceof Binary && value.sub_type === 0 ? latin1Of(value) : null;
    case 'date':
      return value instanceof Date ? (dateText(value, 10) ?? null) : null;
    case 'datetime':
    case 'timestamp':
      return moment(type.digits, type.kind === 'timestamp', value);
    case 'time':
      return typeof value === 'string' ? microseconds(value) : null;
    case 'json':
      return json(value);
    case 'geometry':
      return value instanceof Binary ? latin1Of(value) : json(value); // see `sameValue`
    case 'vector':
      return Array.isArray(value)
        ? value.map((item) => (item instanceof Double ? doubleText(Math.fround(item.value)) : '?')).join()
        : null;
    case 'uuid':
      return value instanceof Binary && value.sub_type === 4 ? value.toUUID().toString() : null;
    default:
      return unreachable(type);
  }
}

/** A compared text as the BSON value by which a document is found. Numbers are found whatever their BSON type. */
export function toBson(type: ColumnType, text: string): BsonKey {
  switch (type.kind) {
    case 'int':
    case 'bigint':
    case 'year':
      return long(text);
    case 'bit':
      return type.length === 1 ? text === '1' : long(text);
    case 'boolean':
      return text === '1';
    case 'decimal':
      return type.precision > 34 ? scaled(text, type.scale) : Decimal128.fromString(text);
    case 'float':
    case 'double':
      return new Double(Number(text));
    case 'binary':
    case 'varbinary':
    case 'blob':
      return new Binary(Buffer.from(text, 'latin1'));
    case 'uuid':
      return new UUID(text);
    case 'date':
      return new Date(`${text}T00:00:00Z`);
    case 'datetime':
    case 'timestamp':
      return toMoment(type.digits, type.kind === 'timestamp', text);
    case 'time':
      return clock(text, type.digits);
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'inet4':
    case 'inet6':
    case 'json':
    case 'geometry':
    case 'vector':
      return text;
    default:
      return unreachable(type);
  }
}

function integer(value: unknown): string | null {
  if (value instanceof Int32) return String(value.value);
  if (value instanceof Long) return value.toString();
  if (!(value instanceof Decimal128)) return null;
  const text = value.toString();
  return /^\d+$/.test(text) && BigInt(text) > LONGEST ? text : null;
}

function long(text: string): Long | Decimal128 {
  return BigInt(text) > LONGEST ? Decimal128.fromString(text) : Long.fromString(text);
}

function decimal(precision: number, value: unknown): string | null {
  if (precision > 34) return typeof value === 'string' ? plainDecimal(value) : null;
  return value instanceof Decimal128 ? plainDecimal(fixedPoint(value.toString())) : null;
}

/** Decimal128 prints small numbers with an exponent. */
function fixedPoint(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent] = /^(-?)(\d+)(?:\.(\d+))?E([+-]?\d+)$/.exec(text) ?? [];
  if (exponent === undefined) return text;
  const point = whole.length + Number(exponent);
  const digits = whole + fraction;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  const padded = digits.padEnd(point, '0');
  return `${sign}${padded.slice(0, point)}.${padded.slice(point)}0`;
}

/** A decimal as it is stored where BSON has no number for it: with all digits of its scale. */
function scaled(text: string, scale: number): string {
  const [whole = '', fraction = ''] = text.split('.');
  return scale === 0 ? whole : `${whole}.${fraction.padEnd(scale, '0')}`;
}

/** Microseconds as `[-]hh:mm:ss[.digits]`. */
function clock(text: string, digits: number): string {
  const micros = Math.abs(Number(text));
  const seconds = Math.floor(micros / 1e6);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const fraction = String(micros % 1e6)
    .padStart(6, '0')
    .slice(0, digits);
  const whole = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return `${text.startsWith('-') ? '-' : ''}${whole}${digits === 0 ? '' : `.${fraction}`}`;
}

function bit(value: boolean): string {
  return value ? '1' : '0';
}

/** Up to milliseconds a Date; beyond that an ISO text, because a Date would lose digits. */
function moment(digits: number, zoned: boolean, value: unknown): string | null {
  if (digits <= 3) return value instanceof Date ? (dateText(value, 23) ?? null) : null;
  if (typeof value !== 'string' || value.endsWith('Z') !== zoned || value[10] !== 'T') return null;
  return shortFraction(`${value.slice(0, 10)} ${zoned ? value.slice(11, -1) : value.slice(11)}`);
}

function toMoment(digits: number, zoned: boolean, text: string): Date | string {
  const iso = text.replace(' ', 'T');
  if (digits <= 3) return new Date(`${iso}Z`);
  const [whole = '', fraction = ''] = iso.split('.');
  return `${whole}.${fraction.padEnd(digits, '0')}${zoned ? 'Z' : ''}`;
}

function dateText(value: Date, length: 10 | 23): string | null {
  if (Number.isNaN(value.getTime())) return null;
  const iso = value.toISOString();
  if (length === 10 && !iso.endsWith('T00:00:00.000Z')) return null;
  return shortFraction(iso.slice(0, length).replace('T', ' '));
}

function json(value: unknown): string | null {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Int32 || value instanceof Double) return exactNumber(String(value.value));
  if (value instanceof Long || value instanceof Decimal128) return exactNumber(value.toString());
  if (Array.isArray(value)) return `[${value.map((item) => json(item) ?? '?').join()}]`;
  if (typeof value !== 'object' || isBson(value) || value instanceof Date) return null;
  return canonicalObject(Object.entries(value).map(([key, item]) => [key, json(item) ?? '?'] as const));
}

/** The driver's own types have it from their class; a document can have a field of that name. */
function isBson(value: object): value is { readonly _bsontype: unknown } {
  return '_bsontype' in value && !Object.hasOwn(value, '_bsontype');
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null && isBson(value)) return String(value._bsontype);
  return value instanceof Date ? 'Date' : typeof value;
}
