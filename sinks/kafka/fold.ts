import type { Row, RowChange } from '../../core/contracts.ts';
import { type DeadLetter, keyName, keyTextOf } from '../../core/dead-letter.ts';

/** What the changes made of one key: what was there before the first of them, and what is there after the last. */
interface Folded {
  readonly before: Row | null;
  after: Row | null;
  last: RowChange;
}

/** What letters come to, at most one change per key; null for a table without a key, whose rows are not told apart. */
export function folded(letters: readonly DeadLetter[]): readonly RowChange[] | null {
  const byKey = new Map<string, Folded>();
  for (const { origin, change } of letters) {
    if (change.table.key.length === 0) return null;
    const keyText = keyTextOf(change.table);
    const touch = (row: Row, before: Row | null, after: Row | null): void => {
      const name = keyName(origin, keyText(row));
      const known = byKey.get(name);
      if (known === undefined) byKey.set(name, { before, after, last: change });
      else Object.assign(known, { after, last: change });
    };
    if (change.before !== null) touch(change.before, change.before, null);
    if (change.after !== null) touch(change.after, null, change.after);
  }
  return [...byKey.values()].flatMap((one) => changeOf(one) ?? []);
}

function changeOf({ before, after, last: { kind, table, at } }: Folded): RowChange | null {
  if (before !== null && after !== null) return { kind: 'update', table, before, after, at };
  if (before !== null) return { kind: 'delete', table, before, after: null, at };
  return after === null ? null : { kind: kind === 'read' ? 'read' : 'insert', table, before: null, after, at };
}
