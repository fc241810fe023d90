import { type Code, LockstepError, toLockstepError } from '../core/errors.ts';
import type { Failure } from '../core/progress.ts';
import { sleep } from '../core/signals.ts';
import { scrub } from './config/redact.ts';
import { drive, type PipelineRun } from './pipeline.ts';

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 30_000;
/** Where nobody answers: to try costs one connection, and nobody who is back should wait for us. */
const LONGEST_UNANSWERED_MS = 1500;
const unanswered: ReadonlySet<Code> = new Set([
  'SOURCE_UNREACHABLE',
  'TARGET_UNREACHABLE',
  'KAFKA_UNREACHABLE',
  'REGISTRY_UNREACHABLE',
]);

export interface Supervision {
  readonly signal: AbortSignal;
  /** With `caught-up` a run ends when it is; it is given up when nothing was applied for `giveUpAfterMs` from the start. */
  readonly until: 'caught-up' | null;
  readonly giveUpAfterMs: number;
  /** What must not be shown of errors that we do not know. */
  readonly secrets: readonly string[];
  /** Called for each error after which a run is tried again. */
  readonly onRetry: (run: PipelineRun, failure: Failure) => void;
  /** Called for each try that finds what is probably a mistake in the configuration. */
  readonly onWarnings: (run: PipelineRun, lines: readonly string[]) => void;
}

/** How it ended: every run caught up, somebody asked to stop, or an error that trying again does not heal. */
export type Outcome =
  | { readonly kind: 'caught-up' | 'stopped' }
  | { readonly kind: 'failed'; readonly run: string; readonly failure: Failure };

/**
 * Drives all runs side by side until they have ended. The first that fails for good stops the others. Until caught up, what consumes
 * from Kafka can have caught up only after what publishes has: it follows until then, and then takes what is left.
 */
export async function superviseAll(runs: readonly PipelineRun[], supervision: Supervision): Promise<Outcome> {
  const stop = new AbortController();
  const signal = AbortSignal.any([supervision.signal, stop.signal]);
  const published = new AbortController();
  const publishes = supervision.until !== null && runs.some((run) => run.role === 'publish');
  let outcome: Outcome | null = null;
  await Promise.all(
    runs.map(async (run) => {
      try {
        if (publishes && run.role === 'consume') {
          await supervise(run, { ...supervision, until: null, signal: AbortSignal.any([signal, published.signal]) });
        }
        if (!signal.aborted) await supervise(run, { ...supervision, signal });
        if (run.role === 'publish') published.abort(new Error('everything is published'));
      } catch (error) {
        const failure = failureOf(toLockstepError(error), supervision.secrets, null);
        run.progress.failure = failure;
        outcome ??= { kind: 'failed', run: run.name, failure };
        stop.abort(error);
      } finally {
        run.progress.phase = 'stopped';
      }
    }),
  );
  return outcome ?? { kind: supervision.signal.aborted ? 'stopped' : 'caught-up' };
}

/** Drives one run again and again (G10) until it has ended or is stopped; throws what trying again does not heal. */
async function supervise(run: PipelineRun, supervision: Supervision): Promise<void> {
  const { signal, until } = supervision;
  const { progress } = run;
  const startedAtMs = Date.now();
  for (let tries = 0; ; tries += 1) {
    const triedAtMs = Date.now();
    progress.phase = 'starting';
    progress.failure = null;
    const error = await attempt(run, supervision);
    if (signal.aborted) return;
    if (error === null) {
      if (until !== null) return;
      throw new LockstepError('BUG', `${run.name}: ${run.source.label} ended although it was to go on for ever`);
    }
    if (error.verdict !== 'retry') throw error;
    const hopeless = progress.lastAppliedAtMs === null && Date.now() - startedAtMs > supervision.giveUpAfterMs;
    if (until !== null && hopeless) throw error;
    if (hasWorked(run, triedAtMs)) tries = 0;
    const wait = waitBefore(tries, error.code);
    progress.failure = failureOf(error, supervision.secrets, Date.now() + wait);
    progress.phase = error.code === 'CHECKPOINT_MOVED' ? 'standby' : 'retrying';
    progress.retries += 1;
    supervision.onRetry(run, progress.failure);
    await sleep(wait, signal).catch(() => undefined);
    if (signal.aborted) return;
  }
}

async function attempt(run: PipelineRun, { signal, until, onWarnings }: Supervision): Promise<LockstepError | null> {
  try {
    await drive(run, { signal, until, onWarnings: (lines) => onWarnings(run, lines) });
    return null;
  } catch (error) {
    return toLockstepError(error);
  }
}

/** A try counts as good when it applied something or held on for as long as the longest wait: then waiting begins anew. */
function hasWorked(run: PipelineRun, triedAtMs: number): boolean {
  return (run.progress.lastAppliedAtMs ?? 0) >= triedAtMs || Date.now() - triedAtMs >= LONGEST_WAIT_MS;
}

/**
 * In ms: 0.2 s, doubled with each try up to 30 s, or 1.5 s where nobody answers, with a quarter of it left to chance so that many do not return
 * at once.
 */
function waitBefore(tries: number, code: Code): number {
  const longest = unanswered.has(code) ? LONGEST_UNANSWERED_MS : LONGEST_WAIT_MS;
  const wait = Math.min(longest, FIRST_WAIT_MS * 2 ** Math.min(tries, 20));
  return Math.round(wait * (0.75 + Math.random() * 0.25));
}

/** Only of errors that we do not know may the text hold a secret: ours are written without (G12). */
export function failureOf(error: LockstepError, secrets: readonly string[], nextTryAtMs: number | null): Failure {
  const message = error.code === 'BUG' ? scrub(error.message, secrets) : error.message;
  return { code: error.code, message, fix: error.fix, nextTryAtMs };
}
