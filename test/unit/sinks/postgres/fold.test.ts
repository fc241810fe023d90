import { array, assert, nat, property, tuple } from 'fast-check';
import { expect, it } from 'vitest';
import { valueAt, valuesOf } from '../../../../core/row.ts';
import type { Values, RowChange } from '../../../../core/contracts.ts';
import type { ColumnType } from '../../../../core/table.ts';
import { Folded, keyOf } from '../../../../sinks/postgres/fold.ts';
import { column, insert, int, remove, table, update } from '../../../contract/changes.ts';

const t = table('t', [column('id', int), column('v', int)], ['id']);
const key = keyOf(t) ?? ((): number => 0);

type State = Map<number, number>;

/** A change that the source could have made to the state, and the state after it. */
function step(state: State, [kind, a, b, v]: readonly [number, number, number, number]): RowChange | null {
  const old = state.get(a);
  if (old === undefined) {
    state.set(a, v);
    return insert(t, [a, v]);
  }
  if (kind === 0) {
    state.delete(a);
    return remove(t, [a, old]);
  }
  if (a !== b && state.has(b)) return null;
  state.delete(a);
  state.set(b, v);
  return update(t, [a, old], [kind === 1 ? a : b, v]);
}

const steps = array(tuple(nat(2), nat(4), nat(4), nat(99)), { maxLength: 30 });

function put(state: State, row: Values): void {
  state.set(Number(row[0]), Number(row[1]));
}

it('leaves what the changes leave one by one', () => {
  assert(
    property(steps, steps, (first, then) => {
      const source: State = new Map();
      for (const [, a, b, v] of first) step(source, [0, a, b, v]);
      const target: State = new Map(source);
      const folded = new Folded(t, key, false);
      for (const [kind, a, b, v] of then) {
        const change = step(source, [kind, a, kind === 1 ? a : b, v]);
        if (change !== null) folded.add(change);
      }
      for (const { before } of folded.deletes.values()) target.delete(Number(before && valueAt(before, 0)));
      for (const [id, { after }] of folded.inserts) {
        expect(target.has(Number(id))).toBe(false);
        if (after !== null) put(target, valuesOf(after));
      }
      for (const { after } of folded.upserts.values()) if (after !== null) put(target, valuesOf(after));
      expect(folded.updates.size).toBe(0);
      expect(target).toEqual(source);
    }),
  );
});

it('knows of rows that were not there before', () => {
  const folded = new Folded(t, key, false);
  const changes = [
    insert(t, [1, 0]),
    update(t, [1, 0], [1, 1]),
    insert(t, [2, 0]),
    remove(t, [2, 0]),
    remove(t, [3, 0]),
    insert(t, [3, 1]),
    insert(t, [4, 0]),
    update(t, [4, 0], [5, 0]),
  ];
  for (const change of changes) folded.add(change);
  expect([...folded.inserts.keys()]).toEqual([1]);
  expect([...folded.upserts.keys()]).toEqual([3, 5]);
  expect([...folded.deletes.keys()]).toEqual([2, 4]);
});

it('keeps updates of rows that may not be there apart while a table is copied', () => {
  const folded = new Folded(t, key, true);
  const changes = [
    update(t, [1, 0], [1, 1]),
    insert(t, [2, 0]),
    update(t, [2, 0], [2, 1]),
    remove(t, [3, 0]),
    update(t, [4, 0], [5, 0]),
  ];
  for (const change of changes) folded.add(change);
  expect([...folded.updates.keys()]).toEqual([1]);
  expect([...folded.upserts.keys()]).toEqual([2, 5]);
  expect(folded.inserts.size).toBe(0);
  expect([...folded.deletes.keys()]).toEqual([3, 4]);
});

it('tells keys of several columns and of bytes apart', () => {
  const blob: ColumnType = { kind: 'varbinary', length: 9 };
  const pair = keyOf(table('p', [column('a', { kind: 'text' }), column('b', blob)], ['a', 'b']));
  const rows: Values[] = [
    ['a', Uint8Array.of(49, 58)],
    ['a1:', Uint8Array.of()],
    ['', Uint8Array.of(97, 49, 58)],
    ['a', Uint8Array.of(0)],
    ['a', Uint8Array.of(0xc3, 0xa1)],
    ['a', Uint8Array.of(0xe1)],
  ];
  expect(new Set(rows.map((row) => pair?.(row))).size).toBe(rows.length);
  expect(pair?.(['a', Uint8Array.of(1)])).toBe(pair?.(['a', Uint8Array.of(1)]));
});
