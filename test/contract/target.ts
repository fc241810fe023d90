import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, Values } from '../../core/contracts.ts';
import type { TableSchema } from '../../core/table.ts';
import { alter, batch, column, insert, int, remove, stream, table, text, truncate, update } from './changes.ts';
import { registerCascadeTests } from './target-cascades.ts';
import { registerCheckpointTests } from './target-checkpoints.ts';
import { never, openScene, simple } from './scene.ts';
import { registerCopyTests, registerPartTests } from './target-lanes.ts';
import { registerTypeTests } from './target-types.ts';
import type { TargetHarness } from './harness.ts';

export type { TargetHarness } from './harness.ts';

/** Registers the tests that every target passes. */
export function registerTargetTests(harness: TargetHarness): void {
  describe(`${harness.name} keeps the target contract`, () => {
    beforeAll(() => harness.start());
    afterAll(() => harness.stop());
    registerRowTests(harness);
    registerFoldTests(harness);
    registerCopyTests(harness);
    registerPartTests(harness);
    registerCascadeTests(harness);
    registerSchemaTests(harness);
    registerCheckpointTests(harness);
    registerTypeTests(harness);
  });
}

function registerRowTests(harness: TargetHarness): void {
  it('applies inserts, updates and deletes', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    await scene.apply(target, [insert(t, [1, 'a']), insert(t, [2, 'b']), insert(t, [3, 'c'])]);
    await scene.apply(target, [update(t, [1, 'a'], [1, 'A']), remove(t, [2, 'b']), update(t, [3, 'c'], [3, null])]);
    expect(await scene.rows(t)).toEqual(
      scene.expected(t, [
        [1, 'A'],
        [3, null],
      ]),
    );
  });

  it('gives the same when a batch is applied again', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const changes = [insert(t, [1, 'a']), update(t, [1, 'a'], [2, 'a']), insert(t, [3, 'c']), remove(t, [3, 'c'])];
    await scene.apply(await scene.open(t), changes);
    await scene.apply(await scene.open(t), changes);
    expect(await scene.rows(t)).toEqual(scene.expected(t, [[2, 'a']]));
  });

  it('tells composite keys apart', async () => {
    const scene = openScene(harness);
    const t = table(scene.name(), [column('a', text), column('n', int), column('b', text)], ['a', 'b']);
    const target = await scene.open(t);
    await scene.apply(target, [insert(t, ['x', 1, 'yz']), insert(t, ['xy', 2, 'z']), insert(t, ['', 3, 'xyz'])]);
    await scene.apply(target, [remove(t, ['x', 1, 'yz']), update(t, ['xy', 2, 'z'], ['xy', 4, 'z'])]);
    expect(await scene.rows(t)).toEqual(
      scene.expected(t, [
        ['xy', 4, 'z'],
        ['', 3, 'xyz'],
      ]),
    );
  });

  it('keeps every character of a text', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const texts = [
      '',
      ' a ',
      "o'clock",
      '"q"',
      'back\\slash',
      '\\N',
      '\\.',
      '\\x41',
      'tab\t',
      'nl\n',
      'cr\r\n',
      '{a,b}',
      '$1',
      '%',
    ];
    const more = [
      'žluť',
      '日本語',
      '🙂',
      '\u0001\u0008\u000b\u007f',
      '\u2028',
      'NULL',
      'null',
      '\ufeffbom',
      'é',
      'e\u0301',
    ];
    const rows = [...texts, ...more].map((value, id): Values => [id, value]);
    const target = await scene.open(t);
    await scene.apply(
      target,
      rows.map((row) => insert(t, row)),
    );
    expect(await scene.rows(t)).toEqual(scene.expected(t, rows));
    const large = rows.flatMap(([, value], i): Values[] =>
      Array.from({ length: 20 }, (_, n) => [i * 100 + n, value ?? null]),
    );
    await scene.apply(target, [truncate(t), ...large.map((row) => insert(t, row))]);
    expect(await scene.rows(t)).toEqual(scene.expected(t, large));
  });

  it('tells keys apart that only differ in case, accents or spaces', async () => {
    const scene = openScene(harness);
    const t = table(scene.name(), [column('id', text), column('v', int)], ['id']);
    const rows: Values[] = [
      ['a', 1],
      ['A', 2],
      ['á', 3],
      ['a ', 4],
      [' a', 5],
    ];
    await scene.apply(
      await scene.open(t),
      rows.map((row) => insert(t, row)),
    );
    expect(await scene.rows(t)).toEqual(scene.expected(t, rows));
  });

  it('applies a large batch as it applies a small one', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    const row = (id: number): Values => [id, `row ${String(id)}`];
    const ids = Array.from({ length: 3000 }, (_, id) => id);
    await scene.apply(
      target,
      ids.map((id) => insert(t, row(id))),
    );
    const changes = ids.map((id) => (id % 3 === 0 ? remove(t, row(id)) : update(t, row(id), [id, 'new'])));
    await scene.apply(target, changes);
    expect(await scene.rows(t)).toEqual(
      scene.expected(
        t,
        ids.filter((id) => id % 3 !== 0).map((id) => [id, 'new']),
      ),
    );
  });

  it('applies changes of several tables in one batch', async () => {
    const scene = openScene(harness);
    const [a, b] = [simple(scene), simple(scene)];
    const target = await scene.open(a, b);
    await scene.apply(target, [insert(a, [1, 'a']), insert(b, [1, 'b']), update(a, [1, 'a'], [1, 'c'])]);
    expect(await scene.rows(a)).toEqual(scene.expected(a, [[1, 'c']]));
    expect(await scene.rows(b)).toEqual(scene.expected(b, [[1, 'b']]));
  });

  it('applies nothing once the signal has aborted', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    const gone = AbortSignal.abort(new Error('stopped'));
    await expect(target.apply(stream, batch([insert(t, [1, 'a'])], 'x'), gone)).rejects.toThrow('stopped');
    expect(await scene.rows(t)).toEqual(scene.expected(t, []));
  });
}

