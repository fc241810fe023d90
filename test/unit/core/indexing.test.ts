import { expect, test, vi } from 'vitest';
import { LockstepError } from '../../../core/errors.ts';
import { Indexing } from '../../../core/indexing.ts';
import { Progress } from '../../../core/progress.ts';
import { indexEntry, type IndexedTable, type LostIndex, type SecondaryIndex } from '../../../core/secondary-index.ts';
import { Transforms } from '../../../core/transform.ts';
import { checkpoint, MemorySource, MemoryTarget } from './memory.ts';
import { orders, table } from './tables.ts';

const index: SecondaryIndex = {
  name: 'by_status',
  kind: 'ordered',
  parts: [{ column: 1, length: null, descending: false }],
};

/** A target that makes indexes as it is told to. */
class IndexedTarget extends MemoryTarget {
  readonly asked: string[] = [];
  work: (origin: string) => Promise<readonly LostIndex[]> = () => Promise.resolve([]);

  async createIndexes({ table }: IndexedTable, onMade: () => void): Promise<readonly LostIndex[]> {
    this.asked.push(table.origin);
    const lost = await this.work(table.origin);
    onMade();
    return lost;
  }
}

function scene(...origins: string[]) {
  const target = new IndexedTarget();
  const source = Object.assign(new MemorySource({}), {
    indexes: async (wanted: readonly string[]) => {
      await Promise.resolve();
      const known = wanted.filter((origin) => origins.includes(origin));
      return new Map(known.map((origin) => [origin, { table: table(origin, orders.columns), indexes: [index] }]));
    },
  });
  const progress = new Progress();
  const fail = vi.fn<(error: unknown) => void>();
  const stop = new AbortController();
  const parts = { source, target, transforms: new Transforms([]), progress, signal: stop.signal, fail };
  const want = (origin: string): void => {
    const name = indexEntry();
    target.entries.set(name, origin);
    indexing.applied(checkpoint({ [name]: origin }));
  };
  const indexing = new Indexing(parts);
  return { indexing, target, progress, fail, stop, want };
}

const busy = (message = 'not now'): LockstepError => new LockstepError('TARGET_BUSY', message);

test('makes what was asked for before, and while it works, and drops the entries', async () => {
  const { indexing, target, progress, fail, want } = scene('shop.a', 'shop.b', 'shop.c');
  target.entries.set(indexEntry(), 'shop.a');
  target.work = async (origin) => {
    if (origin === 'shop.a') want('shop.b');
    return await Promise.resolve([{ name: 'words', reason: 'no' }]);
  };
  indexing.ask();
  want('shop.c');
  await indexing.settled();
  expect(target.asked.toSorted()).toEqual(expect.arrayContaining(['shop.a', 'shop.b', 'shop.c']));
  expect(target.entries).toEqual(new Map());
  expect(progress.table('shop.b').indexes).toEqual({
    made: 1,
    wanted: 1,
    lost: [{ name: 'words', reason: 'no' }],
    waits: null,
  });
  expect(fail).not.toHaveBeenCalled();
});

test('looks for nothing where a checkpoint tells of nothing', async () => {
  const { indexing, target } = scene('shop.a');
  indexing.applied(checkpoint({ stream: '1' }));
  await indexing.settled();
  expect(target.asked).toEqual([]);
});

test('tries again what fails for now, whatever the reason, and lets the others pass', async () => {
  const { indexing, target, progress, want } = scene('shop.a', 'shop.b');
  const errors = [busy(), new LockstepError('TARGET_AUTH', 'another password')];
  target.work = async (origin) => {
    const error = origin === 'shop.a' ? errors.shift() : undefined;
    if (error !== undefined) throw error;
    return await Promise.resolve([]);
  };
  want('shop.a');
  want('shop.b');
  await vi.waitFor(() => expect(progress.table('shop.b').indexes?.made).toBe(1));
  expect(progress.table('shop.a').indexes).toMatchObject({ made: 0, waits: expect.any(String) as string });
  await indexing.settled();
  expect(target.asked.filter((origin) => origin === 'shop.a')).toHaveLength(3);
  expect(target.entries.size).toBe(0);
});

test('leaves to the next run what cannot be made until the end', async () => {
  vi.useFakeTimers();
  try {
    const { indexing, target, progress, fail, want } = scene('shop.a');
    target.work = () => Promise.reject(busy());
    want('shop.a');
    const settled = indexing.settled();
    await vi.advanceTimersByTimeAsync(60_000);
    await settled;
    expect([...target.entries.values()]).toEqual(['shop.a']);
    expect(progress.table('shop.a').indexes?.lost).toEqual([
      { name: '*', reason: 'not now; the next run tries it again' },
    ]);
    expect(fail).not.toHaveBeenCalled();
  } finally {
    vi.useRealTimers();
  }
});

test('forgets tables that are not followed any more', async () => {
  const { indexing, target, progress, want } = scene();
  want('shop.gone');
  await indexing.settled();
  expect([target.asked, target.entries.size, progress.table('shop.gone').indexes]).toEqual([[], 0, null]);
});

test('ends when it is stopped, and is no failure then', async () => {
  const { indexing, target, fail, stop, want } = scene('shop.a');
  target.work = () => Promise.reject(busy());
  want('shop.a');
  await vi.waitFor(() => expect(target.asked).toHaveLength(1));
  stop.abort(new Error('stopped'));
  await indexing.settled();
  expect(fail.mock.calls.every(([error]) => error === stop.signal.reason)).toBe(true);
});

test('says what is a bug of ours', async () => {
  const { indexing, target, fail, want } = scene('shop.a');
  target.work = () => Promise.reject(new TypeError('oh'));
  want('shop.a');
  await indexing.settled();
  expect(fail).toHaveBeenCalledWith(expect.any(TypeError));
});
