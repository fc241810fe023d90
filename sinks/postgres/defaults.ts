import { LockstepError } from '../../core/errors.ts';
import type { Column, TableSchema } from '../../core/table.ts';
import { encoder } from './encode.ts';
import { quoteText } from './sql.ts';
import { targetType } from './types.ts';

const now = /^(?:current_timestamp|now|localtimestamp|localtime)(?:\s*\(\s*\d?\s*\))?$/i;
const number = /^[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i;

/** A column's default as PostgreSQL writes it; null where there is none, or none that means the same there. */
export function translateDefault(column: Column): string | null {
  const source = column.default?.trim() ?? 'NULL';
  if (/^null$/i.test(source) || column.autoIncrement || column.generated !== null) return null;
  if (now.test(source)) return translateNow(column);
  if (number.test(source)) return literal(column, source);
  const bits = /^b'([01]+)'$/i.exec(source)?.[1];
  if (bits !== undefined)
    return column.type.kind === 'bit' ? bitLiteral(column.type.length, BigInt(`0b${bits}`)) : null;
  const text = /^'((?:[^'\\]|''|\\.)*)'$/s.exec(source)?.[1];
  return text === undefined ? null : literal(column, unescape(text));
}

/** Whether there is a default that `translateDefault` cannot carry. */
export function defaultIsLost(column: Column): boolean {
  const source = column.default?.trim() ?? 'NULL';
  return (
    !/^null$/i.test(source) && !column.autoIncrement && column.generated === null && translateDefault(column) === null
  );
}

function translateNow(column: Column): string | null {
  if (column.type.kind === 'timestamp') return `CURRENT_TIMESTAMP(${String(column.type.digits)})`;
  return column.type.kind === 'datetime' ? `LOCALTIMESTAMP(${String(column.type.digits)})` : null;
}

const escapes: Readonly<Record<string, string>> = { '0': '\0', b: '\b', n: '\n', r: '\r', t: '\t', Z: '\u001a' };

/** The text of a string constant of MySQL. */
function unescape(text: string): string {
  return text.replace(/''|\\(.)/gs, (whole, character: string | undefined) => {
    return character === undefined ? whole.slice(1) : (escapes[character] ?? character);
  });
}

function bitLiteral(length: number, bits: bigint): string {
  return length === 1 ? String(bits !== 0n) : quoteText(bits.toString(2).padStart(length, '0'));
}

/** A constant of the source's text or digits as one of the target's type, null where that is not plain. */
function literal(column: Column, text: string): string | null {
  switch (column.type.kind) {
    case 'int':
    case 'bigint':
    case 'year':
    case 'decimal':
    case 'float':
    case 'double':
      return number.test(text) ? text : null;
    case 'boolean':
      return number.test(text) ? String(Number(text) !== 0) : null;
    case 'bit':
      return /^\d+$/.test(text) ? bitLiteral(column.type.length, BigInt(text)) : null;
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'time':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
    case 'date':
    case 'datetime':
    case 'timestamp':
      return textLiteral(column, text);
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
    default:
      return null;
  }
}

function textLiteral(column: Column, text: string): string | null {
  const printed = literalOrNull(column, text);
  return printed === 'NULL' ? null : printed;
}

function literalOrNull(column: Column, text: string): string {
  try {
    return encoder(nowhere, column, targetType(column.type, null)).literal(text);
  } catch (error) {
    if (error instanceof LockstepError) return 'NULL';
    throw error;
  }
}

const nowhere: TableSchema = { database: '', name: '', origin: '', columns: [], key: [], fingerprint: '' };

/**
 * What a new column holds in the rows that are there, as MySQL fills them without a row event: the default, else the type's
 * implicit default (manual, "Data Type Default Values"), NULL where it may be. Null where that cannot be known here.
 */
export function fillOf(column: Column, atMs: number): string | null {
  if (column.generated !== null || column.autoIncrement) return null;
  const source = column.default?.trim() ?? 'NULL';
  if (now.test(source)) return momentLiteral(column, atMs);
  const translated = translateDefault(column);
  if (translated !== null) return translated;
  if (!/^null$/i.test(source)) return null;
  return column.nullable ? 'NULL' : implicit(column);
}

function momentLiteral(column: Column, atMs: number): string {
  const text = new Date(atMs).toISOString().slice(0, 19).replace('T', ' ');
  return quoteText(column.type.kind === 'timestamp' ? `${text}+00` : text);
}

function implicit(column: Column): string | null {
  switch (column.type.kind) {
    case 'int':
    case 'bigint':
    case 'year':
    case 'decimal':
    case 'float':
    case 'double':
      return '0';
    case 'boolean':
      return 'false';
    case 'bit':
      return bitLiteral(column.type.length, 0n);
    case 'char':
    case 'varchar':
    case 'text':
      return "''";
    case 'enum':
      return quoteText(column.type.labels[0] ?? '');
    case 'set':
      return "'{}'";
    case 'binary':
      return quoteText(`\\x${'00'.repeat(column.type.length)}`);
    case 'varbinary':
    case 'blob':
      return "'\\x'";
    case 'time':
      return "'00:00:00'";
    case 'json':
      return "'null'";
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'geometry':
    case 'vector':
    case 'uuid':
    case 'inet4':
    case 'inet6':
    default:
      return null;
  }
}
