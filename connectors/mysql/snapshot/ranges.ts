import type { Row, Value } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import { valueAt } from '../../../core/row.ts';
import type { Column, TableSchema } from '../../../core/table.ts';
import { askValue, type Asker } from '../connection/session.ts';
import { comparePlaces, parsePlace, parsePosition, type Place, type Position } from '../position/position.ts';
import { quote } from '../connection/server.ts';

/**
 * A part of a table's key order that one reader walks chunk by chunk. `from` and `to` bound the first key column (`from` inside,
 * `to` outside) and `at` is the last key that is durable in the target, all as SQL literals: keys are compared by the server
 * alone, under the column's own collation.
 */
export interface Range {
  readonly index: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly at: readonly string[] | null;
  readonly done: boolean;
  /** The end of the log when the last chunk had been read: the copy shows nothing newer than this. */
  readonly high: Place | null;
  /** The same by GTIDs, as a position's token: what another server must have done to go on with the copy. */
  readonly shown?: string;
  readonly rows: number;
  /** The source's estimate of the table's rows when it was cut; in the first range alone. */
  readonly estimate: number | null;
}

export const wholeTable: Range = {
  index: 0,
  from: null,
  to: null,
  at: null,
  done: false,
  high: null,
  rows: 0,
  estimate: null,
};

/** Cuts a table into at most `parts` ranges of equal width where its first key column is an integer, else into one. */
export async function planRanges(
  asker: Asker,
  table: TableSchema,
  parts: number,
  signal: AbortSignal,
): Promise<Range[]> {
  const [first] = table.key;
  const column = first === undefined ? undefined : table.columns[first];
  if (column === undefined || parts <= 1 || (column.type.kind !== 'int' && column.type.kind !== 'bigint'))
    return [wholeTable];
  const name = quote(column.name);
  const bounds = await askValue(
    asker,
    `SELECT CONCAT(MIN(${name}), ' ', MAX(${name})) FROM ${tableName(table)}`,
    signal,
  );
  if (bounds === null) return [wholeTable];
  const [low = 0n, high = 0n] = bounds.split(' ').map(BigInt);
  const width = (high - low) / BigInt(parts) + 1n;
  const ranges: Range[] = [];
  for (let index = 0; index < parts; index += 1) {
    const from = low + width * BigInt(index);
    if (index > 0 && from > high) break;
    ranges.push({ ...wholeTable, index, from: index === 0 ? null : String(from), to: String(from + width) });
  }
  return ranges.map((range, i) => (i === ranges.length - 1 ? { ...range, to: null } : range));
}

/** The statement that reads the range's next chunk in key order. */
export function chunkStatement(
  table: TableSchema,
  range: Range,
  select: string,
  limit: number,
  condition: string | null = null,
): string {
  const keys = table.key.map((i) => keyColumn(table.columns[i]));
  const [first = ''] = keys;
  const conditions: string[] = condition === null ? [] : [condition];
  if (range.at !== null) conditions.push(after(keys, range.at));
  else if (range.from !== null) conditions.push(`${first} >= ${range.from}`);
  if (range.to !== null) conditions.push(`${first} < ${range.to}`);
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const order = keys.length === 0 ? '' : ` ORDER BY ${keys.join(', ')} LIMIT ${limit}`;
  return `SELECT ${select} FROM ${tableName(table)}${where}${order}`;
}

/** `(a, b) > (x, y)` in the form that both servers answer from the index. */
function after(keys: readonly string[], at: readonly string[]): string {
  const [key = '', ...rest] = keys;
  const [value = '', ...values] = at;
  return rest.length === 0
    ? `${key} > ${value}`
    : `${key} >= ${value} AND (${key} > ${value} OR (${after(rest, values)}))`;
}

/** ENUM and SET sort by number but compare with text as text. */
function keyColumn(column: Column | undefined): string {
  const name = quote(column?.name ?? '');
  return column?.type.kind === 'enum' || column?.type.kind === 'set' ? `${name} + 0` : name;
}

/** The key of a row as SQL literals. */
export function keyLiterals(table: TableSchema, row: Row): string[] {
  return table.key.map((i) => literal(table.columns[i], valueAt(row, i), table.origin));
}

function literal(column: Column | undefined, value: Value, origin: string): string {
  if (column?.type.kind === 'enum' && typeof value === 'string') return String(column.type.labels.indexOf(value) + 1);
  if (column?.type.kind === 'set' && typeof value === 'string') return String(setBits(column.type.labels, value));
  if (column?.type.kind === 'decimal' && typeof value === 'string') return value;
  if (column?.type.kind === 'float') return `CAST(${String(value)} AS FLOAT)`;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`;
  if (typeof value === 'string') return `_utf8mb4 x'${Buffer.from(value).toString('hex')}'`;
  throw new LockstepError('BUG', `${origin}: a key column is NULL`);
}

function setBits(labels: readonly string[], value: string): bigint {
  return value
    .split(',')
    .reduce((bits, label) => (label === '' ? bits : bits | (1n << BigInt(labels.indexOf(label)))), 0n);
}

export function tableName(table: TableSchema): string {
  const dot = table.origin.indexOf('.');
  return `${quote(table.database)}.${quote(table.origin.slice(dot + 1))}`;
}

/** What the names of the tokens that hold the progress of a table's ranges begin with. */
export const rangeEntries = (origin: string): string => `range/${origin}/`;

export const rangeEntry = (origin: string, index: number): string => `${rangeEntries(origin)}${index}`;

/** The ranges that the tokens hold, in their order. */
export function storedRanges(entries: ReadonlyMap<string, string>, origin: string): Range[] {
  const prefix = rangeEntries(origin);
  return [...entries]
    .flatMap(([name, token]) => (name.startsWith(prefix) ? [parseRange(Number(name.slice(prefix.length)), token)] : []))
    .toSorted((a, b) => a.index - b.index);
}

/** What the chunks of every table that were read on another server show, where that is known. */
export function shownElsewhere(entries: ReadonlyMap<string, string>, server: string): Position[] {
  const tokens = [...entries].flatMap(([name, token]) => (name.startsWith('range/') ? [parseRange(0, token)] : []));
  return tokens.flatMap(({ high, shown }) =>
    shown === undefined || high?.server === server ? [] : [parsePosition(shown)],
  );
}

export function formatRange(range: Range): string {
  const { index: _, ...stored } = range;
  return JSON.stringify(stored);
}

export function parseRange(index: number, token: string): Range {
  const stored = JSON.parse(token) as Record<string, unknown>;
  const text = (name: string): string | null => (typeof stored[name] === 'string' ? stored[name] : null);
  const { at, high, rows, shown, estimate } = stored;
  return {
    index,
    from: text('from'),
    to: text('to'),
    at: Array.isArray(at) ? at.map(String) : null,
    done: stored['done'] === true,
    high: typeof high === 'object' && high !== null ? parsePlace(high as Record<string, unknown>, token) : null,
    rows: typeof rows === 'number' ? rows : 0,
    estimate: typeof estimate === 'number' ? estimate : null,
    ...(typeof shown === 'string' ? { shown } : {}),
  };
}

/** The later of two places; null counts as before everything. */
export function laterPlace(a: Place | null, b: Place | null): Place | null {
  if (a === null || b === null) return a ?? b;
  return comparePlaces(a, b) >= 0 ? a : b;
}
