import type { Cascade, RowChange } from './contracts.ts';
import type { ForeignKey, KeyAction } from './foreign-key.ts';
import { valueAt, type Row, type Value, type Values } from './row.ts';

/** What a row's change does by foreign keys at once, in the order in which the source follows them; targets go on from there. */
export function cascadesOf(change: RowChange, keys: readonly ForeignKey[]): Cascade[] {
  const { before, after, table, at } = change;
  if (before === null) return [];
  const found: Cascade[] = [];
  for (const key of keys) {
    const action = after === null ? key.onDelete : key.onUpdate;
    if (action === 'none' || key.parent.origin !== table.origin) continue;
    const old = valuesAt(before, key.references);
    const now = after && valuesAt(after, key.references);
    if (now !== null && textOf(old) === textOf(now)) continue;
    const rows = referring(action, old, now);
    if (rows !== null) found.push({ kind: 'cascade', table: key.child, columns: key.columns, rows: [rows], keys, at });
  }
  return found;
}

/** The rows that refer to `old`, and what becomes of them; null where none can. */
export function referring<V>(
  action: KeyAction,
  old: readonly V[],
  now: readonly V[] | null,
): { before: readonly V[]; after: readonly (V | null)[] | null } | null {
  if (action === 'none' || old.includes(null as V)) return null;
  return { before: old, after: action === 'set-null' ? old.map(() => null) : now };
}

export function valuesAt(row: Row, columns: readonly number[]): Values {
  return columns.map((index) => valueAt(row, index));
}

/** Whether rows are deleted, and not changed. */
export function deletes({ rows }: { readonly rows: readonly { readonly after: unknown }[] }): boolean {
  return rows[0]?.after === null;
}

/** Whether rows get other values than NULL: then they can come to refer to something else. */
export function setsValues({ rows }: Pick<Cascade, 'rows'>): boolean {
  return rows.some(({ after }) => after?.some((value) => value !== null) === true);
}

/** Equal for equal values of equal types, and for no others. */
export function textOf(values: Values): string {
  return values.map(partOf).join('');
}

function partOf(value: Value): string {
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
  return value === null ? 'null;' : `${text.length}:${text};`;
}
