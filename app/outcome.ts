import type { IndexProgress, Progress } from '../core/progress.ts';

/** What became of one table's rows (G5): read = applied + filtered + dead letters. */
export interface TableCounts {
  readonly read: number;
  readonly applied: number;
  readonly filtered: number;
  /** Those of `read` that the copy brought, not the stream. */
  readonly copied: number;
  /** Changes that were set aside, and why, by the code of the error. */
  readonly deadLetters: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** Values that a policy changed because the target cannot hold them. */
  readonly changed: Readonly<Record<string, number>>;
}

/** Counts of one table, and its secondary indexes where they were made. */
export interface TableOutcome extends TableCounts {
  readonly indexes: Readonly<IndexProgress> | null;
}

/** Per table of the source, in order of name. */
export function countsOf(progress: Progress): Record<string, TableOutcome> {
  const tables = [...progress.tables].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    tables.map(([origin, { read, applied, filtered, copied, deadLetters, reasons, changed, indexes }]) => [
      origin,
      { read, applied, filtered, copied, deadLetters, reasons, changed, indexes },
    ]),
  );
}

export function totalOf(progress: Progress): TableCounts {
  const total = { read: 0, applied: 0, filtered: 0, copied: 0, deadLetters: 0 };
  const reasons: Record<string, number> = {};
  const changed: Record<string, number> = {};
  for (const table of progress.tables.values()) {
    total.read += table.read;
    total.applied += table.applied;
    total.filtered += table.filtered;
    total.copied += table.copied;
    total.deadLetters += table.deadLetters;
    addTo(reasons, table.reasons);
    addTo(changed, table.changed);
  }
  return { ...total, reasons, changed };
}

function addTo(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}
