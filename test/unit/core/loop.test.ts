import { valueAt } from '../../../core/row.ts';
import { describe, expect, test } from 'vitest';
import type { Barrier, Batch } from '../../../core/contracts.ts';
import { runLoop } from '../../../core/loop.ts';
import { Memory } from '../../../core/memory.ts';
import { Progress } from '../../../core/progress.ts';
import { Transforms } from '../../../core/transform.ts';
import { batch, checkpoint, insert, MemorySource, MemoryTarget, silence, truncate } from './memory.ts';

const limits = { bytes: 1_000_000, changes: 1_000 };
const row = (id: number): ReturnType<typeof insert> => insert([BigInt(id), 'paid', '1.00', null, null, 1]);
const rows = (...ids: number[]): Batch[] => ids.map((id) => batch([row(id)]));

function running(
  source: MemorySource,
  target: MemoryTarget,
  options: { signal?: AbortSignal; progress?: Progress } = {},
): Promise<void> {
  return runLoop({
    source,
    target,
    transforms: new Transforms([]),
    progress: options.progress ?? new Progress(),
    limits,
    signal: options.signal ?? new AbortController().signal,
    memory: new Memory(1_000_000),
  });
}

const idsOf = (target: MemoryTarget): unknown[] =>
  target.changes.map((change) => (change.kind === 'insert' ? Number(valueAt(change.after, 0)) : change.kind));

describe('the loop', () => {
  test('brings every lane in its order, prepares the tables first and counts what is durable', async () => {
    const source = new MemorySource({ one: rows(1, 2, 3), two: rows(11, 12) });
    const target = new MemoryTarget();
    const progress = new Progress();
    await running(source, target, { progress });
    expect(target.prepared.map(({ origin }) => origin)).toEqual(['shop.orders']);
    const ids = idsOf(target);
    expect(ids.filter((id) => Number(id) < 10)).toEqual([1, 2, 3]);
    expect(ids.filter((id) => Number(id) > 10)).toEqual([11, 12]);
    expect(progress.tables.get('shop.orders')).toMatchObject({ read: 5, applied: 5, filtered: 0, copied: 0 });
    expect(Object.fromEntries(target.entries)).toEqual({ 'lane/one': '2', 'lane/two': '1' });
  });

  test('has the target keep it all for good in the end, and only where nothing failed', async () => {
    const ended = new MemoryTarget();
    await running(new MemorySource({ one: rows(1), two: rows(2, 3) }), ended);
    expect(ended.synced).toEqual([3]);
    const failed = new MemoryTarget();
    failed.fault = () => Promise.reject(new Error('no'));
    await expect(running(new MemorySource({ one: rows(1) }), failed)).rejects.toThrow('no');
    expect(failed.synced).toEqual([]);
  });

  test('acknowledges every checkpoint of a lane, the very object, in order and not before the target holds it', async () => {
    const handedOut = Array.from({ length: 50 }, (_, i) => checkpoint({ 'lane/one': String(i) }));
    const source = new MemorySource({ one: handedOut.map((end, i) => batch([row(i)], { checkpoint: end })) });
    const target = new MemoryTarget();
    const early: number[] = [];
    target.fault = async () => {
      await new Promise(setImmediate);
      early.push(source.acknowledged.length - target.changes.length);
    };
    await running(source, target);
    expect(Math.max(...early)).toBe(0);
    expect(target.commits.length).toBeLessThan(50);
    expect(source.acknowledged).toHaveLength(50);
    expect(source.acknowledged.every((one, i) => one === handedOut[i])).toBe(true);
  });

  test('goes on after what the target holds', async () => {
    const target = new MemoryTarget();
    target.entries.set('lane/one', '1');
    await running(new MemorySource({ one: rows(1, 2, 3) }), target);
    expect(idsOf(target)).toEqual([3]);
  });

  test('an apply that fails stops the run with its error, though the source is silent', async () => {
    const source = new MemorySource({ one: rows(1) }, { idle: true });
    const target = new MemoryTarget();
    target.fault = () => {
      throw new Error('disk full');
    };
    await expect(running(source, target)).rejects.toThrow('disk full');
    expect(source.acknowledged).toEqual([]);
  });

  test('the first lane that fails stops the others', async () => {
    const source = new MemorySource({ one: rows(1), two: rows(11) }, { idle: true });
    const target = new MemoryTarget();
    target.fault = (when, lane) => {
      if (when === 'before' && lane === 'two') throw new Error('disk full');
    };
    await expect(running(source, target)).rejects.toThrow('disk full');
  });

  test('an error of the source is thrown after what came before it is durable', async () => {
    const source = new MemorySource({ one: [] });
    const target = new MemoryTarget();
    source.lanes = async function* lanes() {
      yield {
        name: 'one',
        kind: 'stream',
        batches: (async function* batches() {
          yield batch([row(1)], { checkpoint: checkpoint({ s: '1' }) });
          throw new Error('connection lost');
        })(),
        acknowledge: () => undefined,
      };
    };
    await expect(running(source, target)).rejects.toThrow('connection lost');
    expect(idsOf(target)).toEqual([1]);
  });

  test('a run that is stopped ends without an error', async () => {
    const stop = new AbortController();
    const target = new MemoryTarget();
    target.fault = (when) => {
      if (when === 'after') stop.abort(new Error('stop'));
    };
    await running(new MemorySource({ one: rows(1) }, { idle: true }), target, { signal: stop.signal });
    expect(idsOf(target)).toEqual([1]);
  });

  test('a failure before the stop is not lost', async () => {
    const stop = new AbortController();
    const target = new MemoryTarget();
    const stopped = new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
    target.fault = async (_, lane) => {
      if (lane === 'one') await stopped;
      setImmediate(() => stop.abort(new Error('stop')));
      throw new Error('disk full');
    };
    const source = new MemorySource({ one: rows(1), two: rows(11) });
    await expect(running(source, target, { signal: stop.signal })).rejects.toThrow('disk full');
  });

  test('parts of a large transaction become durable with its end only', async () => {
    const target = new MemoryTarget();
    const source = new MemorySource({ one: [] });
    source.lanes = async function* lanes(_, signal) {
      yield {
        name: 'one',
        kind: 'stream',
        batches: (async function* batches() {
          yield batch([row(1)]);
          yield batch([row(2)]);
          await silence(signal);
        })(),
        acknowledge: () => undefined,
      };
    };
    const stop = new AbortController();
    target.fault = (when) => {
      if (when === 'after') stop.abort(new Error('stop'));
    };
    await running(source, target, { signal: stop.signal });
    expect(idsOf(target)).toEqual([]);
  });
});

