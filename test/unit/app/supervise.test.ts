import { expect, test } from 'vitest';
import { superviseAll, type Supervision } from '../../../app/supervise.ts';
import type { Batch } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import type { Failure } from '../../../core/progress.ts';
import { sleep } from '../../../core/signals.ts';
import { batchOf, runOf, type Journal } from './ends.ts';

const lost = (): LockstepError => new LockstepError('SOURCE_CONNECTION_LOST', 'the connection to db1 broke');

/** Batches that never end until the signal aborts. */
async function* forever(signal: AbortSignal): AsyncGenerator<Batch> {
  for (let id = 1; ; id += 1) {
    yield batchOf(id);
    await sleep(5, signal);
  }
}

function supervision(parts: Partial<Supervision> = {}): Supervision & { retries: Failure[] } {
  const retries: Failure[] = [];
  return {
    signal: AbortSignal.timeout(20_000),
    until: null,
    giveUpAfterMs: 60_000,
    secrets: [],
    onRetry: (_, failure) => retries.push(failure),
    onWarnings: () => undefined,
    retries,
    ...parts,
  };
}

test('an error that heals is tried again, each time a little later, until it works', async () => {
  const journal: Journal = [];
  const run = runOf('warehouse', journal, async function* (attempt) {
    if (attempt <= 2) throw lost();
    yield await Promise.resolve(batchOf(1));
  });
  const watched = supervision({ until: 'caught-up' });
  expect(await superviseAll([run], watched)).toEqual({ kind: 'caught-up' });
  expect(watched.retries.map(({ code }) => code)).toEqual(['SOURCE_CONNECTION_LOST', 'SOURCE_CONNECTION_LOST']);
  expect(run.progress).toMatchObject({ retries: 2, failure: null, phase: 'stopped' });
  expect(journal).toEqual([
    'warehouse: source closed',
    'warehouse: target closed',
    'warehouse: source closed',
    'warehouse: target closed',
    'warehouse: applied 1',
    'warehouse: source closed',
    'warehouse: target closed',
  ]);
});

test('waiting begins anew after something was applied', async () => {
  const run = runOf('warehouse', [], async function* (attempt) {
    if (attempt === 5) return;
    if (attempt === 3) yield await Promise.resolve(batchOf(1));
    throw lost();
  });
  const watched = supervision({ until: 'caught-up' });
  const waits: number[] = [];
  await superviseAll([run], {
    ...watched,
    onRetry: (_, failure) => waits.push((failure.nextTryAtMs ?? 0) - Date.now()),
  });
  const [first = 0, second = 0, third = 0, fourth = 0] = waits;
  expect(second).toBeGreaterThan(first);
  expect(third).toBeLessThan(second);
  expect(fourth).toBeGreaterThan(third);
});

test('who does not answer is tried again every 1.5 s at the latest, so that nobody who is back waits for longer', async () => {
  const run = runOf('warehouse', [], async function* (attempt) {
    if (attempt <= 5) throw new LockstepError('TARGET_UNREACHABLE', 'pg1 does not answer');
    yield await Promise.resolve(batchOf(1));
  });
  const waits: number[] = [];
  await superviseAll([run], {
    ...supervision({ until: 'caught-up' }),
    onRetry: (_, failure) => waits.push((failure.nextTryAtMs ?? 0) - Date.now()),
  });
  expect(waits).toHaveLength(5);
  expect(Math.max(...waits)).toBeLessThanOrEqual(1500);
  expect(Math.min(...waits.slice(3))).toBeGreaterThan(800);
});

