import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Server } from '../../dev/servers/index.ts';
import { findProgram, run } from '../../dev/servers/process.ts';
import { BENCH_DATABASE, POSTGRES_TABLE } from '../data.ts';
import type { Limit } from '../throughput.ts';

/** The programs of the pipe; null where one of them is missing. */
interface Pipe {
  readonly mysql: string;
  readonly psql: string;
}

export async function findPipe(): Promise<Pipe | null> {
  const releases = await readdir('/usr/lib/postgresql').catch(() => []);
  const psql = await findProgram(
    ['psql'],
    releases.map((release) => join('/usr/lib/postgresql', release, 'bin')),
  );
  const mysql = await findProgram(['mariadb', 'mysql']);
  return mysql === null || psql === null ? null : { mysql, psql };
}

export interface Piped {
  readonly source: Server;
  readonly target: Server;
  readonly table: string;
  readonly rows: number;
  /** The columns of indexes to make behind the rows, all at once. */
  readonly indexes: readonly string[];
}

/**
 * Copies the table with the databases' own clients, `mysql | psql COPY`, into a table with a primary key: the limit of one
 * connection that speaks text. Throws when it fails or does not bring every row.
 */
export async function measurePipe(pipe: Pipe, { source, target, table, rows, indexes }: Piped): Promise<Limit> {
  const from = new URL(source.url);
  const client = new Client({ connectionString: target.url });
  await client.connect();
  try {
    await client.query(`DROP TABLE IF EXISTS limit_copy; CREATE TABLE limit_copy ${POSTGRES_TABLE}`);
    const started = performance.now();
    await run([
      '/bin/sh',
      '-c',
      SCRIPT,
      'sh',
      pipe.mysql,
      from.hostname,
      from.port,
      from.username,
      table,
      pipe.psql,
      target.url,
      from.password,
    ]);
    await Promise.all(indexes.map(async (columns) => await makeIndex(target.url, columns)));
    const seconds = (performance.now() - started) / 1000;
    const { rows: counted } = await client.query<{ count: string }>('SELECT count(*) FROM limit_copy');
    if (Number(counted[0]?.count) !== rows)
      throw new Error(`the pipe brought ${String(counted[0]?.count)} of ${String(rows)} rows`);
    await client.query('DROP TABLE limit_copy');
    return { name: 'the clients’ pipe', seconds };
  } finally {
    await client.end();
  }
}

async function makeIndex(url: string, columns: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE INDEX ON limit_copy ${columns}`);
  } finally {
    await client.end();
  }
}

/** `--raw` and `--quick`: no escaping, no buffering. The data has nothing to escape. */
const SCRIPT = `set -e; export MYSQL_PWD="$8"
{ "$1" --no-defaults -h "$2" -P "$3" -u "$4" --protocol=tcp --default-character-set=utf8mb4 --init-command="SET time_zone='+00:00'" \\
  -N --batch --raw --quick -e "SELECT * FROM ${BENCH_DATABASE}.$5" || echo 'the client of the source failed' ; } |
  "$6" -X -q -v ON_ERROR_STOP=1 "$7" -c "SET TimeZone='UTC'" -c "COPY limit_copy FROM STDIN"`;
