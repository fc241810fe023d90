import type { Value } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import type { Column, ColumnType, TableSchema } from '../../core/table.ts';
import {
  defaultPolicies,
  type OnChanged,
  sentinelOf,
  type ValuePolicies,
  withoutNul,
} from '../../core/value-policy.ts';
import { quoteText } from './sql.ts';

/**
 * How one column's values are written. `copy` gives a field of COPY's text format, `literal` an SQL constant whose type the
 * statement decides. All throw TARGET_VALUE_UNSUPPORTED, naming table and column, for what PostgreSQL cannot hold.
 */
export interface Encoder {
  readonly copy: (value: Value, onChanged?: OnChanged) => string;
  readonly literal: (value: Value, onChanged?: OnChanged) => string;
  /** As the type's input function takes it; null is NULL. */
  readonly input: (value: Value, onChanged?: OnChanged) => string | null;
}

/** A value as PostgreSQL's input function takes it, before any escaping; null is NULL. */
type Print = (value: Exclude<Value, null>, onChanged?: OnChanged) => string | null;

/** A text as the target can hold it. */
type Mend = (text: string, onChanged: OnChanged | undefined) => string;

/** Where a column is, and what becomes of values that cannot be held. */
interface Rules {
  readonly place: string;
  readonly text: Mend;
  readonly json: Mend;
  /** The date that stands for zero dates, null where none may. */
  readonly sentinel: string | null;
  readonly toNull: boolean;
}

/** Compiles a column's encoder. `type` is the type the target's column really has. */
export function encoder(table: TableSchema, column: Column, type: string, policies = defaultPolicies): Encoder {
  const rules = rulesOf(table, column, policies);
  const print = printer(column, type, rules);
  const input: Encoder['input'] = (value, onChanged) => (value === null ? null : print(value, onChanged));
  const literal: Encoder['literal'] = (value, onChanged) => {
    const printed = input(value, onChanged);
    return printed === null ? 'NULL' : quoteText(printed);
  };
  return { copy: copyField(column, type, print, rules), literal, input };
}

/** Keys are never changed: two of them could become one. Nor are labels, which the column's CHECK names. */
function rulesOf(table: TableSchema, column: Column, policies: ValuePolicies): Rules {
  const place = `${table.origin}, column ${column.name}`;
  const key = table.key.some((index) => table.columns[index] === column);
  const nul = key || column.type.kind === 'enum' ? 'dead-letter' : policies.nulCharacters;
  return {
    place,
    text: mendText(nul, place),
    json: mendJson(nul, place),
    sentinel: key ? null : sentinelOf(policies),
    toNull: column.nullable && policies.zeroDates === 'set-null',
  };
}

const texts = new Set<ColumnType['kind']>(['char', 'varchar', 'text', 'enum']);
const escaped = new Set<ColumnType['kind']>(['json', 'set']);

function copyField(column: Column, type: string, print: Print, rules: Rules): Encoder['copy'] {
  const { kind } = column.type;
  if (texts.has(kind)) return copyText(rules);
  if (escaped.has(kind)) {
    return (value, onChanged) => {
      const printed = value === null ? null : print(value, onChanged);
      return printed === null ? '\\N' : escapeCopy(printed);
    };
  }
  // A bytea's text begins with a backslash and has no other.
  if (type === 'bytea') return (value) => (value === null ? '\\N' : `\\${print(value) ?? ''}`);
  return (value, onChanged) => (value === null ? '\\N' : (print(value, onChanged) ?? '\\N'));
}

// oxlint-disable-next-line no-control-regex -- U+0000 is what this is about
const special = /[\0\\\t\n\r]/;

function copyText({ text, place }: Rules): Encoder['copy'] {
  return (value, onChanged) => {
    if (typeof value === 'string') return special.test(value) ? escapeCopy(text(value, onChanged)) : value;
    return value === null ? '\\N' : wrongValue(place);
  };
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function escapeCopy(text: string): string {
  return special.test(text) ? text.replace(/[\\\t\n\r]/g, (character) => escapes[character] ?? character) : text;
}

function printer(column: Column, type: string, rules: Rules): Print {
  const { place, text, json } = rules;
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
      return (value, onChanged) => (typeof value === 'string' ? text(value, onChanged) : wrong());
    case 'json':
      return (value, onChanged) => (typeof value === 'string' ? json(value, onChanged) : wrong());
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
      return printDate(column, '', rules);
    case 'timestamp':
      return printDate(column, '+00', rules);
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

type NulPolicy = ValuePolicies['nulCharacters'];

const NUL_FIX =
  'remove it at the source, set values.nulCharacters of the target, or leave the column out with a transform';

function mendText(policy: NulPolicy, place: string): Mend {
  return (text, onChanged) => {
    if (!text.includes('\0')) return text;
    if (policy === 'dead-letter') return refuse(place, 'the character U+0000 in text', NUL_FIX);
    onChanged?.(policy === 'strip' ? 'nul-stripped' : 'nul-replaced');
    return withoutNul(text, policy);
  };
}

/** jsonb has no U+0000 either: `\u0000` that is not itself an escaped backslash. */
const nulEscape = /(?<!\\)((?:\\\\)*)\\u0000/g;

function mendJson(policy: NulPolicy, place: string): Mend {
  return (json, onChanged) => {
    if (!json.includes('\\u0000') || json.search(nulEscape) < 0) return json;
    if (policy === 'dead-letter') return refuse(place, 'the character U+0000 in JSON', NUL_FIX);
    onChanged?.(policy === 'strip' ? 'nul-stripped' : 'nul-replaced');
    return json.replaceAll(nulEscape, policy === 'strip' ? '$1' : '$1\uFFFD');
  };
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

/** Zero and partial dates have no place on PostgreSQL's calendar, nor has the year 0. */
function printDate({ type }: Column, zone: string, { sentinel, toNull, place }: Rules): Print {
  const clock = type.kind === 'date' ? '' : ' 00:00:00';
  return (value, onChanged) => {
    if (typeof value !== 'string') return wrongValue(place);
    if (!isZeroDate(value)) return zone === '' ? value : value + zone;
    if (toNull) {
      onChanged?.('zero-date-to-null');
      return null;
    }
    if (sentinel === null) return refuse(place, 'a zero or partial date', DATE_FIX);
    onChanged?.('zero-date-to-sentinel');
    return sentinel + clock + zone;
  };
}

const DATE_FIX =
  'mend its dates at the source, set values.zeroDates of the target, or leave the column out with a transform';

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
