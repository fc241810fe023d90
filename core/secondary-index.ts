import type { TableSchema } from './table.ts';

/** An index of a source's table beside its key. A target makes one like it once the table's copy is consistent. */
export interface SecondaryIndex {
  /** Unique within the table. */
  readonly name: string;
  /** `ordered` finds values, ranges and orders of its columns; `other` is of a kind that only the source has. */
  readonly kind: 'ordered' | 'fulltext' | 'spatial' | 'other';
  readonly unique: boolean;
  readonly parts: readonly IndexPart[];
}

export interface IndexPart {
  /** Index into the table's columns; null for an expression. */
  readonly column: number | null;
  /** How much of the value's beginning is in the index, in characters or, of binary columns, in bytes; null: all of it. */
  readonly length: number | null;
  readonly descending: boolean;
}

/** A table with its indexes. */
export interface IndexedTable {
  readonly table: TableSchema;
  readonly indexes: readonly SecondaryIndex[];
}

/** An index that a target does not have in the end, or not as the source has it. */
export interface LostIndex {
  readonly name: string;
  /** Half a sentence: `it is over an expression`. */
  readonly reason: string;
}

/** Tables whose indexes are to be made: one entry of the target for each time that a table's copy has become consistent, with its origin as token. */
export const indexEntries = 'index/';

/** A name of its own, so that dropping the entry never drops a later one. */
export function indexEntry(): string {
  return `${indexEntries}${crypto.randomUUID()}/`;
}
