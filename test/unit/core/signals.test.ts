import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Bell, sleep, untilAborted } from '../../../core/signals.ts';

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
