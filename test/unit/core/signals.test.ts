import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Bell, FirstOf, sleep, untilAborted } from '../../../core/signals.ts';

describe('sleep', () => {
  test('ends after its time and leaves nothing behind on the signal', async () => {
    const { signal } = new AbortController();
    await sleep(1, signal);
    await sleep(1, signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('rejects at once with the reason of the signal', async () => {
    const stop = new AbortController();
    const sleeping = sleep(60_000, stop.signal);
    stop.abort(new Error('stop'));
    await expect(sleeping).rejects.toThrow('stop');
    await expect(sleep(60_000, stop.signal)).rejects.toThrow('stop');
  });
});

describe('untilAborted', () => {
  test('gives the outcome of the promise when that is first', async () => {
    const { signal } = new AbortController();
    await expect(untilAborted(signal, Promise.resolve(1))).resolves.toBe(1);
    await expect(untilAborted(signal, Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('a promise that fails after the signal is nobody’s unhandled error', async () => {
    const signal = AbortSignal.abort(new Error('stop'));
    const { promise, reject } = Promise.withResolvers<never>();
    await expect(untilAborted(signal, promise)).rejects.toThrow('stop');
    const unhandled: unknown[] = [];
    const note = (error: unknown): number => unhandled.push(error);
    process.on('unhandledRejection', note);
    reject(new Error('late'));
    await new Promise(setImmediate);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

describe('Bell', () => {
  test('wakes everybody who waits, once', async () => {
    const bell = new Bell();
    const { signal } = new AbortController();
    let woken = 0;
    const waiting = [1, 2, 3].map(() => bell.wait(signal).then(() => (woken += 1)));
    expect(woken).toBe(0);
    bell.notify();
    await Promise.all(waiting);
    expect(woken).toBe(3);
  });

  test('a notify before the wait wakes nobody', async () => {
    const bell = new Bell();
    const stop = new AbortController();
    bell.notify();
    const waiting = bell.wait(stop.signal);
    stop.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
  });
});

describe('the first of several waits', () => {
  const never = new AbortController().signal;

  test('is whichever comes first; the others go on and are joined the next time', async () => {
    const [slow, quick] = [new Bell(), new Bell()];
    let begun = 0;
    const first = new FirstOf(
      async () => {
        begun += 1;
        await slow.wait(never);
      },
      async () => await quick.wait(never),
    );
    for (let n = 0; n < 3; n += 1) {
      const waiting = first.wait();
      quick.notify();
      await waiting;
    }
    expect(begun).toBe(1);
    const waiting = first.wait();
    slow.notify();
    await waiting;
    expect(begun).toBe(1);
  });

  test('fails as the first one does, and a failure that nobody waits for is nobody’s unhandled error', async () => {
    const bell = new Bell();
    const stop = new AbortController();
    const first = new FirstOf(
      async () => await bell.wait(never),
      async () => await bell.wait(stop.signal),
    );
    const waiting = first.wait();
    bell.notify();
    await waiting;
    const failing = first.wait();
    stop.abort(new Error('stop'));
    await expect(failing).rejects.toThrow('stop');
    await new Promise(setImmediate);
  });

  test('keeps nothing of the times that one was not the first, for months', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const silent = new Promise<void>(() => undefined);
    const first = new FirstOf(
      async () => await Promise.resolve(),
      async () => await silent,
    );
    const heap = async (times: number): Promise<number> => {
      for (let n = 0; n < times; n += 1) await first.wait();
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = await heap(1_000);
    expect((await heap(100_000)) - before).toBeLessThan(2_000_000);
  });
});
