import { connectionOf } from './data.ts';
import type { Connection } from 'mysql2/promise';
import { startServer, type Kind, type Server } from '../dev/servers/index.ts';
import type { BenchOptions } from './options.ts';
import type { Report } from './report.ts';
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

/** Names and versions, as results keep them. */
export function titlesOf(servers: readonly Server[]): string[] {
  return servers.map(({ kind, version }) => `${kind} ${/^\d+(\.\d+)*/.exec(version)?.[0] ?? version}`);
}
