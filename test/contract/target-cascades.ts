import { expect, it } from 'vitest';
import { cascadesOf } from '../../core/cascade.ts';
import type { Change, RowChange, Values } from '../../core/contracts.ts';
import type { ForeignKey } from '../../core/foreign-key.ts';
import type { TableSchema } from '../../core/table.ts';
import { Transforms } from '../../core/transform.ts';
import { batch, column, insert, int, part, remove, stream, table, text, update } from './changes.ts';
import type { TargetHarness } from './harness.ts';
import { never, openScene, type Scene } from './scene.ts';

type Actions = Partial<Pick<ForeignKey, 'onDelete' | 'onUpdate'>>;

/** `from` refers by these columns to those of `to`. */
function refers(
  from: TableSchema,
  columns: number[],
  to: TableSchema,
  references: number[],
  actions: Actions,
): ForeignKey {
  const name = `${from.name}_${to.name}_${columns.join('_')}`;
  return { name, child: from, columns, parent: to, references, onDelete: 'none', onUpdate: 'none', ...actions };
}

/** The changes, each with what it does by foreign keys behind it, as a target gets them. */
function following(keys: readonly ForeignKey[], ...changes: readonly RowChange[]): readonly Change[] {
  const all = changes.flatMap((change): Change[] => [change, ...cascadesOf(change, keys)]);
  return new Transforms([]).batch(part(all)).batch.changes;
}

const cascade = { onDelete: 'cascade', onUpdate: 'cascade' } as const;

function family(scene: Scene): { a: TableSchema; b: TableSchema; c: TableSchema } {
  const a = table(scene.name(), [column('id', int), column('v', text)], ['id']);
  const b = table(scene.name(), [column('id', int), column('a_id', int)], ['id']);
  const c = table(scene.name(), [column('id', int), column('b_id', int)], ['id']);
  return { a, b, c };
}

