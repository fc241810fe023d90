import { toLockstepError } from '../../core/errors.ts';
import type { Check } from '../../core/plugin.ts';
import { untilAborted } from '../../core/signals.ts';
import { loadConfig, type Config } from '../config/load.ts';
import { heldEntries, pipelineRuns, type PipelineRun } from '../pipeline.ts';
import { failureOf } from '../supervise.ts';
import { failureLines, plural } from './format.ts';
import { EXIT, outputFor, type Exit } from './output.ts';

const ANSWER_WITHIN_MS = 20_000;

interface TargetStatus {
  readonly target: string;
  readonly from: string;
  readonly to: string;
  /** What the target holds, in lines for people; empty before the first run. */
  readonly lines: readonly string[];
  /** Which server the source is now and whether it can go on from there; empty before the first run, and where the source is Kafka. */
  readonly source: readonly Check[];
  /** How many dead letters it keeps, by table of the source. */
  readonly deadLetters: Readonly<Record<string, number>>;
  readonly error: { readonly code: string; readonly message: string; readonly fix: string } | null;
}

/** `lockstep status`: how far each target has come, from what it keeps itself. Exits with 1 where a target does not answer. */
export async function status(file: string, json: boolean): Promise<Exit> {
  const output = outputFor(json);
  const config = await loadConfig(file);
  const runs = pipelineRuns(config, null);
  const targets = await Promise.all(runs.map(async (run) => await statusOf(run, config)));
  for (const { from, to, lines, error } of targets) {
    output.line(`${from} → ${to}`);
    const said = error === null ? lines : failureLines({ ...error, nextTryAtMs: null }, Date.now());
    for (const line of said.length === 0 ? ['nothing yet: it has not run'] : said) output.line(`  ${line}`);
    output.line('');
  }
  output.result({ pipeline: config.name, targets });
  return targets.some(({ error }) => error !== null) ? EXIT.failed : EXIT.done;
}

async function statusOf(run: PipelineRun, { secrets }: Config): Promise<TargetStatus> {
  const where = { target: run.name, from: run.source.label, to: run.target.label };
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const entries = await heldEntries(run, signal);
    const held = entries.size === 0 ? [] : await run.source.describe(entries);
    const source = entries.size === 0 ? [] : await sourceChecks(run, entries, secrets);
    const deadLetters = held.length === 0 ? {} : await letterCounts(run, signal);
    const lines = [...held, ...source.map(sourceLine), ...letterLines(deadLetters)];
    return { ...where, lines, source, deadLetters, error: null };
  } catch (error) {
    const { code, message, fix } = failureOf(toLockstepError(error), secrets, null);
    return { ...where, lines: [], source: [], deadLetters: {}, error: { code, message, fix } };
  }
}

/** What of the source can be said without it is said; that it does not answer is one line more. */
async function sourceChecks(
  run: PipelineRun,
  entries: ReadonlyMap<string, string>,
  secrets: readonly string[],
): Promise<readonly Check[]> {
  try {
    return await run.source.checkTakeover(entries, AbortSignal.timeout(ANSWER_WITHIN_MS));
  } catch (error) {
    const { code, message, fix } = failureOf(toLockstepError(error), secrets, null);
    return [{ name: 'server', outcome: 'warn', detail: `${code}  ${message}`, fix: fix === '' ? null : fix }];
  }
}

function sourceLine({ name, detail }: Check): string {
  return `${name}  ${detail}`;
}

async function letterCounts(run: PipelineRun, signal: AbortSignal): Promise<Record<string, number>> {
  const letters = await untilAborted(signal, run.target.deadLetters());
  if (letters === null) return {};
  try {
    const all = await letters.list({ table: null, key: null }, signal);
    const counts = [...Map.groupBy(all, ({ origin }) => origin)].map(([origin, same]) => [origin, same.length]);
    return Object.fromEntries(counts) as Record<string, number>;
  } finally {
    await letters.close();
  }
}

function letterLines(counts: TargetStatus['deadLetters']): string[] {
  return Object.entries(counts).map(([origin, n]) => `${plural(n, 'dead letter')} of ${origin}: lockstep rejects list`);
}
