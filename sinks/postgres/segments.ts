import type { Batch, Change, RowChange } from '../../core/contracts.ts';
import { type TableSchema, qualifiedName } from '../../core/table.ts';
import { isRowChange } from '../../core/transform.ts';
import { Folded, keyOf } from './fold.ts';

/** One table's row changes in one segment: folded where the table has a key, else as they came. */
export type Group =
  | { readonly table: TableSchema; readonly folded: Folded }
  | { readonly table: TableSchema; readonly changes: RowChange[] };

/** Rows that nothing else stands between, by table; a table is there once. */
interface Segment {
  readonly groups: readonly Group[];
}

/** A batch as runs of row changes, folded per table, and what stands between them, in order. Markers are left out. */
export function* segments({ changes, copying }: Batch): Generator<Segment | Exclude<Change, RowChange>> {
  let groups = new Map<string, Group>();
  let bySchema = new Map<TableSchema, Group>();
  const finish = function* (): Generator<Segment> {
    if (groups.size > 0) yield { groups: [...groups.values()] };
    groups = new Map();
    bySchema = new Map();
  };
  for (const change of changes) {
    if (change.kind === 'marker') continue;
    if (!isRowChange(change)) {
      yield* finish();
      yield change;
      continue;
    }
    const { table } = change;
    let group = bySchema.get(table);
    if (group === undefined) {
      const name = qualifiedName(table);
      if ((groups.get(name)?.table.fingerprint ?? table.fingerprint) !== table.fingerprint) yield* finish();
      group = groups.get(name) ?? newGroup(table, copying.has(table.origin));
      groups.set(name, group);
      bySchema.set(table, group);
    }
    if ('folded' in group) group.folded.add(change);
    else group.changes.push(change);
  }
  yield* finish();
}

function newGroup(table: TableSchema, copying: boolean): Group {
  const key = keyOf(table);
  return key === null ? { table, changes: [] } : { table, folded: new Folded(table, key, copying) };
}
