import { BACKLOG_TABLES, buildBacklog, type BacklogChange, type BacklogShape } from './backlog.ts';
import { BENCH_DATABASE, createBenchDatabase, fillMixedTable, MIXED_COLUMNS, withoutSync } from './data.ts';
import { UpsertLimit } from './limits/upsert.ts';
import { directConfig, expectEqualContents, measure } from './measure.ts';
import { runNumbers, type Stage } from './stage.ts';
import { count } from './throughput.ts';

export const TABLES = [`${BENCH_DATABASE}.*`];

/** B2: a backlog of single-row transactions, built while Lockstep is stopped, from its start to caught up. */
export async function benchDrain(stage: Stage): Promise<void> {
  const { options, source, sink, target, signal } = stage;
  const servers = [source, sink];
  const config = directConfig(stage, TABLES);
  await makeBase(stage, options.rows);
  await measure({ config, args: [], servers, firstVisible: null }); // the copy, which is not what is measured
  let seed = 1;
  for (const keys of ['uniform', 'zipf'] as const) {
    for (const run of runNumbers(options)) {
      const shape = { changes: options.rows, keys, changesPerTransaction: 1, seed: (seed += 1) } as const;
      const limit = options.target === 'postgres' ? await UpsertLimit.open(target.url) : null;
      try {
        const { table, id, changes } = await makeBacklog(stage, shape);
        const firstVisible = async (): Promise<boolean> => await target.holds(table, id);
        const measured = await measure({ config, args: [], servers, firstVisible });
        await expectEqualContents(source.url, target.url, TABLES, signal);
        const variant = `${keys} ${options.source} to ${options.target}`;
        const taken = (await limit?.measure(changes)) ?? null;
        await count(stage, { variant, rows: options.rows, run, servers, measured, limit: taken });
      } finally {
        await limit?.[Symbol.asyncDispose]();
      }
    }
  }
}

/** Four tables with so many rows in all for the updates and deletes to meet. */
export async function makeBase({ connection, report }: Stage, rows: number): Promise<void> {
  const each = Math.max(1000, Math.round(rows / BACKLOG_TABLES.length));
  report.say(`making ${String(BACKLOG_TABLES.length)} tables of ${String(each)} rows`);
  await withoutSync(connection, async () => {
    await createBenchDatabase(connection);
    for (const [i, table] of BACKLOG_TABLES.entries()) await fillMixedTable(connection, table, each, i + 1);
  });
}

export interface Backlog {
  /** A row by which its beginning can be seen in the target: the very first change inserts it. */
  readonly table: string;
  readonly id: number;
  /** All of it, in an order in which it may have come. */
  readonly changes: readonly BacklogChange[];
}

/** Builds the backlog; the row by which its beginning is seen comes on top of the shape's changes. */
export async function makeBacklog(stage: Stage, shape: BacklogShape): Promise<Backlog> {
  const { connection, source, report } = stage;
  const started = performance.now();
  const [table] = BACKLOG_TABLES;
  const id = -shape.seed;
  const changes: BacklogChange[] = [{ table, id, kind: 'insert' }];
  await withoutSync(connection, async () => {
    // The server reads a log file from its beginning to find where a dump is to start: not what is measured.
    await connection.query('FLUSH BINARY LOGS');
    await connection.query(
      `INSERT INTO ${BENCH_DATABASE}.${table} (${MIXED_COLUMNS}) SELECT ${String(id)}${MIXED_COLUMNS.slice('id'.length)}
        FROM ${BENCH_DATABASE}.${table} LIMIT 1`,
    );
    for (const change of await buildBacklog(source.url, shape)) changes.push(change);
  });
  const seconds = (performance.now() - started) / 1000;
  report.say(`backlog of ${String(shape.changes)} changes, ${shape.keys} keys, built in ${seconds.toFixed(1)} s`);
  return { table, id, changes };
}
