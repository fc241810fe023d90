import type { Value } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import type { Column, ColumnType, TableSchema } from '../../core/table.ts';
import { quoteText } from './sql.ts';

/**
 * How one column's values are written. `copy` gives a field of COPY's text format, `literal` an SQL constant whose type the
 * statement decides. Both throw TARGET_VALUE_UNSUPPORTED, naming table and column, for what PostgreSQL cannot hold.
 */
export interface Encoder {
  readonly copy: (value: Value) => string;
  readonly literal: (value: Value) => string;
}

/** A value as PostgreSQL's input function takes it, before any escaping; null is NULL. */
type Print = (value: Exclude<Value, null>) => string | null;

/** Compiles a column's encoder. `type` is the type the target's column really has. */
export function encoder(table: TableSchema, column: Column, type: string): Encoder {
  const place = `${table.origin}, column ${column.name}`;
  const print = printer(column, type, place);
  const literal = (value: Value): string => {
    const printed = value === null ? null : print(value);
    return printed === null ? 'NULL' : quoteText(printed);
  };
  return { copy: copyField(column, type, print, place), literal };
}

const texts = new Set<ColumnType['kind']>(['char', 'varchar', 'text', 'enum']);
const escaped = new Set<ColumnType['kind']>(['json', 'set']);

function copyField(column: Column, type: string, print: Print, place: string): Encoder['copy'] {
  const { kind } = column.type;
  if (texts.has(kind)) return copyText(place);
  if (escaped.has(kind)) {
    return (value) => {
      const printed = value === null ? null : print(value);
      return printed === null ? '\\N' : escapeCopy(printed);
    };
  }
  // A bytea's text begins with a backslash and has no other.
  if (type === 'bytea') return (value) => (value === null ? '\\N' : `\\${print(value) ?? ''}`);
  return (value) => (value === null ? '\\N' : (print(value) ?? '\\N'));
}

// oxlint-disable-next-line no-control-regex -- U+0000 is what this is about
const special = /[\0\\\t\n\r]/;

function copyText(place: string): Encoder['copy'] {
  return (value) => {
    if (typeof value === 'string') return special.test(value) ? escapeCopy(withoutNul(value, place)) : value;
    return value === null ? '\\N' : wrongValue(place);
  };
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function escapeCopy(text: string): string {
  return special.test(text) ? text.replace(/[\\\t\n\r]/g, (character) => escapes[character] ?? character) : text;
}

function printer(column: Column, type: string, place: string): Print {
  const wrong = (): never => wrongValue(place);
  const kind = column.type.kind;
  switch (kind) {
    case 'int':
    case 'bigint':
    case 'year':
      return (value) => (typeof value === 'number' || typeof value === 'bigint' ? String(value) : wrong());
    case 'float':
    case 'double':
      return (value) => (typeof value === 'number' ? printDouble(value) : wrong());
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? printBoolean(value) : wrong());
    case 'bit':
      return column.type.length === 1 ? printBit1(wrong) : printBits(column.type.length, wrong);
    case 'decimal':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return (value) => (typeof value === 'string' ? value : wrong());
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
      return (value) => (typeof value === 'string' ? withoutNul(value, place) : wrong());
    case 'json':
      return (value) => (typeof value === 'string' ? withoutNulEscape(value, place) : wrong());
    case 'set':
      return printSet(column.type.labels, wrong);
    case 'binary':
    case 'varbinary':
    case 'blob':
      return (value) => (value instanceof Uint8Array ? `\\x${hex(value)}` : wrong());
    case 'geometry':
      return printGeometry(type === 'bytea' ? '\\x' : '', wrong);
    case 'vector':
      return (value) => (value instanceof Uint8Array ? printVector(value) : wrong());
    case 'date':
    case 'datetime':
      return printDate(column, '', place);
    case 'timestamp':
      return printDate(column, '+00', place);
    default:
      return unreachable(kind);
  }
}

/** The source sent what its own schema does not allow: never guessed at. */
function wrongValue(place: string): never {
  throw new LockstepError('BUG', `a value of ${place} is not in the form of its type`);
}

