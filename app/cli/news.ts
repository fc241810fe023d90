import { unreachable } from '../../core/errors.ts';
import type { IndexProgress, TableProgress, ThrottleReason } from '../../core/progress.ts';
import type { PipelineRun } from '../pipeline.ts';
import { count, duration, plural, rough } from './format.ts';

/**
 * What changed in the state of a run since the last call, as lines for people; nothing where nothing changed. Counters that merely
 * grow are no news.
 */
export function newsOf(run: PipelineRun): () => string[] {
  let phase: PipelineRun['progress']['phase'] = 'starting';
  const states = new Map<string, TableProgress['state']>();
  const letters = new Map<string, readonly string[]>();
  const indexed = new Map<string, IndexProgress | string>();
  let throttled: ThrottleReason | null = null;
  return () => {
    const { progress } = run;
    const lines: string[] = [];
    for (const [origin, table] of progress.tables) {
      lines.push(...letterLines(origin, table, letters));
      if (states.get(origin) !== table.state) lines.push(...stateLines(origin, table));
      states.set(origin, table.state);
      lines.push(...indexLines(origin, table, indexed));
    }
    const { throttle } = progress;
    if (throttle !== null && throttle.reason !== throttled) lines.push(`copy held back: ${throttle.text}`);
    throttled = throttle?.reason ?? null;
    if (progress.phase !== phase) {
      phase = progress.phase;
      lines.push(...phaseLines(run));
    }
    return lines;
  };
}

function stateLines(origin: string, { state, copied }: TableProgress): string[] {
  // After a restart a table that was copied before follows at once, with nothing copied.
  if (state === 'following' && copied > 0) return [`copied ${origin}   ${count(copied)} rows`];
  if (state === 'paused') return [`the copy of ${origin} is paused: lockstep table resume`];
  return state === 'removed' ? [`${origin} is not followed any more`] : [];
}

/** A table's first dead letter and the first value changed by policy, and the first for each further reason. */
function letterLines(
  origin: string,
  { reasons, changed }: TableProgress,
  said: Map<string, readonly string[]>,
): string[] {
  const codes = Object.keys(reasons).filter((code) => code !== 'WAITING');
  const lines =
    codes.length === 0 ? [] : [`warn  ${origin} has dead letters (${codes.join(', ')}): lockstep rejects list`];
  const names = Object.keys(changed).join(', ');
  if (names !== '') lines.push(`note  ${origin} has values that the target cannot hold, changed by policy (${names})`);
  const fresh = lines.filter((line) => !(said.get(origin) ?? []).includes(line));
  said.set(origin, lines);
  return fresh;
}

/** Once per time that a table's indexes are made, and for each new reason why they are not. */
function indexLines(origin: string, { indexes }: TableProgress, said: Map<string, IndexProgress | string>): string[] {
  if (indexes === null) return [];
  const { made, wanted, waits } = indexes;
  if (waits !== null && said.get(origin) !== waits) {
    said.set(origin, waits);
    return [`note  indexes of ${origin} wait: ${waits}`];
  }
  if (waits !== null || made < wanted || said.get(origin) === indexes || made + indexes.lost.length === 0) return [];
  said.set(origin, indexes);
  const lines = indexes.lost.map(({ name, reason }) =>
    name === '*' ? `warn  indexes of ${origin}: ${reason}` : `warn  index ${name} of ${origin}: ${reason}`,
  );
  return indexes.made === 0 ? lines : [`indexed ${origin}   ${plural(indexes.made, 'index', 'indexes')}`, ...lines];
}

function phaseLines({ progress }: PipelineRun): string[] {
  switch (progress.phase) {
    case 'copying': {
      const estimate = [...progress.tables.values()].reduce((sum, table) => sum + (table.estimatedRows ?? 0), 0);
      return [`copying ${plural(progress.tables.size, 'table')}, about ${rough(estimate)} rows`];
    }
    case 'following':
      return [progress.lagMs === null ? 'following' : `following   lag ${duration(progress.lagMs)}`];
    case 'standby':
      return progress.failure === null ? ['standing by: another process works for this target'] : [];
    // Each is announced by what leads to it: an error with its next try, or the end of the command.
    case 'starting':
    case 'retrying':
    case 'stopped':
      return [];
    default:
      return unreachable(progress.phase);
  }
}
