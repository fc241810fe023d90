import type { Connection } from 'mysql2/promise';
import type { Values } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { Progress } from '../../core/progress.ts';
import { sleep } from '../../core/signals.ts';
import { MemoryServer } from './memory-target.ts';
import { never, runSource, type SourceRun } from './mysql-run.ts';

let pipelines = 0;

/** A pipeline that has copied the tables and is asked later what it made of the log since. */
export interface Following {
  readonly run: SourceRun;
  /** Reads the log up to its end. */
  readonly catchUp: () => Promise<void>;
  readonly rows: (table: string) => Values[];
  /** The position that the target holds. */
  readonly token: () => string;
}

/** Copies the tables of `shop`; each time it catches up it does so as a new process. */
export async function following(url: string, more: Partial<SourceRun> = {}): Promise<Following> {
  const server = new MemoryServer();
  const pipeline = `events${(pipelines += 1)}`;
  const run: SourceRun = { url, tables: ['shop.*'], server, pipeline, marker: 'lockstep.marker', ...more };
  await runSource(run);
  return {
    run,
    catchUp: async () => void (await runSource(run)),
    rows: (name) => sorted(server.rows({ database: 'shop', name })),
    token: () => server.tokens(pipeline).get('stream') ?? '',
  };
}

/** What a copy shows now: the server's own answer. */
export async function copied(url: string, name: string): Promise<Values[]> {
  const { rows } = await following(url);
  return rows(name);
}

export function sorted(rows: readonly Values[]): Values[] {
  return rows.toSorted((a, b) => Number(a[0]) - Number(b[0]));
}

export async function runAll(client: Connection, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement);
}

export type Arrived = (table: string, id: number) => Promise<void>;

/** Does something while the pipeline follows; it may wait for rows to arrive. */
export async function whileFollowing(
  pipeline: Following,
  act: (arrived: Arrived) => Promise<void>,
): Promise<Following> {
  const stop = new AbortController();
  const progress = new Progress();
  const running = runSource({ ...pipeline.run, until: null, progress, signal: stop.signal });
  running.catch(() => undefined);
  const arrived: Arrived = async (table, id) => {
    while (!pipeline.rows(table).some((row) => row[0] === id)) await Promise.race([sleep(10, never), running]);
  };
  try {
    await act(arrived);
  } finally {
    stop.abort(new Error('the test has ended'));
    await running.catch(() => undefined);
  }
  return pipeline;
}

export async function failureOf(running: Promise<unknown>): Promise<LockstepError> {
  try {
    await running;
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
  throw new Error('it went well');
}