describe('a barrier', () => {
  const barrier: Barrier = { id: 'truncate-1', lanes: ['one', 'two', 'three'] };
  const stop = batch([truncate()], { barrier });
  const lanes = {
    one: [...rows(1), stop, ...rows(2)],
    two: [...rows(11, 12, 13), stop, ...rows(14)],
    three: [stop, ...rows(21)],
  };

  /** How often the truncate was applied, and which rows were durable before and after it. */
  function meeting(target: MemoryTarget): unknown {
    const ids = idsOf(target);
    const wall = ids.indexOf('truncate');
    const rowsOf = (some: readonly unknown[]): number[] =>
      some.filter((id) => typeof id === 'number').sort((a, b) => a - b);
    return {
      truncates: ids.filter((id) => id === 'truncate').length,
      before: rowsOf(ids.slice(0, wall)),
      after: rowsOf(ids.slice(wall)),
    };
  }
  const once = { truncates: 1, before: [1, 11, 12, 13], after: [2, 14, 21] };

  test('is applied once, after all lanes have come and before any goes on', async () => {
    const target = new MemoryTarget();
    await running(new MemorySource(lanes), target);
    expect(meeting(target)).toEqual(once);
  });

  test('brings lanes together that live in different processes', async () => {
    const target = new MemoryTarget();
    await Promise.all([
      running(new MemorySource({ one: lanes.one, three: lanes.three }), target),
      running(new MemorySource({ two: lanes.two }), target),
    ]);
    expect(meeting(target)).toEqual(once);
  });

  test.each(
    (['before', 'after'] as const).flatMap((when) =>
      Object.keys(lanes).flatMap((lane) => [1, 2, 3].map((nth) => ({ when, lane, nth }))),
    ),
  )('survives the death of a process $when apply $nth of lane $lane', async ({ when: at, lane: dying, nth }) => {
    const target = new MemoryTarget();
    let applies = 0;
    target.fault = (when, lane) => {
      if (when === at && lane === dying && ++applies === nth) throw new Error('killed');
    };
    await expect(running(new MemorySource(lanes), target)).rejects.toThrow('killed');
    target.crash();
    await running(new MemorySource(lanes), target);
    expect(meeting(target)).toEqual(once);
  });
});
