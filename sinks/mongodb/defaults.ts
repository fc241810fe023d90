import type { Value } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import type { Column } from '../../core/table.ts';
import { converter } from './values.ts';

const now = /^(?:current_timestamp|now|localtimestamp|localtime)(?:\s*\(\s*\d?\s*\))?$/i;
const number = /^[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i;
const escapes: Readonly<Record<string, string>> = { '0': '\0', b: '\b', n: '\n', r: '\r', t: '\t', Z: '\u001a' };

/**
 * What a new column holds in the rows that are there, as BSON: the source fills them without a row event. The literal default, NULL, the
 * statement's time, or for NOT NULL the type's implicit default (MySQL manual, "Data Type Default Values"). Undefined, so that the field stays
 * missing, where it is generated, counted up, or an expression that only the source can compute.
 */
export function fillOf(column: Column, where: string, atMs: number): unknown {
  if (column.generated !== null || column.autoIncrement) return undefined;
  if (column.nullable && isNull(column)) return null;
  const value = fillValue(column, atMs);
  if (value === null) return undefined;
  try {
    return converter(column, where)(value);
  } catch (error) {
    if (error instanceof LockstepError) return undefined;
    throw error;
  }
}

function isNull(column: Column): boolean {
  return /^null$/i.test(column.default?.trim() ?? 'NULL');
}

/** Null where only the source knows. */
function fillValue(column: Column, atMs: number): Value {
  if (isNull(column)) return implicit(column);
  const source = column.default?.trim() ?? '';
  if (now.test(source)) return moment(column, atMs);
  if (number.test(source)) return canonical(column, source);
  const bits = /^b'([01]+)'$/i.exec(source)?.[1];
  if (bits !== undefined) return canonical(column, String(BigInt(`0b${bits}`)));
  const text = /^'((?:[^'\\]|''|\\.)*)'$/s.exec(source)?.[1];
  return text === undefined ? null : canonical(column, unescape(text));
}

/** The text of a string constant of MySQL. */
function unescape(text: string): string {
  return text.replace(/''|\\(.)/gs, (whole, character: string | undefined) => {
    return character === undefined ? whole.slice(1) : (escapes[character] ?? character);
  });
}

function moment(column: Column, atMs: number): Value {
  const { type } = column;
  if (type.kind !== 'datetime' && type.kind !== 'timestamp') return null;
  const text = new Date(atMs).toISOString().slice(0, 19).replace('T', ' ');
  return type.digits === 0 ? text : `${text}.${'0'.repeat(type.digits)}`;
}

/** A constant's text in the column's canonical form, null where it is not plain. */
function canonical(column: Column, text: string): Value {
  const { type } = column;
  switch (type.kind) {
    case 'int':
    case 'year':
    case 'float':
    case 'double':
      return number.test(text) ? Number(text) : null;
    case 'bigint':
      return /^[-+]?\d+$/.test(text) ? BigInt(text) : null;
    case 'bit':
      if (!/^\d+$/.test(text)) return null;
      return type.length === 1 ? text !== '0' : BigInt(text);
    case 'boolean':
      return number.test(text) ? Number(text) !== 0 : null;
    case 'decimal':
      return scaled(text, type.scale);
    case 'binary':
      return Uint8Array.from({ length: type.length }, (_, i) => Buffer.from(text, 'utf8')[i] ?? 0);
    case 'varbinary':
    case 'blob':
      return Buffer.from(text, 'utf8');
    case 'geometry':
    case 'vector':
      return null;
    case 'datetime':
    case 'timestamp':
      return fraction(text, 19, type.digits);
    case 'time':
      return fraction(text, text.startsWith('-') ? 9 : 8, type.digits);
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'json':
    case 'date':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return text;
    default:
      return unreachable(type);
  }
}

function scaled(text: string, scale: number): Value {
  const match = /^([-+]?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) return null;
  const [, sign = '', whole = '', decimals = ''] = match;
  if (decimals.slice(scale).replaceAll('0', '') !== '') return null;
  return `${sign === '-' ? '-' : ''}${whole}${scale === 0 ? '' : `.${decimals.slice(0, scale).padEnd(scale, '0')}`}`;
}

/** With the column's fractional digits; the source rounds what is longer, so that is left out. */
function fraction(text: string, length: number, digits: number): Value {
  if (text.length < length || text.length > length + 1 + digits) return null;
  return digits === 0 ? text : `${text.slice(0, length)}.${text.slice(length + 1).padEnd(digits, '0')}`;
}

function implicit(column: Column): Value {
  const { type } = column;
  switch (type.kind) {
    case 'int':
    case 'year':
    case 'float':
    case 'double':
      return 0;
    case 'bigint':
      return 0n;
    case 'bit':
      return type.length === 1 ? false : 0n;
    case 'boolean':
      return false;
    case 'decimal':
      return scaled('0', type.scale);
    case 'char':
    case 'varchar':
    case 'text':
    case 'set':
      return '';
    case 'enum':
      return type.labels[0] ?? '';
    case 'binary':
      return new Uint8Array(type.length);
    case 'varbinary':
    case 'blob':
      return new Uint8Array(0);
    case 'time':
      return canonical(column, '00:00:00');
    case 'json':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'geometry':
    case 'vector':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return null;
    default:
      return unreachable(type);
  }
}