/** Registers what foreign keys do to rows that refer to others. */
export function registerCascadeTests(harness: TargetHarness): void {
  const expectRows = async (scene: Scene, t: TableSchema, rows: readonly Values[]): Promise<void> => {
    const shown = (all: readonly (readonly unknown[])[]): unknown[] => all.map((row) => row.slice(-t.columns.length));
    expect(shown(await scene.rows(t))).toEqual(shown(scene.expected(t, rows)));
  };

  it.each([1, 1500])('deletes what refers to %i deleted rows, three levels deep, and nothing else', async (count) => {
    const scene = openScene(harness);
    const { a, b, c } = family(scene);
    const keys = [refers(b, [1], a, [0], cascade), refers(c, [1], b, [0], cascade)];
    const target = await scene.open(a, b, c);
    const ids = Array.from({ length: count }, (_, id) => id);
    const all = [...ids, 9001];
    await scene.apply(
      target,
      all.flatMap((id) => [insert(a, [id, 'x']), insert(b, [id, id]), insert(c, [id, id])]),
    );
    await scene.apply(target, [insert(b, [9002, null]), insert(c, [9002, 9002]), insert(c, [9003, null])]);
    await scene.apply(target, following(keys, ...ids.map((id) => remove(a, [id, 'x']))));
    await expectRows(scene, a, [[9001, 'x']]);
    await expectRows(scene, b, [
      [9001, 9001],
      [9002, null],
    ]);
    await expectRows(scene, c, [
      [9001, 9001],
      [9002, 9002],
      [9003, null],
    ]);
  });

  it('sets to NULL what refers to a deleted row, below a cascade too', async () => {
    const scene = openScene(harness);
    const { a, b, c } = family(scene);
    const keys = [refers(b, [1], a, [0], cascade), refers(c, [1], b, [0], { onDelete: 'set-null' })];
    const target = await scene.open(a, b, c);
    const rows = [1, 2].flatMap((id) => [insert(a, [id, 'x']), insert(b, [id, id]), insert(c, [id, id])]);
    await scene.apply(target, rows);
    await scene.apply(target, following(keys, remove(a, [1, 'x'])));
    await expectRows(scene, b, [[2, 2]]);
    await expectRows(scene, c, [
      [1, null],
      [2, 2],
    ]);
  });

  it('gives referring rows the new key, also where it is a part of theirs', async () => {
    const scene = openScene(harness);
    const { a } = family(scene);
    const line = table(scene.name(), [column('a_id', int), column('n', int), column('v', text)], ['a_id', 'n']);
    const note = table(scene.name(), [column('id', int), column('n', int), column('a_id', int)], ['id']);
    const keys = [refers(line, [0], a, [0], cascade), refers(note, [2, 1], line, [0, 1], cascade)];
    const target = await scene.open(a, line, note);
    const rows = [1, 2].flatMap((id) => [insert(a, [id, 'x']), insert(line, [id, 7, 'l']), insert(note, [id, 7, id])]);
    await scene.apply(target, [...rows, insert(note, [3, null, 1])]);
    await scene.apply(target, following(keys, update(a, [1, 'x'], [5, 'y'])));
    await expectRows(scene, a, [
      [2, 'x'],
      [5, 'y'],
    ]);
    await expectRows(scene, line, [
      [2, 7, 'l'],
      [5, 7, 'l'],
    ]);
    await expectRows(scene, note, [
      [1, 7, 5],
      [2, 7, 2],
      [3, null, 1],
    ]);
    await scene.apply(target, following(keys, remove(a, [5, 'y'])));
    await expectRows(scene, line, [[2, 7, 'l']]);
    await expectRows(scene, note, [
      [2, 7, 2],
      [3, null, 1],
    ]);
  });

  it('keeps keys apart that take the place of each other', async () => {
    const scene = openScene(harness);
    const { a, b } = family(scene);
    const keys = [refers(b, [1], a, [0], cascade)];
    const target = await scene.open(a, b);
    await scene.apply(
      target,
      [1, 2].flatMap((id) => [insert(a, [id, 'x']), insert(b, [id, id])]),
    );
    const swap = [update(a, [1, 'x'], [9, 'x']), update(a, [2, 'x'], [1, 'x']), update(a, [9, 'x'], [2, 'x'])];
    await scene.apply(target, following(keys, ...swap));
    await expectRows(scene, b, [
      [1, 2],
      [2, 1],
    ]);
  });

  it('follows a tree in one table and a circle of two', async () => {
    const scene = openScene(harness);
    const { a: root, b: tree, c } = family(scene);
    const other = table(scene.name(), [column('id', int), column('c_id', int)], ['id']);
    const keys = [
      refers(tree, [1], tree, [0], cascade),
      refers(c, [1], other, [0], cascade),
      refers(other, [1], c, [0], cascade),
    ];
    const target = await scene.open(root, tree, c, other);
    await scene.apply(target, [
      ...[
        [1, null],
        [2, 1],
        [3, 2],
        [4, 3],
        [5, null],
      ].map((row) => insert(tree, row)),
      ...[
        [1, 1],
        [2, 2],
        [3, 3],
      ].map((row) => insert(c, row)),
      ...[
        [1, 2],
        [2, 1],
        [3, 3],
      ].map((row) => insert(other, row)),
    ]);
    await scene.apply(target, following(keys, remove(tree, [1, null]), remove(c, [1, 1])));
    await expectRows(scene, tree, [[5, null]]);
    await expectRows(scene, c, [[3, 3]]);
    await expectRows(scene, other, [[3, 3]]);
  });

  it('finds the rows that came before it in its batch and none that came after', async () => {
    const scene = openScene(harness);
    const { a, b } = family(scene);
    const keys = [refers(b, [1], a, [0], cascade)];
    const target = await scene.open(a, b);
    const first = [insert(a, [1, 'x']), insert(b, [10, 1]), insert(b, [11, 2]), update(b, [11, 2], [11, 1])];
    const again = [remove(a, [1, 'x']), insert(a, [1, 'y']), insert(b, [12, 1])];
    const changes = following(keys, ...first, ...again);
    await scene.apply(target, changes);
    await expectRows(scene, a, [[1, 'y']]);
    await expectRows(scene, b, [[12, 1]]);
    await scene.apply(target, changes);
    await expectRows(scene, b, [[12, 1]]);
  });

  it('follows a part of a large transaction, and a table without a key', async () => {
    const scene = openScene(harness);
    const { a } = family(scene);
    const log = table(scene.name(), [column('a_id', int), column('v', text)], []);
    const keys = [refers(log, [0], a, [0], { onDelete: 'cascade', onUpdate: 'set-null' })];
    const target = await scene.open(a, log);
    const rows = [insert(log, [1, 'l']), insert(log, [1, 'l']), insert(log, [2, 'm']), insert(log, [3, 'n'])];
    await scene.apply(target, [...[1, 2, 3].map((id) => insert(a, [id, 'x'])), ...rows]);
    await target.apply(stream, part(following(keys, remove(a, [1, 'x']))), never);
    await target.apply(stream, batch(following(keys, update(a, [2, 'x'], [4, 'x'])), 'end'), never);
    await expectRows(scene, log, [
      [null, 'm'],
      [3, 'n'],
    ]);
  });
}
