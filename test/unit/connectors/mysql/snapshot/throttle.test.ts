import { describe, expect, it } from 'vitest';
import type { Load } from '../../../../../connectors/mysql/snapshot/load.ts';
import { Throttle, type Spent } from '../../../../../connectors/mysql/snapshot/throttle.ts';
import type { CopyLimits } from '../../../../../core/plugin.ts';
import { Progress } from '../../../../../core/progress.ts';

const never = new AbortController().signal;
const calm: Load = { threadsRunning: 1, replicas: [] };

interface Scene {
  readonly throttle: Throttle;
  readonly progress: Progress;
  /** In ms. */
  readonly now: () => number;
  load: Load;
}

type Limits = Partial<Omit<CopyLimits, 'backOff'>> & { readonly backOff?: Partial<CopyLimits['backOff']> };

/** Time passes in waits alone; what the source says may be another thing after each. */
function scene(limits: Limits, afterWait: (scene: Scene) => void = () => undefined): Scene {
  let now = 0;
  const progress = new Progress();
  const backOff = { threadsRunning: null, replicaLag: null, replicas: [], latency: null, ...limits.backOff };
  const throttle = new Throttle({
    limits: { rowsPerSecond: null, bytesPerSecond: null, ...limits, backOff },
    readers: 2,
    load: () => Promise.resolve(made.load),
    progress,
    clock: {
      now: () => now,
      sleep: (ms) => {
        now += ms;
        afterWait(made);
        return Promise.resolve();
      },
    },
    onChange: () => undefined,
  });
  const made: Scene = { throttle, progress, now: () => now, load: calm };
  return made;
}

const chunk = (more: Partial<Spent> = {}): Spent => ({
  origin: 'shop.t',
  rows: 1000,
  bytes: 50_000,
  first: { ms: 10, rows: 1000 },
  ...more,
});

describe('a copy', () => {
  it.each([
    ['rows', { rowsPerSecond: 2000 }],
    ['bytes', { bytesPerSecond: 100_000 }],
  ] as const)('keeps to a limit of %s per second, whoever reads', async (reason, limits) => {
    const { throttle, progress, now } = scene(limits);
    for (let i = 0; i < 20; i += 1) {
      await throttle.admit(never);
      throttle.spent(chunk());
    }
    await throttle.admit(never);
    expect(now()).toBe(10_000);
    expect(progress.throttle?.reason).toBe(reason);
    expect(progress.throttledMs[reason]).toBe(10_000);
  });

  it('reads in chunks that are a part of what it may in a second', () => {
    expect(scene({ rowsPerSecond: 1000, bytesPerSecond: 10 }).throttle.chunk).toEqual({ rows: 250, bytes: 2 });
    expect(scene({}).throttle.chunk).toEqual({ rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY });
  });

  it('waits while too many threads run, says so, and goes on after', async () => {
    const reasons: unknown[] = [];
    const made = scene({ backOff: { threadsRunning: 30 } }, (now) => {
      reasons.push(now.progress.throttle?.text);
      if (reasons.length === 3) now.load = calm;
    });
    made.load = { threadsRunning: 31, replicas: [] };
    await made.throttle.admit(never);
    expect(reasons).toEqual(Array(3).fill('31 threads are running at the source, above 30'));
    expect(made.now()).toBe(3000);
    expect(made.progress.throttle).toBeNull();
    expect(made.progress.throttledMs.threads).toBe(3000);
  });

  it('waits for a replica that is behind, or does not say', async () => {
    const reasons: unknown[] = [];
    const loads: Load[] = [
      { threadsRunning: 1, replicas: [{ where: 'db2:3306', seconds: null }] },
      { threadsRunning: 1, replicas: [{ where: 'db2:3306', seconds: 30 }] },
    ];
    const made = scene({ backOff: { replicaLag: 30 } }, (now) => {
      reasons.push(now.progress.throttle?.text);
      now.load = loads.shift() ?? calm;
    });
    made.load = { threadsRunning: 1, replicas: [{ where: 'db2:3306', seconds: 31 }] };
    await made.throttle.admit(never);
    expect(reasons).toEqual([
      'db2:3306 is 31 s behind, above 30 s',
      'the replica db2:3306 does not say how far behind it is',
    ]);
  });

  it('waits longer the longer chunks take against their best, until one is fast again', async () => {
    const { throttle, progress, now } = scene({ backOff: { latency: 4 } });
    const read = async (ms: number): Promise<void> => {
      await throttle.admit(never);
      throttle.spent(chunk({ first: { ms, rows: 1000 } }));
    };
    for (let i = 0; i < 10; i += 1) await read(50);
    expect(now()).toBe(0);
    await read(1000);
    await throttle.admit(never);
    expect(now()).toBe(4000);
    expect(progress.throttledMs.latency).toBe(4000);
    for (let i = 0; i < 5; i += 1) await read(60);
    const before = now();
    await read(60);
    expect([now() - before, progress.throttle]).toEqual([0, null]);
  });

  it('is not held back by chunks that are slow and short', async () => {
    const { throttle, now } = scene({ backOff: { latency: 4 } });
    for (let i = 0; i < 20; i += 1) throttle.spent(chunk({ first: { ms: i < 10 ? 1 : 150, rows: 1000 } }));
    await throttle.admit(never);
    expect(now()).toBe(0);
  });
});
