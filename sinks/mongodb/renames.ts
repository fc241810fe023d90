import type { TableSchema } from '../../core/table.ts';

/**
 * The columns that have only a new name: as many columns as before, and at an old one's place a name that is new. A source tells every
 * new name by a change of its own, so nothing else can look like that.
 */
export function renamedColumns(before: TableSchema, after: TableSchema): ReadonlyMap<string, string> {
  const renamed = new Map<string, string>();
  if (before.columns.length !== after.columns.length) return renamed;
  const old = new Set(before.columns.map(({ name }) => name));
  const now = new Set(after.columns.map(({ name }) => name));
  for (const [index, { name: from }] of before.columns.entries()) {
    const to = after.columns[index]?.name;
    if (to !== undefined && !now.has(from) && !old.has(to)) renamed.set(from, to);
  }
  return renamed;
}
