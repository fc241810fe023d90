import type { TableSchema } from './table.ts';

/**
 * An index of a source's table beside its key. Targets make one like it, but never a unique one: rows that are copied again, or come in another order than
 * at the source, would be refused although the source has them.
 */
export interface SecondaryIndex {
  /** Unique within the table. */
  readonly name: string;
  /** `ordered` finds values, ranges and orders of its columns; `other` is of a kind that only the source has. */
  readonly kind: 'ordered' | 'fulltext' | 'spatial' | 'other';
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

/** An index that a target cannot have. */
export interface LostIndex {
  /** `*`: all that the table lacks. */
  readonly name: string;
  /** Half a sentence: `it is over an expression`. */
  readonly reason: string;
}

/** Tables whose indexes are to be looked at: one entry of the target for each time that they may have become others, with the table's origin as token. */
export const indexEntries = 'index/';

/** A name of its own, so that dropping the entry never drops a later one. */
export function indexEntry(): string {
  return `${indexEntries}${crypto.randomUUID()}/`;
}
