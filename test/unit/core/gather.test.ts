import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Batch, Change } from '../../../core/contracts.ts';
import { counted, gather, merge } from '../../../core/gather.ts';
import { Memory } from '../../../core/memory.ts';
import { batch, checkpoint, insert, moveEntries, silence, truncate } from './memory.ts';

const limits = { bytes: 1_000_000, changes: 1_000 };
const ample = (): Memory => new Memory(Number.MAX_SAFE_INTEGER);
const never = new AbortController().signal;
const row = (id: number): ReturnType<typeof insert> => insert([BigInt(id), 'paid', '1.00', null, null, 1]);

const name = fc.constantFrom('a', 'a/1', 'a/2', 'b', 'b/1');
const moved = fc
  .tuple(fc.dictionary(name, fc.string({ maxLength: 2 })), fc.array(fc.constantFrom('a', 'a/', 'b/'), { maxLength: 2 }))
  .map(([set, drop]) => checkpoint(set, drop));
const barrier = { id: 'x', lanes: ['one', 'two'] };
const anyBatch: fc.Arbitrary<Batch> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ checkpoint: moved, n: fc.nat({ max: 3 }) }).map((b) => made(b.n, b.checkpoint)) },
  { weight: 3, arbitrary: fc.nat({ max: 3 }).map((n) => made(n, null)) },
  { weight: 1, arbitrary: moved.map((end) => ({ ...made(1, end), barrier })) },
);
let serial = 0;
function made(rows: number, end: Batch['checkpoint']): Batch {
  return batch(
    Array.from({ length: rows }, () => row(serial++)),
    { checkpoint: end },
  );
}

describe('merge', () => {
  test('moves the entries to where the batches one after another would have moved them', () => {
    fc.assert(
      fc.property(fc.array(moved, { minLength: 1 }), fc.dictionary(name, fc.string()), (ends, held) => {
        const oneByOne = new Map(Object.entries(held));
        for (const end of ends) moveEntries(oneByOne, end);
        const atOnce = new Map(Object.entries(held));
        const { checkpoint: all } = merge(ends.map((end) => made(1, end)));
        if (all !== null) moveEntries(atOnce, all);
        expect(atOnce).toEqual(oneByOne);
      }),
    );
  });

  test('keeps every change in order, all bytes, and every table that is still being copied', () => {
    const merged = merge([
      batch([row(1), row(2)], { copying: new Set(['shop.a']) }),
      batch([row(3)], { copying: new Set(['shop.b']), checkpoint: checkpoint({ s: '1' }) }),
    ]);
    expect(merged.changes).toEqual([row(1), row(2), row(3)]);
    expect(merged.bytes).toBe(300);
    expect(merged.copying).toEqual(new Set(['shop.a', 'shop.b']));
  });
});

