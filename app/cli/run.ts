import { loadConfig, type Config } from '../config/load.ts';
import { countsOf, totalOf } from '../outcome.ts';
import { pipelineRuns, type PipelineRun } from '../pipeline.ts';
import { superviseAll, type Outcome, type Supervision } from '../supervise.ts';
import { builtInSchemas } from '../schemas.ts';
import { serve, type Served } from '../serve.ts';
import { aligned, count, duration, failureLines } from './format.ts';
import { EXIT, outputFor, sayError, type Exit, type Output } from './output.ts';
import { showRuns, type View } from './show.ts';

/** With `--until caught-up`: how long to try before anything was applied. */
const GIVE_UP_AFTER_MS = 60_000;
/** An orderly stop takes no longer; what is durable does not depend on it. */
const STOP_WITHIN_MS = 4500;

export interface RunOptions {
  /** `source` for what reads the source into Kafka, a target's name, or null for everything. */
  readonly only: string | null;
  readonly until: 'caught-up' | null;
  readonly json: boolean;
}

/** `lockstep run`: drives the pipeline until it is caught up, somebody stops it, or an error does. */
export async function run(file: string, options: RunOptions): Promise<Exit> {
  const startedAtMs = Date.now();
  const output = outputFor(options.json);
  const config = await loadConfig(file);
  const schemas = builtInSchemas(config);
  const runs = pipelineRuns(config, options.only, schemas);
  // What nobody waits for cannot be tried again: the process ends, and whoever started it starts it again.
  process.once('uncaughtException', (error) => process.exit(sayError(error, options.json, config.secrets)));
  const stop = stopOnSignals(output);
  const view = showRuns(config.name, runs, output);
  let outcome: Outcome;
  try {
    outcome = await served(
      { config, runs, schemas, view },
      {
        signal: stop,
        until: options.until,
        giveUpAfterMs: GIVE_UP_AFTER_MS,
        secrets: config.secrets,
        onRetry: (of, failure) => view.retry(of, failure),
        onWarnings: (of, lines) => view.warn(of, lines),
      },
    );
  } catch (error) {
    return sayError(error, options.json, config.secrets);
  } finally {
    view.close();
  }
  sayOutcome(config, runs, outcome, output);
  output.result(resultOf(config, runs, outcome, startedAtMs));
  return exitOf(outcome, options.until);
}

/** Drives the runs with the HTTP listener open. */
async function served({ view, ...parts }: Served & { view: View }, supervision: Supervision): Promise<Outcome> {
  const listener = await serve(parts, (lines) => view.print(lines));
  try {
    return await superviseAll(parts.runs, supervision);
  } finally {
    await listener?.close();
    await parts.schemas?.close();
  }
}

/** Asked to end before it had caught up, `--until caught-up` has failed; a run without end has done what it should. */
function exitOf(outcome: Outcome, until: RunOptions['until']): Exit {
  return outcome.kind === 'failed' || (outcome.kind === 'stopped' && until !== null) ? EXIT.failed : EXIT.done;
}

/** Aborts at SIGINT or SIGTERM; at the second one, or when the stop takes too long, the process ends at once. */
function stopOnSignals(output: Output): AbortSignal {
  const stop = new AbortController();
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(code);
      stop.abort(new Error(`stopped by ${name}`));
      setTimeout(() => {
        output.line(`stopped without waiting longer; what is durable stays, the rest comes again`);
        process.exit(EXIT.done);
      }, STOP_WITHIN_MS).unref();
    });
  }
  return stop.signal;
}

function sayOutcome(config: Config, runs: readonly PipelineRun[], outcome: Outcome, output: Output): void {
  if (outcome.kind === 'failed') {
    const where = runs.length > 1 ? ` (${outcome.run})` : '';
    const [first = '', ...rest] = failureLines(outcome.failure, Date.now());
    process.stderr.write(`${[first.replace('   ', `${where}   `), ...rest].join('\n')}\n`);
    return;
  }
  const rows = runs.map(({ name, progress }) => {
    const { read, applied, filtered, copied, deadLetters } = totalOf(progress);
    return [
      `${config.name}/${name}`,
      outcome.kind === 'caught-up' ? 'caught up' : 'stopped',
      `read ${count(read)}`,
      `applied ${count(applied)}`,
      `filtered ${count(filtered)}`,
      `dead letters ${deadLetters}`,
      `copied ${count(copied)}`,
      progress.lagMs === null ? '' : `lag ${duration(progress.lagMs)}`,
    ];
  });
  for (const line of aligned(rows)) output.line(line);
}

/** What `run --json` prints: the counts of G5 per target and table, of this process. */
function resultOf(config: Config, runs: readonly PipelineRun[], outcome: Outcome, startedAtMs: number): object {
  const targets = runs.map(({ name, progress }) => [
    name,
    {
      lagMs: progress.lagMs,
      retries: progress.retries,
      total: totalOf(progress),
      tables: countsOf(progress),
    },
  ]);
  const failed = outcome.kind === 'failed' ? outcome : null;
  return {
    pipeline: config.name,
    outcome: outcome.kind,
    seconds: (Date.now() - startedAtMs) / 1000,
    targets: Object.fromEntries(targets) as object,
    error:
      failed === null
        ? null
        : { target: failed.run, code: failed.failure.code, message: failed.failure.message, fix: failed.failure.fix },
  };
}
