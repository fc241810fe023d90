import type { Barrier, Batch, Checkpoint, Lane, Source, Target } from './contracts.ts';
import { counted, gather, partsOf, type GatherLimits } from './gather.ts';
import { Indexing } from './indexing.ts';
import type { Memory } from './memory.ts';
import type { Progress } from './progress.ts';
import { sleep } from './signals.ts';
import type { TableSchema } from './table.ts';
import type { Transforms } from './transform.ts';

/** One run of the loop: everything it uses is handed in. */
export interface Run {
  readonly source: Source;
  readonly target: Target;
  readonly transforms: Transforms;
  readonly progress: Progress;
  readonly limits: GatherLimits;
  /** Of all lanes together. */
  readonly memory: Memory;
  readonly signal: AbortSignal;
}

/**
 * The loop that drives everything: every lane of the source is read, transformed and applied in its own order, side by side with the
 * others, until all lanes have ended and the target has it all for good. The first error stops all lanes and is thrown; what fails after `run.signal` aborted is not.
 */
export async function runLoop(run: Run): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([run.signal, failure.signal]);
  const fail = (error: unknown): void => {
    if (!run.signal.aborted) failure.abort(error);
  };
  const running = new Set<Promise<void>>();
  const indexing = new Indexing({ ...run, signal, fail });
  let begun = false;
  try {
    await run.target.prepare(targetTables(await run.source.tables(signal), run.transforms), signal);
    for await (const lane of run.source.lanes(run.target, signal)) {
      const driving = driveLane({ ...run, signal, indexing }, lane, fail)
        .catch(fail)
        .finally(() => running.delete(driving));
      running.add(driving);
      // Not before: a source that only one process may read hands out lanes once it is this one's.
      if (!begun) indexing.ask();
      begun = true;
    }
    await Promise.all(running);
    await indexing.settled();
    if (!signal.aborted) await run.target.sync?.(signal);
  } catch (error) {
    fail(error);
  } finally {
    await Promise.all(running);
    await indexing.settled();
  }
  failure.signal.throwIfAborted();
}

function targetTables(tables: readonly TableSchema[], transforms: Transforms): TableSchema[] {
  return tables.map((table) => transforms.table(table)).filter((table) => table !== null);
}

/** A run with what it has beside its lanes. */
interface Driven extends Run {
  readonly indexing: Indexing;
}

/** Says `fail` before it leaves the lane: only then does a source that waits for more let go of it. */
async function driveLane(run: Driven, lane: Lane, fail: (error: unknown) => void): Promise<void> {
  // Parts of a chunk have a good size already, and several lanes bring them: reading ahead would only keep rows in memory longer.
  const batches =
    lane.kind === 'copy'
      ? counted(lane.batches, run.memory, run.signal)
      : gather(lane.batches, run.limits, run.memory, run.signal);
  for await (const read of batches) {
    try {
      await applyBatch(run, lane, read);
    } catch (error) {
      fail(error);
      throw error;
    }
  }
}

async function applyBatch(run: Driven, lane: Lane, read: Batch): Promise<void> {
  const { batch, counts } = run.transforms.batch(read);
  if (batch.barrier === null) await apply(run, lane, batch);
  else await applyAtBarrier(run, lane, batch, batch.barrier);
  run.progress.applied(counts);
  if (batch.checkpoint === null) return;
  for (const part of partsOf(batch.checkpoint)) lane.acknowledge(part);
  run.indexing.applied(batch.checkpoint);
}

async function apply({ target, progress, signal }: Run, lane: Lane, batch: Batch): Promise<void> {
  progress.applyingSinceMs.set(lane.name, Date.now());
  try {
    await target.apply(lane, batch, signal);
  } finally {
    progress.applyingSinceMs.delete(lane.name);
  }
}

/**
 * Lanes meet in the target: each notes its arrival, the first of the barrier's lanes applies the changes once all have come, and only
 * then do the others go on. The notes are entries like any other, so lanes may live in different processes and die anywhere between.
 */
async function applyAtBarrier(run: Run, lane: Lane, batch: Batch, barrier: Barrier): Promise<void> {
  const prefix = `barrier/${barrier.id}/`;
  const done = `${prefix}done`;
  const arrived = (name: string): string => `${prefix}at/${name}/`;
  const checkpoint = batch.checkpoint ?? { set: new Map<string, string>(), drop: [] };
  const move = (changes: Batch['changes'], moved: Checkpoint): Promise<void> =>
    run.target.apply(lane, { ...batch, changes, checkpoint: moved, barrier: null }, run.signal);
  const met = async (condition: (entries: ReadonlyMap<string, string>) => boolean): Promise<void> => {
    while (!condition(await run.target.load(prefix, run.signal))) await sleep(50, run.signal);
  };

  const entries = await run.target.load(prefix, run.signal);
  if (!entries.has(done) && !entries.has(arrived(lane.name))) {
    await move([], { set: new Map([[arrived(lane.name), '']]), drop: [] });
  }
  if (barrier.lanes[0] === lane.name && !entries.has(done)) {
    await met((now) => barrier.lanes.every((name) => now.has(arrived(name))));
    await move(batch.changes, { set: new Map([...checkpoint.set, [done, '']]), drop: checkpoint.drop });
    return;
  }
  await met((now) => now.has(done));
  await move([], { set: checkpoint.set, drop: [...checkpoint.drop, arrived(lane.name)] });
}
