import { expect, it } from 'vitest';
import type { Batch, Change, Checkpoint, Values } from '../../core/contracts.ts';
import type { TableSchema } from '../../core/table.ts';
import { batch, copy, insert, part, read, remove, stream, update } from './changes.ts';
import type { TargetHarness } from './harness.ts';
import { never, openScene, simple } from './scene.ts';

/** Registers the tests of snapshot chunks and of tables that are still being copied. */
export function registerCopyTests(harness: TargetHarness): void {
  const copying = (t: TableSchema): Partial<Batch> => ({ copying: new Set([t.origin]) });

  it('updates only rows that are there while a table is copied', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    await scene.apply(target, [insert(t, [1, 'a']), insert(t, [2, 'b'])]);
    const updates = [
      update(t, [1, 'a'], [1, 'A']),
      update(t, [7, 'x'], [7, 'y']),
      insert(t, [8, 'h']),
      update(t, [8, 'h'], [8, 'H']),
    ];
    await scene.apply(target, updates, copying(t));
    expect(await scene.rows(t)).toEqual(
      scene.expected(t, [
        [1, 'A'],
        [2, 'b'],
        [8, 'H'],
      ]),
    );
  });

  it('updates only rows that are there while a table is copied, in large batches too', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    await scene.apply(target, [insert(t, [1, 'a'])]);
    const missing = Array.from({ length: 500 }, (_, i) => update(t, [100 + i, 'x'], [100 + i, 'y']));
    await scene.apply(target, [...missing, update(t, [1, 'a'], [1, 'A'])], copying(t));
    expect(await scene.rows(t)).toEqual(scene.expected(t, [[1, 'A']]));
  });

  it('takes a key change as a delete and an insert while a table is copied', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    await scene.apply(target, [insert(t, [1, 'a'])]);
    await scene.apply(target, [update(t, [1, 'a'], [2, 'a']), update(t, [5, 'x'], [6, 'x'])], copying(t));
    expect(await scene.rows(t)).toEqual(
      scene.expected(t, [
        [2, 'a'],
        [6, 'x'],
      ]),
    );
  });

  it('copies rows, also where some are there already', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    const row = (id: number): Values => [id, `row ${String(id)}`];
    const ids = Array.from({ length: 600 }, (_, id) => id);
    const chunk = (from: number, to: number): Change[] => ids.slice(from, to).map((id) => read(t, row(id)));
    await target.apply(copy, { ...batch(chunk(0, 300), '1'), checkpoint: mark('copy/1') }, never);
    await scene.apply(target, [update(t, row(290), [290, 'old']), insert(t, [310, 'old'])]);
    await target.apply(copy, { ...batch(chunk(250, 600), '1'), checkpoint: mark('copy/2') }, never);
    expect(await scene.rows(t)).toEqual(scene.expected(t, ids.map(row)));
    expect(await target.load('copy/', never)).toEqual(
      new Map([
        ['copy/1', 'done'],
        ['copy/2', 'done'],
      ]),
    );
  });

  it('copies while the stream goes on in another lane', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const target = await scene.open(t);
    const chunk = (n: number): Change[] => Array.from({ length: 50 }, (_, i) => read(t, [n * 50 + i, 'copied']));
    const copied = Array.from({ length: 4 }, (_, n) =>
      target.apply(
        { name: `copy-${String(n)}`, kind: 'copy' },
        { ...part(chunk(n)), checkpoint: mark(`copy/${String(n)}`) },
        never,
      ),
    );
    await Promise.all([...copied, scene.apply(target, [insert(t, [1000, 'streamed'])])]);
    expect(await scene.rows(t)).toEqual(
      scene.expected(t, [...Array.from({ length: 200 }, (_, i): Values => [i, 'copied']), [1000, 'streamed']]),
    );
  });
}

function mark(name: string): Checkpoint {
  return { set: new Map([[name, 'done']]), drop: [] };
}

/** Registers the tests of large transactions that come in parts. */
export function registerPartTests(harness: TargetHarness): void {
  if (harness.hidesParts)
    it('shows nothing of a transaction before its last part', async () => {
      const scene = openScene(harness);
      const t = simple(scene);
      const target = await scene.open(t);
      await target.apply(stream, part([insert(t, [1, 'a'])]), never);
      await target.apply(stream, part([insert(t, [2, 'b']), remove(t, [1, 'a'])]), never);
      expect(await scene.rows(t)).toEqual(scene.expected(t, []));
      await scene.apply(target, [insert(t, [3, 'c'])]);
      expect(await scene.rows(t)).toEqual(
        scene.expected(t, [
          [2, 'b'],
          [3, 'c'],
        ]),
      );
    });

  if (harness.hidesParts)
    it('leaves nothing of a transaction whose last part never came', async () => {
      const scene = openScene(harness);
      const t = simple(scene);
      const target = await scene.open(t);
      await target.apply(stream, part([insert(t, [1, 'a'])]), never);
      await target.apply(copy, part([read(t, [2, 'b'])]), never);
      await target.close();
      await scene.apply(await scene.open(t), [insert(t, [3, 'c'])]);
      expect(await scene.rows(t)).toEqual(scene.expected(t, [[3, 'c']]));
    });

  it('gives the same when a transaction is cut after some parts and comes again', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const cut = await scene.open(t);
    await cut.apply(stream, part([insert(t, [1, 'a']), insert(t, [2, 'b'])]), never);
    await cut.apply(stream, part([update(t, [1, 'a'], [3, 'a'])]), never);
    await cut.close();
    const target = await scene.open(t);
    expect(await target.load('', never)).toEqual(new Map());
    await target.apply(stream, part([insert(t, [1, 'a']), insert(t, [2, 'b'])]), never);
    await target.apply(stream, part([update(t, [1, 'a'], [3, 'a'])]), never);
    await scene.apply(target, [remove(t, [2, 'b'])]);
    expect(await scene.rows(t)).toEqual(scene.expected(t, [[3, 'a']]));
  });
}