function registerFoldTests(harness: TargetHarness): void {
  /** Applies the changes once as a small batch and once as part of a large one. */
  const folds = (title: string, start: Values[], changes: (t: TableSchema) => Change[], end: Values[]): void => {
    it.each([0, 500])(`${title} (among %i other rows)`, async (others) => {
      const scene = openScene(harness);
      const t = simple(scene);
      const target = await scene.open(t);
      const rest = Array.from({ length: others }, (_, i): Values => [1000 + i, 'other']);
      await scene.apply(
        target,
        start.map((row) => insert(t, row)),
      );
      await scene.apply(target, [...changes(t), ...rest.map((row) => insert(t, row))]);
      expect(await scene.rows(t)).toEqual(scene.expected(t, [...end, ...rest]));
    });
  };
  folds(
    'keeps the last of several changes of a key',
    [],
    (t) => [insert(t, [1, 'a']), update(t, [1, 'a'], [1, 'b']), update(t, [1, 'b'], [1, 'c'])],
    [[1, 'c']],
  );
  folds(
    'keeps a row that was deleted and inserted again',
    [[1, 'a']],
    (t) => [remove(t, [1, 'a']), insert(t, [1, 'b'])],
    [[1, 'b']],
  );
  folds(
    'leaves nothing of a row that was inserted and deleted',
    [],
    (t) => [insert(t, [1, 'a']), remove(t, [1, 'a'])],
    [],
  );
  folds('moves a row to a new key', [[1, 'a']], (t) => [update(t, [1, 'a'], [2, 'a'])], [[2, 'a']]);
  folds(
    'moves a chain of keys',
    [
      [1, 'a'],
      [2, 'b'],
    ],
    (t) => [update(t, [2, 'b'], [3, 'b']), update(t, [1, 'a'], [2, 'a'])],
    [
      [2, 'a'],
      [3, 'b'],
    ],
  );
  folds(
    'swaps two keys',
    [
      [1, 'a'],
      [2, 'b'],
    ],
    (t) => [update(t, [1, 'a'], [9, 'a']), update(t, [2, 'b'], [1, 'b']), update(t, [9, 'a'], [2, 'a'])],
    [
      [1, 'b'],
      [2, 'a'],
    ],
  );
  folds(
    'moves a row and inserts at its old key',
    [[1, 'a']],
    (t) => [update(t, [1, 'a'], [2, 'a']), insert(t, [1, 'new'])],
    [
      [1, 'new'],
      [2, 'a'],
    ],
  );
  folds(
    'moves a row there and back',
    [[1, 'a']],
    (t) => [update(t, [1, 'a'], [2, 'a']), update(t, [2, 'a'], [1, 'b'])],
    [[1, 'b']],
  );
  folds('empties a table in the middle', [[1, 'a']], (t) => [insert(t, [2, 'b']), truncate(t), insert(t, [3, 'c'])], [
    [3, 'c'],
  ]);
}

function registerSchemaTests(harness: TargetHarness): void {
  it('prepares again without harm', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    await scene.apply(target, [insert(t, [1, 'a'])]);
    await target.prepare([t], never);
    await scene.open(t);
    expect(await scene.rows(t)).toEqual(scene.expected(t, [[1, 'a']]));
  });

  it('follows a table that gets a column', async () => {
    const scene = openScene(harness);
    const name = scene.name();
    const before = table(name, [column('id', int), column('v', text)], ['id']);
    const after = table(name, [column('id', int), column('w', int), column('v', text)], ['id']);
    const target = await scene.open(before);
    await scene.apply(target, [insert(before, [1, 'a']), alter(before, after), insert(after, [2, 5, 'b'])]);
    await scene.apply(target, [update(after, [1, null, 'a'], [1, 7, 'a'])]);
    expect(await scene.rows(after)).toEqual(
      scene.expected(after, [
        [1, 7, 'a'],
        [2, 5, 'b'],
      ]),
    );
  });

  it('follows a table that is created and one that is dropped', async () => {
    const scene = openScene(harness);
    const [first, second] = [simple(scene), simple(scene)];
    const target = await scene.open(first);
    await scene.apply(target, [insert(first, [1, 'a']), alter(null, second), insert(second, [2, 'b'])]);
    expect(await scene.rows(second)).toEqual(scene.expected(second, [[2, 'b']]));
    await scene.apply(target, [alter(second, null), alter(null, second), insert(second, [3, 'c'])]);
    expect(await scene.rows(second)).toEqual(scene.expected(second, [[3, 'c']]));
  });
}
