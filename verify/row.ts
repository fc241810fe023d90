import type { TableSchema } from '../core/table.ts';

/** A value in the one text that equal values share, whichever database they were read from; null is NULL. */
export type Text = string | null;

/** A row as it is compared: one text per column of the source's table. */
export interface ComparedRow {
  /** In the order of `TableSchema.key`; empty for a table without a key. */
  readonly key: readonly string[];
  readonly values: readonly Text[];
  /** What a target's row holds beyond the source's columns, as a name; null where it holds nothing more. */
  readonly surplus: string | null;
}

/** The source side: every row of a table, in the order of its key where `hasIntegerKey`, in batches. */
export interface SourceReader extends AsyncDisposable {
  /** The tables that match `database.table` patterns with `*`; a leading `!` takes out. Sorted by name. */
  tables(patterns: readonly string[], signal: AbortSignal): Promise<readonly TableSchema[]>;
  rows(table: TableSchema, signal: AbortSignal): AsyncIterable<readonly ComparedRow[]>;
}

/** The target side of the same table. */
export interface TargetReader extends AsyncDisposable {
  rows(table: TableSchema, signal: AbortSignal): AsyncIterable<readonly ComparedRow[]>;
  /** The rows with these keys that there are, in any order. */
  lookup(
    table: TableSchema,
    keys: readonly (readonly string[])[],
    signal: AbortSignal,
  ): Promise<readonly ComparedRow[]>;
  count(table: TableSchema, signal: AbortSignal): Promise<number>;
}

/** True when all databases sort the table's keys alike: texts are sorted by collations, numbers are not. */
export function hasIntegerKey(table: TableSchema): boolean {
  const kinds = keyColumns(table).map((column) => column.type.kind);
  return kinds.length > 0 && kinds.every((kind) => kind === 'int' || kind === 'bigint' || kind === 'year');
}

export function keyColumns(table: TableSchema): TableSchema['columns'] {
  return table.key.map((index) => table.columns[index]).filter((column) => column !== undefined);
}

/** The key's texts out of a row's. A NULL there (a zero date, which no target can hold) is told apart from all texts. */
export function keyOf(table: TableSchema, values: readonly Text[]): string[] {
  return table.key.map((index) => values[index] ?? '\u0000null');
}

/** What a document database gives for a JSON column that is NULL or holds JSON's null: it knows one of them only. */
export const EITHER_NULL = '?null';

/** How many rows come in one piece. */
export const BATCH_ROWS = 2000;
