import type { Progress } from '../core/progress.ts';

/** What became of one table's rows (G5): read = applied + filtered + dead letters. */
export interface TableCounts {
  readonly read: number;
  readonly applied: number;
  readonly filtered: number;
  /** Those of `read` that the copy brought, not the stream. */
  readonly copied: number;
  /** A row that is refused stops the run, so there are none. */
  readonly deadLetters: number;
}

/** Per table of the source, in order of name. */
export function countsOf(progress: Progress): Record<string, TableCounts> {
  const tables = [...progress.tables].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    tables.map(([origin, { read, applied, filtered, copied }]) => [
      origin,
      { read, applied, filtered, copied, deadLetters: 0 },
    ]),
  );
}

export function totalOf(progress: Progress): TableCounts {
  const total = { read: 0, applied: 0, filtered: 0, copied: 0, deadLetters: 0 };
  for (const table of progress.tables.values()) {
    total.read += table.read;
    total.applied += table.applied;
    total.filtered += table.filtered;
    total.copied += table.copied;
  }
  return total;
}
