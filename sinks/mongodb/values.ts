import { Binary } from 'mongodb';
import type { Value } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import type { Column, ColumnType } from '../../core/table.ts';
import { defaultPolicies, type OnChanged, sentinelOf, type ValuePolicies } from '../../core/value-policy.ts';
import { epochMs } from './dates.ts';
import { decimal128, integerDecimal128, MAX_DIGITS } from './decimal128.ts';
import { geoJson } from './geojson.ts';
import { bsonOfJson, doubleOf, type Refuse } from './json.ts';

/** A column's canonical value, never null, as what the driver writes as BSON. */
export type Convert = (value: NonNullable<Value>, onChanged?: OnChanged) => unknown;

/**
 * The conversion of one column, by its declared type alone (G4). Errors: TARGET_VALUE_UNSUPPORTED for what cannot be carried, with
 * table and column and never the value. `where` is `database.table.column`; `policies` are null for a key column, which none changes.
 */
export function converter(column: Column, where: string, policies: ValuePolicies | null = defaultPolicies): Convert {
  const refuse: Refuse = (why) => {
    const fix = `mend the row at the source, or set values.zeroDates of the target for dates, or let a transform exclude ${column.name}`;
    throw new LockstepError('TARGET_VALUE_UNSUPPORTED', `${where} (${column.declared}) cannot be carried: ${why}`, {
      fix,
    });
  };
  const { type } = column;
  switch (type.kind) {
    case 'int':
      return type.unsigned && type.bits === 32 ? (value) => BigInt(numberOf(value, where)) : same;
    case 'double':
    case 'float':
      return (value) => doubleOf(numberOf(value, where));
    case 'bigint':
    case 'bit':
      return unsignedOrSame(type);
    case 'decimal':
      return type.precision > MAX_DIGITS
        ? same
        : (value) => decimal128(textOf(value, where)) ?? refuse('it has more than 34 digits');
    case 'date':
    case 'datetime':
    case 'timestamp':
      return dates(column, policies, where, refuse);
    case 'set':
      return (value) => (value === '' ? [] : textOf(value, where).split(','));
    case 'json':
      return (value) => bsonOfJson(textOf(value, where), refuse);
    case 'geometry':
      return (value) => geoJson(bytesOf(value, where)) ?? value;
    case 'vector':
      return (value) => vector(bytesOf(value, where));
    case 'uuid':
      return (value) => Binary.createFromHexString(textOf(value, where).replaceAll('-', ''), Binary.SUBTYPE_UUID);
    case 'boolean':
    case 'year':
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'time':
    case 'inet4':
    case 'inet6':
    case 'binary':
    case 'varbinary':
    case 'blob':
      return same;
    default:
      return unreachable(type);
  }
}

/** The driver writes strings, booleans, bytes, small numbers as Int32 and bigint as Long. */
function same(value: NonNullable<Value>): unknown {
  return value;
}

const maxLong = 2n ** 63n - 1n;

function unsignedOrSame(type: ColumnType): Convert {
  const fitsLong = type.kind === 'bit' ? type.length < 64 : type.kind === 'bigint' && !type.unsigned;
  return fitsLong ? same : (value) => (typeof value === 'bigint' && value > maxLong ? integerDecimal128(value) : value);
}

/**
 * Three digits fit a BSON Date; of more, text keeps every microsecond. Zero, partial and impossible dates are what the policy makes of them.
 */
function dates({ type, nullable }: Column, policies: ValuePolicies | null, where: string, refuse: Refuse): Convert {
  const asText = 'digits' in type && type.digits > 3;
  const zone = type.kind === 'timestamp' ? 'Z' : '';
  const sentinel = policies === null ? null : sentinelOf(policies);
  const toNull = nullable && policies?.zeroDates === 'set-null';
  const written = (text: string, ms: number): unknown =>
    asText ? `${text.slice(0, 10)}T${text.slice(11)}${zone}` : new Date(ms);
  return (value, onChanged) => {
    const text = textOf(value, where);
    const ms = epochMs(text);
    if (!Number.isNaN(ms)) return written(text, ms);
    if (toNull) {
      onChanged?.('zero-date-to-null');
      return null;
    }
    if (sentinel === null) return refuse('it is a zero or partial date');
    onChanged?.('zero-date-to-sentinel');
    return written(`${sentinel} 00:00:00`, epochMs(sentinel));
  };
}

function vector(bytes: Uint8Array): unknown[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => doubleOf(view.getFloat32(i * 4, true)));
}

function textOf(value: Value, where: string): string {
  return typeof value === 'string' ? value : notCanonical(where);
}

function numberOf(value: Value, where: string): number {
  return typeof value === 'number' ? value : notCanonical(where);
}

function bytesOf(value: Value, where: string): Uint8Array {
  return value instanceof Uint8Array ? value : notCanonical(where);
}

function notCanonical(where: string): never {
  throw new LockstepError('BUG', `the value of ${where} is not in its canonical form`, {
    fix: 'please report this with the column’s type',
  });
}

/** What a column becomes, for people, and what is special about it. */
export function bsonType(type: ColumnType): { readonly to: string; readonly note: string | null } {
  switch (type.kind) {
    case 'int':
      return plain(type.unsigned && type.bits === 32 ? 'long' : 'int');
    case 'year':
      return plain('int');
    case 'bigint':
      return type.unsigned ? { to: 'long', note: 'decimal above 9223372036854775807' } : plain('long');
    case 'bit':
      if (type.length === 1) return plain('bool');
      return type.length === 64 ? { to: 'long', note: 'decimal above 9223372036854775807' } : plain('long');
    case 'decimal':
      return type.precision > MAX_DIGITS
        ? { to: 'string', note: 'more digits than the 34 of decimal' }
        : plain('decimal');
    case 'float':
    case 'double':
      return plain('double');
    case 'boolean':
      return plain('bool');
    case 'date':
      return { to: 'date', note: 'midnight UTC' };
    case 'datetime':
      return type.digits > 3
        ? { to: 'string', note: 'ISO 8601, so that no microsecond is lost' }
        : { to: 'date', note: 'taken as UTC' };
    case 'timestamp':
      return type.digits > 3
        ? { to: 'string', note: 'ISO 8601 with Z, so that no microsecond is lost' }
        : plain('date');
    case 'set':
      return plain('array of string');
    case 'json':
      return plain('document, array or value');
    case 'binary':
    case 'varbinary':
    case 'blob':
      return plain('binData');
    case 'geometry':
      return {
        to: 'document',
        note: 'GeoJSON for SRID 0 and 4326; binData (SRID, then WKB) for others and for collections',
      };
    case 'vector':
      return plain('array of double');
    case 'uuid':
      return plain('binData (UUID)');
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'time':
    case 'inet4':
    case 'inet6':
      return plain('string');
    default:
      return unreachable(type);
  }
}

function plain(to: string): { to: string; note: null } {
  return { to, note: null };
}
