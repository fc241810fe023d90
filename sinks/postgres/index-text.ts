import { createHash } from 'node:crypto';
import type { IndexPart, SecondaryIndex } from '../../core/secondary-index.ts';
import type { Column, TableSchema } from '../../core/table.ts';
import type { ServerFacts } from './catalog.ts';
import { NAME_BYTES } from './ddl.ts';
import { columnAt, quoteName, quoteTable } from './sql.ts';

/** An index as PostgreSQL is to make it. */
export interface IndexText {
  /** What stands behind the table's name: `("a" DESC, ("left"("b", 10)))`. */
  readonly on: string;
  /** Its columns, which an index of any name may have to do as well; null where parts are expressions or it is no B-tree. */
  readonly plain: readonly { readonly name: string; readonly descending: boolean }[] | null;
}

/** An entry of a B-tree has 2,704 bytes at most, head and padding among them; a row with a larger one would be refused. */
const ENTRY_BYTES = 2_650;

/** The text of an index; a string says why there can be none. */
export function indexText(
  table: TableSchema,
  { kind, parts }: SecondaryIndex,
  { geometry }: ServerFacts,
): IndexText | string {
  if (kind === 'fulltext') return 'it is a FULLTEXT index, which PostgreSQL has for words of one language only';
  if (kind === 'other') return 'PostgreSQL has no index of its kind';
  const columns = parts.flatMap(({ column }) => (column === null ? [] : [columnAt(table, column)]));
  if (columns.length < parts.length) return 'it is over an expression';
  if (kind === 'spatial' || columns.some(({ type }) => type.kind === 'geometry')) {
    if (geometry === null) return 'spatial columns are kept as bytes: install PostGIS for its geometry type';
    return { on: `USING gist (${columns.map(({ name }) => quoteName(name)).join(', ')})`, plain: null };
  }
  const bytes = parts.reduce((sum, part, i) => sum + widthOf(columns[i], part.length), 0);
  if (bytes > ENTRY_BYTES) {
    const most = Number.isFinite(bytes) ? `up to ${String(bytes)} bytes` : 'values of any length';
    return `it would hold ${most}, and PostgreSQL refuses rows with more than 2,704 in an index`;
  }
  const whole = parts.every(({ length }) => length === null);
  return {
    on: `(${parts.map((part, i) => partText(part, columns[i])).join(', ')})`,
    plain: whole ? parts.map(({ descending }, i) => ({ name: columns[i]?.name ?? '', descending })) : null,
  };
}

/** The statement that makes it; `how` is what stands before its name. */
export function indexStatement(
  table: TableSchema,
  name: string,
  { on }: IndexText,
  how: '' | 'CONCURRENTLY ' = '',
): string {
  return `CREATE INDEX ${how}${quoteName(name)} ON ${quoteTable(table)} ${on}`;
}

/**
 * Names for it, the best first: an index's name is unique in its schema, and at the source only in its table. They end with a hash of what the index is, so that
 * nobody else's is ever taken for it.
 */
export function indexNames(table: TableSchema, { name }: SecondaryIndex, { on }: IndexText): readonly string[] {
  const digest = createHash('sha256')
    .update(JSON.stringify([name, on]))
    .digest('hex')
    .slice(0, 8);
  const bare = cut(`${table.name}_${name}`, NAME_BYTES - 11);
  return ['', '_2', '_3', '_4'].map((end) => `${bare}_${digest}${end}`);
}

/** Matches the names of indexes of ours, as a regular expression of PostgreSQL. */
export const OUR_NAMES = '_[0-9a-f]{8}(_[2-4])?$';

/** Whether a column's values can be wider now, so that an entry of an index might not hold two of them. */
export function grows(before: Column, after: Column): boolean {
  return widthOf(after, null) > Math.max(ENTRY_BYTES / 2, widthOf(before, null));
}

/** The beginning of a text that has at most so many bytes. */
function cut(text: string, bytes: number): string {
  let end = text.length;
  while (Buffer.byteLength(text.slice(0, end)) > bytes) end -= 1;
  return text
    .slice(0, end)
    .toWellFormed()
    .replace(/\uFFFD$/, '');
}

/** MySQL puts NULL before every value; where there can be none, nothing need be said. */
function partText({ length, descending }: IndexPart, column: Column | undefined): string {
  const name = quoteName(column?.name ?? '');
  const value = length === null ? name : beginning(name, column, length);
  const nulls = column?.nullable === true ? (descending ? ' NULLS LAST' : ' NULLS FIRST') : '';
  return `${value}${descending ? ' DESC' : ''}${nulls}`;
}

function beginning(name: string, column: Column | undefined, length: number): string {
  const kind = column?.type.kind;
  const isBinary = kind === 'binary' || kind === 'varbinary' || kind === 'blob';
  return isBinary ? `substring(${name}, 1, ${String(length)})` : `"left"(${name}, ${String(length)})`;
}

/** The most bytes that a value, or `length` of its beginning, can take in an index. */
function widthOf(column: Column | undefined, length: number | null): number {
  const type = column?.type;
  switch (type?.kind) {
    case 'char':
    case 'varchar':
      return 4 + Math.min(type.length, length ?? Infinity) * characterBytes(column?.charset ?? null);
    case 'text':
      return 4 + (length ?? Infinity) * characterBytes(column?.charset ?? null);
    case 'binary':
    case 'varbinary':
      return 4 + Math.min(type.length, length ?? Infinity);
    case 'blob':
      return 4 + (length ?? Infinity);
    case 'enum':
      return 4 + Math.max(0, ...type.labels.map((label) => Buffer.byteLength(label)));
    case 'set':
      return type.labels.reduce((sum, label) => sum + 8 + Buffer.byteLength(label), 24);
    case 'decimal':
      return 12 + type.precision;
    case 'bit':
      return 12 + type.length / 8;
    case 'geometry':
    case 'json':
    case 'vector':
      return Infinity;
    default:
      return 24;
  }
}

/** In UTF-8, as the target keeps it. */
function characterBytes(charset: string | null): number {
  if (charset === 'ascii') return 1;
  return charset === 'latin1' || charset === 'utf8mb3' || charset === 'utf8' ? 3 : 4;
}
