import type { TableSchema } from './table.ts';

/** What becomes of referring rows when the row they refer to goes, or gets another key. `none`: the source refuses that. */
export type KeyAction = 'cascade' | 'set-null' | 'none';

/** A foreign key that changes rows without anybody asking for it. Rows refer to another by equal values, none of them NULL. */
export interface ForeignKey {
  /** The constraint's name at the source. */
  readonly name: string;
  readonly child: TableSchema;
  /** Indexes into the child's columns. */
  readonly columns: readonly number[];
  readonly parent: TableSchema;
  /** Indexes into the parent's columns, one for each of `columns`. */
  readonly references: readonly number[];
  readonly onDelete: KeyAction;
  readonly onUpdate: KeyAction;
}

/** The keys by which rows of the table take others along, in the order in which the source follows them: rows that are deleted, or that get new values in `columns`. */
export function keysOnward(
  keys: readonly ForeignKey[],
  { origin }: TableSchema,
  columns: readonly number[],
  deleted: boolean,
): readonly ForeignKey[] {
  return keys.filter(({ parent, references, onDelete, onUpdate }) => {
    if (parent.origin !== origin) return false;
    return deleted ? onDelete !== 'none' : onUpdate !== 'none' && references.some((index) => columns.includes(index));
  });
}

const known = new WeakMap<readonly ForeignKey[], Map<string, ReadonlySet<string>>>();

/** The origins of all tables in which a change of a row of the table may change rows, over any number of keys; not the table itself unless it is in a circle. */
export function reachedFrom(keys: readonly ForeignKey[], origin: string): ReadonlySet<string> {
  let byOrigin = known.get(keys);
  if (byOrigin === undefined) known.set(keys, (byOrigin = new Map()));
  const before = byOrigin.get(origin);
  if (before !== undefined) return before;
  const reached = new Set<string>();
  const waiting = [origin];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const { parent, child } of keys) {
      if (parent.origin !== at || reached.has(child.origin)) continue;
      reached.add(child.origin);
      waiting.push(child.origin);
    }
  }
  byOrigin.set(origin, reached);
  return reached;
}

/** The same as tables, each of them once. */
export function tablesReached(keys: readonly ForeignKey[], origin: string): TableSchema[] {
  const reached = reachedFrom(keys, origin);
  const tables = keys.flatMap(({ child }) => (reached.has(child.origin) ? [[child.origin, child] as const] : []));
  return [...new Map(tables).values()];
}
