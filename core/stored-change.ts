import type { Moment, RowChange } from './contracts.ts';
import { LockstepError, unreachable } from './errors.ts';
import { type Row, type Value, type Values, valuesOf } from './row.ts';
import { type ColumnType, type TableSchema, tableSchema } from './table.ts';

/**
 * A change of a row as JSON, for keeping: `table` is the schema, `before` and `after` have the values by column: text, numbers and booleans as they
 * are, whole numbers of 64 bits and -0 as text, bytes in base64.
 */
export function writeChange(change: RowChange): string {
  const { kind, table, before, after, at } = change;
  return JSON.stringify({ kind, at, before: rowObject(table, before), after: rowObject(table, after), table });
}

/** A row as `writeChange` writes it. */
export function rowObject(table: TableSchema, row: Row | null): Readonly<Record<string, unknown>> | null {
  if (row === null) return null;
  const values = valuesOf(row);
  return Object.fromEntries(table.columns.map(({ name }, index) => [name, writeValue(values[index] ?? null)]));
}

function writeValue(value: Value): null | number | string | boolean {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
  return Object.is(value, -0) ? '-0' : value;
}

type Stored = Record<string, unknown>;

interface StoredChange {
  readonly kind: RowChange['kind'];
  readonly at: Moment;
  readonly before: Stored | null;
  readonly after: Stored | null;
  readonly table: TableSchema;
}

/** What `writeChange` wrote. Errors: BUG for anything else. */
export function readChange(text: string): RowChange {
  const { kind, at, before, after, table: stored } = parse(text);
  const table = tableSchema(stored);
  const row = (values: Stored | null): Values => readRow(table, values);
  switch (kind) {
    case 'read':
    case 'insert':
      return { kind, table, before: null, after: row(after), at };
    case 'update':
      return { kind, table, before: row(before), after: row(after), at };
    case 'delete':
      return { kind, table, before: row(before), after: null, at };
    default:
      return unreachable(kind);
  }
}

function parse(text: string): StoredChange {
  const stored: unknown = JSON.parse(text);
  if (typeof stored === 'object' && stored !== null && 'kind' in stored && 'table' in stored && 'at' in stored)
    return stored as StoredChange;
  throw new LockstepError('BUG', 'a stored change is not in the form in which changes are stored');
}

function readRow(table: TableSchema, stored: Stored | null): Values {
  if (stored === null) throw new LockstepError('BUG', `a stored change of ${table.origin} lacks its row`);
  return table.columns.map(({ name, type }) => readValue(type, stored[name]));
}

const numbers = new Set<ColumnType['kind']>(['int', 'year', 'float', 'double']);
const whole = new Set<ColumnType['kind']>(['bigint', 'bit']);
const bytes = new Set<ColumnType['kind']>(['binary', 'varbinary', 'blob', 'geometry', 'vector']);

function readValue({ kind }: ColumnType, stored: unknown): Value {
  if (typeof stored === 'number' || typeof stored === 'boolean') return stored;
  if (typeof stored !== 'string') return null;
  if (whole.has(kind)) return BigInt(stored);
  if (numbers.has(kind)) return Number(stored);
  return bytes.has(kind) ? Buffer.from(stored, 'base64') : stored;
}
