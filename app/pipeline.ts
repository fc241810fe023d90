import type { Source, Target } from '../core/contracts.ts';
import { LockstepError } from '../core/errors.ts';
import type { GatherLimits } from '../core/gather.ts';
import { runLoop } from '../core/loop.ts';
import { Memory } from '../core/memory.ts';
import { Progress } from '../core/progress.ts';
import { untilAborted } from '../core/signals.ts';
import type { ForeignKey } from '../core/foreign-key.ts';
import type { TableSchema } from '../core/table.ts';
import { Transforms } from '../core/transform.ts';
import type { Config } from './config/load.ts';
import { nearest } from './config/nearest.ts';
import { Newcomers } from './newcomers.ts';
import {
  kafkaSourceEnd,
  kafkaTargetEnd,
  sourceEnd,
  targetEnd,
  transformsOf,
  targetWarnings,
  type SharedRegistry,
  type SourceEnd,
  type TargetEnd,
} from './registry.ts';

/** What a lane may read ahead while a batch is being applied, within the run's memory (G6): enough for a batch to pay for its commit. */
const READ_AHEAD: GatherLimits = { bytes: 8 * 1024 * 1024, changes: 20_000 };

const MEBIBYTE = 1024 * 1024;

/** How long an end may take to close before it is left to itself; what is durable does not depend on it. In ms. */
const CLOSE_WITHIN_MS = 3000;

/** One run of the loop: a source, a target and what is between. It can be driven again after an error. */
export interface PipelineRun {
  /** The target's name; publishing to Kafka is named `kafka`. */
  readonly name: string;
  /** `consume` reads what `publish` writes, maybe in another process; `direct` has no Kafka in between. */
  readonly role: 'direct' | 'publish' | 'consume';
  readonly source: SourceEnd;
  readonly target: TargetEnd;
  readonly progress: Progress;
  /** Its share of the process's memory for changes. */
  readonly memoryBytes: number;
  /** Whether tables of the target get the indexes of the source's. */
  readonly makesIndexes: boolean;
  openTransforms(): Promise<Transforms>;
  /** Sentences about what is probably a mistake, known once the tables are. */
  warnings(tables: readonly TableSchema[], keys: readonly ForeignKey[]): Promise<readonly string[]>;
}

export interface Attempt {
  readonly until: 'caught-up' | null;
  readonly signal: AbortSignal;
  /** Told what is probably a mistake in the configuration. */
  readonly onWarnings: (lines: readonly string[]) => void;
}

/**
 * The runs of a pipeline. Directly: one per target, each with its own reader of the source. Via Kafka: one that publishes and one per
 * target that consumes. `only` picks `source` (what publishes) or a target; throws CONFIG_INVALID where it names neither.
 */
export function pipelineRuns(
  config: Config,
  only: string | null,
  schemas: SharedRegistry | null = null,
): readonly PipelineRun[] {
  const names = Object.keys(config.targets);
  const choices = config.via === null ? names : ['source', ...names];
  if (only !== null && !choices.includes(only)) throw unknownChoice(config, only, choices);
  const chosen = names.filter((name) => only === null || only === name);
  const publishes = config.via !== null && (only === null || only === 'source');
  // Shares, and not one purse for all: a target that has stopped answering must not keep what the others need.
  const share = Math.floor((config.memory * MEBIBYTE) / (chosen.length + (publishes ? 1 : 0)));
  const runs = chosen.map((name) => toTarget(config, name, share, schemas));
  return publishes ? [publishing(config, share, schemas), ...runs] : runs;
}

/** What the run's target holds; nothing before the first run. */
export async function heldEntries(run: PipelineRun, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const target = await untilAborted(signal, run.target.open());
  try {
    return await target.load('', signal);
  } finally {
    await target.close();
  }
}

/** Opens both ends, drives the loop until its lanes end or the signal aborts, and closes both. */
export async function drive(run: PipelineRun, attempt: Attempt): Promise<void> {
  const { signal } = attempt;
  const opened: (Source | Target)[] = [];
  const keep = <End extends Source | Target>(end: End): End => {
    if (signal.aborted) void end.close().catch(() => undefined);
    else opened.push(end);
    return end;
  };
  try {
    const [transforms, source, target] = await untilAborted(signal, openAll(run, attempt, keep));
    const { progress } = run;
    const newcomers = run.role === 'consume' ? new Newcomers(target, transforms) : null;
    await runLoop({
      source: watched(source, run, attempt, newcomers),
      target,
      transforms,
      progress,
      limits: READ_AHEAD,
      memory: new Memory(run.memoryBytes),
      signal,
    });
  } finally {
    await closeAll(opened);
  }
}

