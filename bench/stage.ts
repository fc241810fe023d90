import { connectionOf } from './data.ts';
import type { Connection } from 'mysql2/promise';
import { startServer, type Kind, type Server } from '../dev/servers/index.ts';
import type { BenchOptions } from './options.ts';
import type { Measured } from './measure.ts';
import type { Report, Result } from './report.ts';
import { openBenchTarget, type BenchTarget } from './targets.ts';

/** What every benchmark works with. */
export interface Stage {
  readonly options: BenchOptions;
  readonly source: Server;
  readonly sink: Server;
  readonly target: BenchTarget;
  /** To the source, for making data. */
  readonly connection: Connection;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Started beside the source and the target. */
  readonly start: (kind: Kind) => Promise<Server>;
}

/** Starts source and target and hands them to `work`; whatever was started is stopped afterwards. */
export async function onStage(
  options: BenchOptions,
  report: Report,
  signal: AbortSignal,
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  const opened = new AsyncDisposableStack();
  try {
    const start = async (kind: Kind): Promise<Server> => {
      signal.throwIfAborted();
      const server = opened.use(await startServer(kind, { own: true, fast: options.fast }));
      report.say(`${kind} ${server.version}`);
      return server;
    };
    const source = await start(options.source);
    const sink = await start(options.target);
    const target = opened.use(await openBenchTarget(sink));
    const connection = await connectionOf(source.url);
    opened.defer(() => connection.destroy());
    await work({ options, source, sink, target, connection, report, signal, start });
  } finally {
    await opened.disposeAsync();
  }
}

/** The numbers of the runs: 0 warms up and is not counted, unless there is one run only. */
export function runNumbers({ runs }: BenchOptions): number[] {
  return runs === 1 ? [1] : Array.from({ length: runs + 1 }, (_, run) => run);
}

export interface Counted {
  readonly variant: string;
  readonly rows: number;
  readonly run: number;
  readonly servers: readonly Server[];
  readonly measured: Measured;
  readonly limitSeconds: number | null;
}

export async function count(
  stage: Stage,
  { variant, rows, run, servers, measured, limitSeconds }: Counted,
): Promise<void> {
  if (run === 0) return stage.report.say(`  warm-up: ${measured.seconds.toFixed(2)} s`);
  const { seconds, firstMs } = measured;
  const result: Result = {
    bench: stage.options.bench,
    variant,
    servers: servers.map(({ kind, version }) => `${kind} ${/^\d+(\.\d+)*/.exec(version)?.[0] ?? version}`),
    rows,
    run,
    rowsPerSecond: rows / seconds,
    rowsPerSecondFromFirst: firstMs === null ? null : rows / Math.max(0.001, seconds - firstMs / 1000),
    limitRowsPerSecond: limitSeconds === null ? null : rows / limitSeconds,
    ...measured,
  };
  await stage.report.add(result);
}
