import type { Change, RowChange, Values } from '../../core/contracts.ts';
import { isRowChange } from '../../core/transform.ts';
import { valuesOf } from '../../core/row.ts';

/** A change whose rows are values. */
export type PlainChange =
  | Exclude<Change, RowChange>
  | (Omit<Extract<RowChange, { kind: 'read' | 'insert' }>, 'after'> & { readonly after: Values })
  | (Omit<Extract<RowChange, { kind: 'update' }>, 'before' | 'after'> & {
      readonly before: Values;
      readonly after: Values;
    })
  | (Omit<Extract<RowChange, { kind: 'delete' }>, 'before'> & { readonly before: Values });

/** The change with its rows as values, to be looked at and compared. */
export function plain(change: Change): PlainChange {
  if (!isRowChange(change)) return change;
  if (change.kind === 'update') return { ...change, before: valuesOf(change.before), after: valuesOf(change.after) };
  if (change.kind === 'delete') return { ...change, before: valuesOf(change.before) };
  return { ...change, after: valuesOf(change.after) };
}
