import { BENCH_DATABASE, createBenchDatabase, fillMixedTable, INDEXES, withoutSync } from './data.ts';
import { directConfig, expectEqualContents, measure } from './measure.ts';
import { measureInsert } from './limits/insert.ts';
import { findPipe, measurePipe } from './limits/pipe.ts';
import { runNumbers, type Stage } from './stage.ts';
import { count } from './throughput.ts';

const TABLE = 'mixed';

/** B1 and B1m: a table of 10 mixed columns from nothing to consistent, again and again into an empty target. */
export async function benchSnapshot(stage: Stage): Promise<void> {
  const { options, source, sink, target, connection, report, signal } = stage;
  const indexes = options.indexes ? INDEXES : [];
  report.say(`making ${String(options.rows)} rows`);
  await withoutSync(connection, async () => {
    await createBenchDatabase(connection);
    await fillMixedTable(connection, TABLE, options.rows, 1);
    for (const columns of indexes) await connection.query(`ALTER TABLE ${TABLE} ADD KEY ${columns}`);
  });
  const pipe = options.target === 'postgres' ? await findPipe() : null;
  if (pipe === null && options.target === 'postgres')
    report.say('without the limit: it needs psql and the client of MySQL or MariaDB');
  const tables = [`${BENCH_DATABASE}.${TABLE}`];
  const servers = [source, sink];
  for (const run of runNumbers(options)) {
    await target.clear();
    const piped =
      pipe === null
        ? null
        : await measurePipe(pipe, {
            source,
            target: sink,
            table: TABLE,
            rows: options.rows,
            indexes,
          });
    const measured = await measure({
      config: directConfig(stage, tables),
      args: [],
      servers,
      firstVisible: async () => await target.holds(TABLE, null),
    });
    await expectEqualContents(source.url, target.url, tables, signal);
    const limit = options.target === 'mongodb' ? await measureInsert(target.url, BENCH_DATABASE, TABLE) : piped;
    await count(stage, {
      variant: `${options.source} to ${options.target}${options.indexes ? ', two indexes' : ''}`,
      rows: options.rows,
      run,
      servers,
      measured,
      limit,
    });
  }
}