function publishing(config: Config, memoryBytes: number, schemas: SharedRegistry | null): PipelineRun {
  const aim = { target: 'kafka', progress: new Progress(), memoryBytes };
  return {
    name: aim.target,
    role: 'publish',
    source: sourceEnd(config, aim),
    target: kafkaTargetEnd(config, aim, schemas),
    progress: aim.progress,
    memoryBytes,
    makesIndexes: false,
    openTransforms: async () => await Promise.resolve(new Transforms([])),
    warnings: async () => await Promise.resolve([]),
  };
}

function toTarget(config: Config, target: string, memoryBytes: number, schemas: SharedRegistry | null): PipelineRun {
  const aim = { target, progress: new Progress(), memoryBytes };
  const direct = config.via === null;
  return {
    name: target,
    role: direct ? 'direct' : 'consume',
    source: direct ? sourceEnd(config, aim) : kafkaSourceEnd(config, aim, schemas),
    target: targetEnd(config, aim),
    progress: aim.progress,
    memoryBytes,
    makesIndexes: direct && config.targets[target]?.indexes === true,
    openTransforms: async () => new Transforms(await transformsOf(config, target)),
    // Topics come into being one by one, so what matches none of them yet may be right.
    warnings: async (tables, keys) => (direct ? await targetWarnings(config, target, tables, keys) : []),
  };
}

function unknownChoice(config: Config, only: string, choices: readonly string[]): LockstepError {
  const near = nearest(only, choices);
  const direct = only === 'source' && config.via === null ? ' (`source` alone needs `via.kafka`)' : '';
  return new LockstepError('CONFIG_INVALID', `--only ${only}: ${config.file} has no such part${direct}`, {
    fix: near === null ? `one of: ${choices.join(', ')}` : `did you mean ${near}? There are: ${choices.join(', ')}`,
  });
}

/**
 * Opens both ends side by side. Waits for both even when one fails, so that nothing is opened behind the back of what closes it.
 */
async function openAll(run: PipelineRun, { until }: Attempt, keep: <End extends Source | Target>(end: End) => End) {
  const transforms = run.openTransforms();
  const source = run.source.open(until).then(keep);
  const target = run.target.open().then(keep);
  await Promise.allSettled([transforms, source, target]);
  return await Promise.all([transforms, source, target]);
}

/**
 * The source, with what it says on the way: warnings once its tables are known, and that it works as soon as it hands out a lane; a
 * source that knows better overwrites that.
 */
function watched(source: Source, run: PipelineRun, { onWarnings }: Attempt, newcomers: Newcomers | null): Source {
  const { progress } = run;
  return {
    async tables(signal) {
      const tables = await source.tables(signal);
      newcomers?.known(tables);
      const { keys, warnings: ofSource } = (await source.foreignKeys?.(signal)) ?? { keys: [], warnings: [] };
      const warnings = [...ofSource, ...(await run.warnings(tables, keys))];
      if (warnings.length > 0) onWarnings(warnings);
      return tables;
    },
    ...(run.makesIndexes && source.indexes && { indexes: source.indexes.bind(source) }),
    async *lanes(checkpoints, signal) {
      for await (const lane of source.lanes(checkpoints, signal)) {
        if (progress.phase === 'starting') progress.phase = lane.kind === 'copy' ? 'copying' : 'following';
        yield newcomers?.lane(lane, signal) ?? lane;
      }
    },
    close: async () => await source.close(),
  };
}

/** An error while closing is not ours to report: what is durable is durable, and the reason for closing is being reported already. */
async function closeAll(ends: readonly (Source | Target)[]): Promise<void> {
  const closing = Promise.allSettled(ends.map(async (end) => await end.close()));
  await untilAborted(AbortSignal.timeout(CLOSE_WITHIN_MS), closing).catch(() => undefined);
}
