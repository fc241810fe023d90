import { availableParallelism } from 'node:os';
import type { Server } from '../dev/servers/index.ts';
import type { Measured } from './measure.ts';
import type { Figure, Result } from './report.ts';
import { titlesOf, type Stage } from './stage.ts';

/** What the servers take of the same rows or changes without Lockstep, measured in the same run. */
export interface Limit {
  /** As in `rows/s of …`. */
  readonly name: string;
  readonly seconds: number;
}

export interface Throughput {
  readonly variant: string;
  readonly rows: number;
  readonly run: number;
  readonly servers: readonly Server[];
  readonly measured: Measured;
  readonly limit: Limit | null;
}

interface ThroughputResult extends Result, Measured {
  readonly rows: number;
  readonly rowsPerSecond: number;
  /** As above, but counted from the first row that was visible in the target. */
  readonly rowsPerSecondFromFirst: number | null;
  readonly limit: string | null;
  readonly limitRowsPerSecond: number | null;
}

/** Keeps a run; one that warms up is only said. */
export async function count(stage: Stage, throughput: Throughput): Promise<void> {
  const { variant, rows, run, servers, measured, limit } = throughput;
  if (run === 0) return stage.report.say(`  warm-up: ${measured.seconds.toFixed(2)} s`);
  const { seconds, firstMs } = measured;
  const result: ThroughputResult = {
    bench: stage.options.bench,
    variant,
    servers: titlesOf(servers),
    rows,
    run,
    rowsPerSecond: rows / seconds,
    rowsPerSecondFromFirst: firstMs === null ? null : rows / Math.max(0.001, seconds - firstMs / 1000),
    limit: limit?.name ?? null,
    limitRowsPerSecond: limit === null ? null : rows / limit.seconds,
    ...measured,
  };
  await stage.report.add(result, figuresOf(result));
}

function figuresOf(result: ThroughputResult): Figure[] {
  const { rows, rowsPerSecond, limit, limitRowsPerSecond } = result;
  // Lockstep's and the servers': where that is nearly all of them, the machine is the limit.
  const busy = Object.values(result.cpu).reduce((sum, spent) => sum + spent, 0) / result.seconds;
  return [
    { name: 'rows/s', value: rowsPerSecond },
    { name: 'seconds', value: result.seconds, digits: 2 },
    { name: 'rows/s from the first row', value: result.rowsPerSecondFromFirst },
    { name: `rows/s of ${limit ?? 'the limit'}`, value: limitRowsPerSecond },
    {
      name: `times ${limit ?? 'the limit'}`,
      value: limitRowsPerSecond === null ? null : rowsPerSecond / limitRowsPerSecond,
      digits: 2,
    },
    { name: 'ms to the first change', value: result.firstMs },
    { name: `cores busy, of ${availableParallelism()}`, value: busy, digits: 2 },
    ...Object.entries(result.cpu).map(([process, spent]) => ({
      name: `CPU s per million: ${process}`,
      value: (spent * 1e6) / rows,
      digits: 2,
    })),
    { name: 'peak MB: lockstep', value: result.peakBytes / 1e6 },
    ...Object.entries(result.serverPeakBytes).map(([kind, bytes]) => ({
      name: `peak MB: ${kind}`,
      value: bytes / 1e6,
    })),
  ];
}