test('an error for a person stops every run and is told once', async () => {
  const journal: Journal = [];
  const broken = runOf('broken', journal, async function* () {
    yield await Promise.resolve(batchOf(1));
    throw new LockstepError('SOURCE_ROW_IMAGE', 'db1 has binlog_row_image=MINIMAL', { fix: 'set it' });
  });
  const other = runOf('other', journal, (_, signal) => forever(signal));
  const watched = supervision();
  expect(await superviseAll([broken, other], watched)).toEqual({
    kind: 'failed',
    run: 'broken',
    failure: {
      code: 'SOURCE_ROW_IMAGE',
      message: 'db1 has binlog_row_image=MINIMAL',
      fix: 'set it',
      nextTryAtMs: null,
    },
  });
  expect(watched.retries).toEqual([]);
  expect(journal.filter((line) => line.endsWith('closed')).toSorted()).toEqual([
    'broken: source closed',
    'broken: target closed',
    'other: source closed',
    'other: target closed',
  ]);
});

test('until caught up, what never worked is given up', async () => {
  // oxlint-disable-next-line require-yield
  const run = runOf('warehouse', [], async function* () {
    throw await Promise.resolve(lost());
  });
  const outcome = await superviseAll([run], supervision({ until: 'caught-up', giveUpAfterMs: 300 }));
  expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'SOURCE_CONNECTION_LOST' } });
  expect(run.progress.retries).toBeGreaterThan(0);
});

test('a signal stops in good order, also while a run waits for its next try', async () => {
  const journal: Journal = [];
  const stop = new AbortController();
  const working = runOf('working', journal, (_, signal) => forever(signal));
  const waiting = runOf('waiting', journal, async function* (attempt, signal) {
    if (attempt < 4) throw lost();
    yield* forever(signal);
  });
  const watched = supervision({
    signal: stop.signal,
    onRetry: (run) => {
      if (run.progress.retries === 3) stop.abort(new Error('stopped by a test'));
    },
  });
  expect(await superviseAll([working, waiting], watched)).toEqual({ kind: 'stopped' });
  expect(journal.slice(-2)).toEqual(['working: source closed', 'working: target closed']);
});

test('an error that we do not know is a bug, told without the secrets in it', async () => {
  // oxlint-disable-next-line require-yield
  const run = runOf('warehouse', [], async function* () {
    throw await Promise.resolve(new TypeError('cannot connect with topsecret'));
  });
  const outcome = await superviseAll([run], supervision({ secrets: ['topsecret'] }));
  expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'BUG' } });
  expect(JSON.stringify(outcome)).not.toContain('topsecret');
});

test('a source that ends although it should go on is a bug', async () => {
  const run = runOf('warehouse', [], async function* () {
    yield await Promise.resolve(batchOf(1));
  });
  expect(await superviseAll([run], supervision())).toMatchObject({ kind: 'failed', failure: { code: 'BUG' } });
});

test('another process on the same place is waited for in standby', async () => {
  const phases: string[] = [];
  const run = runOf('warehouse', [], async function* (attempt) {
    if (attempt === 1) throw new LockstepError('CHECKPOINT_MOVED', 'another process moved it');
    yield await Promise.resolve(batchOf(1));
  });
  await superviseAll(
    [run],
    supervision({ until: 'caught-up', onRetry: ({ progress }) => phases.push(progress.phase) }),
  );
  expect(phases).toEqual(['standby']);
});

test('until caught up, what consumes from Kafka ends only after what publishes has ended', async () => {
  const journal: Journal = [];
  const publisher = runOf('kafka', journal, async function* (_, signal) {
    yield batchOf(1);
    await sleep(50, signal);
    journal.push('everything is published');
  });
  const consumer = runOf('warehouse', journal, async function* (attempt, signal) {
    if (attempt === 1) yield* forever(signal);
    journal.push('takes what is left');
    yield batchOf(2);
  });
  const runs = [
    { ...publisher, role: 'publish' as const },
    { ...consumer, role: 'consume' as const },
  ];
  expect(await superviseAll(runs, supervision({ until: 'caught-up' }))).toEqual({ kind: 'caught-up' });
  const told = journal.filter((line) => !line.includes('closed') && !line.includes('applied'));
  expect(told).toEqual(['everything is published', 'takes what is left']);
  expect(journal).toContain('warehouse: applied 1');
});
