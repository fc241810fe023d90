import type { Progress, TableProgress } from '../../core/progress.ts';
import { healthOf } from '../health.ts';
import { totalOf } from '../outcome.ts';
import type { PipelineRun } from '../pipeline.ts';
import { bar, count, duration, plural, rough } from './format.ts';
import type { Rates } from './rates.ts';

export interface FrameOptions {
  readonly title: string;
  readonly runs: readonly PipelineRun[];
  readonly rates: Rates;
  /** Lines are cut to `columns`; tables beyond what `rows` hold become one line. */
  readonly columns: number;
  readonly rows: number;
  readonly nowMs: number;
}

/** The live view as lines: a title, and per run its tables and how it follows. */
export function frame(options: FrameOptions): string[] {
  const { title, runs, columns, rows } = options;
  const several = runs.length > 1;
  const perRun = Math.max(1, Math.floor((rows - 2) / Math.max(1, runs.length)) - (several ? 3 : 2));
  const lines = runs.flatMap((run) => [
    ...(several ? [run.name] : []),
    ...tableLines(run, perRun, options),
    ...throttleLines(run),
    followLine(run, options),
  ]);
  return [title, ...lines].map((line) => (line.length > columns - 1 ? `${line.slice(0, columns - 2)}…` : line));
}

/** `shop   mysql db1:3306 → warehouse (postgres pg1/shop), catalog (mongodb mongo1/shop)` */
export function titleOf(pipeline: string, runs: readonly PipelineRun[]): string {
  const bySource = Map.groupBy(runs, (run) => run.source.label);
  const ways = [...bySource].map(([from, same]) => `${from} → ${same.map((run) => run.target.label).join(', ')}`);
  return `${pipeline}   ${ways.join(' · ')}`;
}

/** Table names as short as they are clear: without the database where there is only one. */
export function shortNames(progress: Progress): (origin: string) => string {
  const origins = [...progress.tables.keys()];
  const database = origins[0]?.split('.', 1)[0];
  const one = database !== undefined && origins.every((origin) => origin.startsWith(`${database}.`));
  return (origin) => (one ? origin.slice(database.length + 1) : origin);
}

type Entry = readonly [origin: string, table: TableProgress];

function tableLines(run: PipelineRun, room: number, options: FrameOptions): string[] {
  const tables: Entry[] = [...run.progress.tables];
  const order = { copying: 0, paused: 1, following: 2, waiting: 3, removed: 4 };
  const shown =
    tables.length <= room
      ? tables
      : tables.toSorted((a, b) => order[a[1].state] - order[b[1].state]).slice(0, room - 1);
  const named = shortNames(run.progress);
  const width = Math.min(32, Math.max(9, ...shown.map(([origin]) => named(origin).length)));
  const lines = shown.map((entry) => tableLine(run, entry, named(entry[0]).padEnd(width).slice(0, width), options));
  const rest = tables.slice().filter((entry) => !shown.includes(entry));
  return rest.length === 0 ? lines : [...lines, restLine(rest)];
}

function tableLine(run: PipelineRun, [origin, table]: Entry, name: string, options: FrameOptions): string {
  const { estimatedRows, indexes, state } = table;
  const copied = table.copied - table.copiedBefore;
  if (state === 'waiting') return `copy   ${name}  waiting`;
  if (state === 'paused') return `copy   ${name}  paused    ${count(copied)} rows   lockstep table resume`;
  if (state === 'removed') return `copy   ${name}  removed`;
  if (state === 'following' && indexes !== null && indexes.made < indexes.wanted)
    return `index  ${name}  ${indexes.waits ?? `${count(indexes.made)} of ${plural(indexes.wanted, 'index', 'indexes')}`}`;
  if (state === 'following' && copied === 0) return `copy   ${name}  done before`;
  if (state === 'following') return `copy   ${name}  100 %  ${count(copied).padStart(11)} rows`;
  const rate = options.rates.perSecond(`${run.name}/${origin}`, copied, options.nowMs);
  if (estimatedRows === null || estimatedRows === 0) {
    return `copy   ${name}    …    ${count(copied).padStart(11)} rows   ${rough(rate)} rows/s`;
  }
  // The estimate may be too small: a copy that goes on is not at 100 %.
  const share = Math.min(0.99, copied / estimatedRows);
  const left =
    rate > 0 && copied < estimatedRows ? `   ${duration(((estimatedRows - copied) / rate) * 1000)} left` : '';
  const start = `copy   ${name}  ${percent(share)}  ${count(copied).padStart(11)} of ~${rough(estimatedRows)}`;
  for (const end of [`   ${rough(rate)} rows/s${left}`, `   ${rough(rate)}/s${left.replace(' left', '')}`]) {
    const space = Math.min(20, options.columns - start.length - end.length - 4);
    if (space >= 6) return `${start}   ${bar(share, space)}${end}`;
  }
  return `${start}   ${rough(rate)} rows/s`;
}

function throttleLines({ progress: { throttle } }: PipelineRun): string[] {
  return throttle === null ? [] : [`copy   held back: ${throttle.text}`];
}

function percent(share: number): string {
  return `${String(Math.floor(share * 100)).padStart(3)} %`;
}

function restLine(rest: readonly Entry[]): string {
  const done = rest.filter(([, table]) => table.state === 'following' || table.state === 'removed').length;
  const rows = rest.reduce((sum, [, table]) => sum + table.copied, 0);
  return `copy   ${plural(rest.length, 'more table')}: ${count(done)} done, ${count(rest.length - done)} not yet   ${count(rows)} rows`;
}

function followLine(run: PipelineRun, { rates, nowMs }: FrameOptions): string {
  const { progress } = run;
  const { failure, lagMs, phase } = progress;
  if (failure !== null && failure.nextTryAtMs !== null) {
    return `${phase === 'standby' ? 'stand by' : 'retry'}  ${failure.code}   next try in ${duration(Math.max(0, failure.nextTryAtMs - nowMs))}`;
  }
  if (phase === 'starting') return `start  connecting to ${run.source.label} and ${run.target.label}`;
  if (phase === 'stopped') return 'stopped';
  if (phase === 'standby') return 'stand by  another process works for this target';
  const { read, copied, applied, filtered, deadLetters } = totalOf(progress);
  const rate = rates.perSecond(run.name, read - copied, nowMs);
  const health = healthOf(progress, nowMs);
  const lag = lagMs === null ? '' : `lag ${duration(lagMs)}   `;
  return (
    `follow ${health.reason ?? 'healthy'}   ${lag}${rough(rate)} changes/s   ` +
    `applied ${count(applied)}  filtered ${count(filtered)}  dead letters ${deadLetters}`
  );
}