function refuse(place: string, what: string, fix: string): never {
  throw new LockstepError('TARGET_VALUE_UNSUPPORTED', `PostgreSQL cannot hold ${what} (${place})`, { fix });
}

function withoutNul(text: string, place: string): string {
  if (!text.includes('\0')) return text;
  return refuse(
    place,
    'the character U+0000 in text',
    'remove it at the source, or leave the column out with a transform',
  );
}

/** jsonb has no U+0000 either: `\u0000` that is not itself an escaped backslash. */
function withoutNulEscape(json: string, place: string): string {
  if (!json.includes('\\u0000') || !/(?<!\\)(?:\\\\)*\\u0000/.test(json)) return json;
  return refuse(
    place,
    'the character U+0000 in JSON',
    'remove it at the source, or leave the column out with a transform',
  );
}

function printDouble(value: number): string {
  return value === 0 && Object.is(value, -0) ? '-0' : String(value);
}

function printBoolean(value: boolean): string {
  return value ? 't' : 'f';
}

function printBit1(wrong: () => never): Print {
  return (value) => {
    if (typeof value === 'boolean') return printBoolean(value);
    return typeof value === 'bigint' ? printBoolean(value !== 0n) : wrong();
  };
}

function printBits(length: number, wrong: () => never): Print {
  return (value) => (typeof value === 'bigint' ? value.toString(2).padStart(length, '0') : wrong());
}

/** Zero and partial dates have no place on PostgreSQL's calendar, nor has the year 0: NULL where the column may be NULL. */
function printDate(column: Column, zone: string, place: string): Print {
  return (value) => {
    if (typeof value !== 'string') return wrongValue(place);
    if (!isZeroDate(value)) return zone === '' ? value : value + zone;
    if (column.nullable) return null;
    const fix = `make the column nullable at the source, mend its dates, or leave it out with a transform`;
    return refuse(place, 'a zero or partial date in a NOT NULL column', fix);
  };
}

const ZERO = 48;

/** `0000-…`, `…-00-…` or `…-…-00`. */
export function isZeroDate(date: string): boolean {
  if (date.charCodeAt(5) === ZERO && date.charCodeAt(6) === ZERO) return true;
  if (date.charCodeAt(8) === ZERO && date.charCodeAt(9) === ZERO) return true;
  return date.charCodeAt(0) === ZERO && date.startsWith('0000');
}

function printSet(labels: readonly string[], wrong: () => never): Print {
  const quoted = new Map(labels.map((label) => [label, quoteElement(label)]));
  const print = (label: string): string => quoted.get(label) ?? quoteElement(label);
  return (value) => {
    if (typeof value !== 'string') return wrong();
    return value === '' ? '{}' : `{${value.split(',').map(print).join(',')}}`;
  };
}

function quoteElement(label: string): string {
  return `"${label.replace(/["\\]/g, '\\$&')}"`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

const HAS_SRID = 0x20000000;

/** SRID and WKB as EWKB in hex, which PostGIS reads from its own type and from bytea alike. */
function printGeometry(prefix: string, wrong: () => never): Print {
  return (value) => {
    if (!(value instanceof Uint8Array) || value.length < 9) return wrong();
    const source = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const srid = source.readUInt32LE(0);
    if (srid === 0) return prefix + source.toString('hex', 4);
    const little = source[4] === 1;
    const head = Buffer.alloc(9);
    head[0] = little ? 1 : 0;
    const type = ((little ? source.readUInt32LE(5) : source.readUInt32BE(5)) | HAS_SRID) >>> 0;
    if (little) head.writeUInt32LE(srid, head.writeUInt32LE(type, 1));
    else head.writeUInt32BE(srid, head.writeUInt32BE(type, 1));
    return prefix + head.toString('hex') + source.toString('hex', 9);
  };
}

function printVector(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers: string[] = [];
  for (let at = 0; at + 4 <= bytes.byteLength; at += 4) numbers.push(printDouble(view.getFloat32(at, true)));
  return `{${numbers.join(',')}}`;
}