describe('gather', () => {
  test('hands over every change once, in order, whatever is merged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyBatch, { maxLength: 20 }), async (batches) => {
        const given: Batch[] = [];
        for await (const one of gather(bursts(batches), limits, ample(), never)) given.push(one);
        expect(given.flatMap(({ changes }) => changes)).toEqual(batches.flatMap(({ changes }) => changes));
        const ends = new Map<string, string>();
        for (const { checkpoint: end } of batches) if (end !== null) moveEntries(ends, end);
        const reached = new Map<string, string>();
        for (const { checkpoint: end } of given) if (end !== null) moveEntries(reached, end);
        expect(reached).toEqual(ends);
      }),
    );
  });

  test('a barrier travels alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyBatch, { maxLength: 20 }), async (batches) => {
        const given: Batch[] = [];
        for await (const one of gather(bursts(batches), limits, ample(), never)) given.push(one);
        const barriers = (all: readonly Batch[]): Batch[] => all.filter((one) => one.barrier !== null);
        expect(barriers(given)).toEqual(barriers(batches));
      }),
    );
  });

  test('a truncate travels alone, so that what stands around it is never done twice with it', async () => {
    const wipe = batch([truncate()], { checkpoint: checkpoint({ a: '2' }) });
    const given: Batch[] = [];
    const batches = [made(2, checkpoint({ a: '1' })), wipe, made(2, checkpoint({ a: '3' }))];
    for await (const one of gather(bursts(batches), limits, ample(), never)) given.push(one);
    expect(given.filter((one) => one.changes.some(({ kind }) => kind === 'truncate'))).toEqual([wipe]);
  });

  test('a whole transaction never waits for the end of a large one behind it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyBatch, { maxLength: 20 }), async (batches) => {
        const whole = new Set(batches.flatMap((one) => (one.checkpoint === null ? [] : one.changes)));
        const unfinished: Change[] = [];
        for await (const one of gather(bursts(batches), limits, ample(), never)) {
          if (one.checkpoint === null) unfinished.push(...one.changes);
        }
        expect(unfinished.filter((change) => whole.has(change))).toEqual([]);
      }),
    );
  });

  test('what came while the consumer was busy is one batch', async () => {
    const sizes: number[] = [];
    const all = Array.from({ length: 100 }, (_, i) => batch([row(i)], { checkpoint: checkpoint({ s: String(i) }) }));
    for await (const one of gather(listed(all), limits, ample(), never)) {
      sizes.push(one.changes.length);
      await new Promise(setImmediate);
    }
    expect(sizes.length).toBeLessThan(5);
    expect(sizes.reduce((a, b) => a + b)).toBe(100);
  });

  test.each([
    ['changes', { bytes: 1_000_000, changes: 10 }],
    ['bytes', { bytes: 1_000, changes: 1_000 }],
  ])('stops reading at the limit of %s while the consumer is busy, and goes on after', async (_, small) => {
    let reads = 0;
    const held: number[] = [];
    async function* source(): AsyncGenerator<Batch> {
      for (; reads < 100; reads++) yield batch([row(reads)], { checkpoint: checkpoint({ s: String(reads) }) });
    }
    let seen = 0;
    for await (const one of gather(source(), small, ample(), never)) {
      await new Promise(setImmediate);
      seen += one.changes.length;
      held.push(reads - seen);
    }
    expect(seen).toBe(100);
    expect(Math.max(...held)).toBeLessThanOrEqual(10);
  });

  test('lanes that share a memory hold no more than it, and a batch each, and all of them arrive', async () => {
    const memory = new Memory(1_000);
    let most = 0;
    const lane = async (): Promise<number> => {
      const own = Array.from({ length: 50 }, (_, i) => batch([row(i)], { checkpoint: checkpoint({ s: String(i) }) }));
      let seen = 0;
      for await (const one of gather(listed(own), limits, memory, never)) {
        await new Promise(setImmediate);
        most = Math.max(most, memory.held);
        seen += one.changes.length;
      }
      return seen;
    };
    expect(await Promise.all(Array.from({ length: 8 }, lane))).toEqual(Array(8).fill(50));
    // A batch of these tests has 100 bytes a row, and four times as many while it is applied.
    expect(most).toBeLessThanOrEqual(1_000 + 8 * 400);
    expect(memory.held).toBe(0);
  });

  test('a batch larger than the memory passes alone', async () => {
    const memory = new Memory(50);
    let reads = 0;
    async function* source(): AsyncGenerator<Batch> {
      for (; reads < 5; reads++) yield batch([row(reads)], { checkpoint: checkpoint({ s: String(reads) }) });
    }
    for await (const one of gather(source(), limits, memory, never)) {
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      expect([one.changes.length, memory.held]).toEqual([1, 400]);
    }
    expect(reads).toBe(5);
  });

  test('a lane that holds nothing goes on, though slowly, while others keep all of the memory and stand still', async () => {
    const memory = new Memory(100);
    memory.take(100);
    const own = [
      batch([row(1)], { checkpoint: checkpoint({ s: '1' }) }),
      batch([row(2)], { checkpoint: checkpoint({ s: '2' }) }),
    ];
    let seen = 0;
    for await (const one of gather(listed(own), limits, memory, never)) seen += one.changes.length;
    for await (const one of counted(listed(own), memory, never)) seen += one.changes.length;
    expect([seen, memory.held]).toEqual([4, 100]);
  });

  test('an error of the source comes after the batches before it, also when the consumer was busy', async () => {
    async function* source(): AsyncGenerator<Batch> {
      yield batch([row(1)], { checkpoint: checkpoint({ s: '1' }) });
      throw new Error('connection lost');
    }
    const seen: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const one of gather(source(), limits, ample(), never)) {
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        seen.push(one.changes.length);
      }
    };
    await expect(reading()).rejects.toThrow('connection lost');
    expect(seen).toEqual([1]);
  });

  test('a signal ends the wait for a silent source', async () => {
    const stop = new AbortController();
    async function* source(): AsyncGenerator<Batch> {
      yield batch([row(1)]);
      await silence(stop.signal);
    }
    const reading = async (): Promise<void> => {
      for await (const _ of gather(source(), limits, ample(), stop.signal))
        setImmediate(() => stop.abort(new Error('stop now')));
    };
    await expect(reading()).rejects.toThrow('stop now');
  });
});

async function* listed(batches: readonly Batch[]): AsyncGenerator<Batch> {
  yield* batches;
}

/** Some batches at once, then a turn of the event loop, so that merges of every size occur. */
async function* bursts(batches: readonly Batch[]): AsyncGenerator<Batch> {
  for (const [i, one] of batches.entries()) {
    yield one;
    if (i % 3 === 2) await new Promise(setImmediate);
  }
}
