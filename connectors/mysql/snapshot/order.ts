import { reachedFrom, type ForeignKey } from '../../../core/foreign-key.ts';
import type { TableSchema } from '../../../core/table.ts';

/** Whether rows of the table can refer to other rows of it, over any number of keys: then it is read at one moment. */
export function isCircular(keys: readonly ForeignKey[], origin: string): boolean {
  return reachedFrom(keys, origin).has(origin);
}

/**
 * Tables in copy whose updates touch only rows that are there. Not those whose rows a cascade may take away: a cascade that a chunk shows already takes, when it
 * is done again, a row that came to refer to what it is about only later, and the update that made it do so has to bring the row back.
 */
export function sparselyUpdated(keys: readonly ForeignKey[], copied: Iterable<TableSchema>): Set<string> {
  const isChild = (origin: string): boolean => keys.some(({ child }) => child.origin === origin);
  const found = new Set<string>();
  for (const { origin, key } of copied) if (key.length === 0 || !isChild(origin)) found.add(origin);
  return found;
}

/**
 * Whether a table's copy must not begin yet: a table on the way to it is being copied, so that what goes over that one would be missed. Tables in
 * one circle do not wait for each other.
 */
export function waitsForOthers(keys: readonly ForeignKey[], origin: string, copied: Iterable<string>): boolean {
  if (!keys.some(({ child }) => child.origin === origin)) return false;
  const ahead = reachedFrom(keys, origin);
  for (const other of copied) {
    if (other === origin || ahead.has(other) || !reachedFrom(keys, other).has(origin)) continue;
    if (keys.some(({ child }) => child.origin === other)) return true;
  }
  return false;
}
