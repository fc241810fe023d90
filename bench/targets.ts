import { MongoClient } from 'mongodb';
import { Client } from 'pg';
import type { Server } from '../dev/servers/index.ts';
import { databaseOf } from '../verify/mongodb.ts';
import { BENCH_DATABASE } from './data.ts';

/** What a benchmark does with a target beside letting Lockstep write to it. */
export interface BenchTarget extends AsyncDisposable {
  readonly kind: 'postgres' | 'mongodb';
  readonly url: string;
  /** Removes everything that an earlier run has left. */
  clear(): Promise<void>;
  /** True once the table holds the row with this id, or any row. */
  holds(table: string, id: number | null): Promise<boolean>;
  /** The largest id of the table; -1 while it has no row with one that is not negative. */
  newest(table: string): Promise<number>;
}

export async function openBenchTarget(server: Server): Promise<BenchTarget> {
  return server.kind === 'mongodb' ? await openMongodb(server.url) : await openPostgres(server.url);
}

async function openPostgres(url: string): Promise<BenchTarget> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    kind: 'postgres',
    url,
    async clear() {
      await client.query(`DROP SCHEMA IF EXISTS ${BENCH_DATABASE} CASCADE; DROP SCHEMA IF EXISTS lockstep CASCADE`);
      await client.query('CHECKPOINT');
    },
    async holds(table, id) {
      const where = id === null ? '' : `WHERE id = ${String(id)}`;
      const found = await client
        .query(`SELECT 1 FROM ${BENCH_DATABASE}.${table} ${where} LIMIT 1`)
        .catch(missingIsNull);
      return (found?.rowCount ?? 0) > 0;
    },
    async newest(table) {
      const { rows } = await client.query<{ newest: string | null }>(
        `SELECT max(id) AS newest FROM ${BENCH_DATABASE}.${table}`,
      );
      return Math.max(-1, Number(rows[0]?.newest ?? -1));
    },
    async [Symbol.asyncDispose]() {
      await client.end();
    },
  };
}

function missingIsNull(error: unknown): null {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === '42P01' || code === '3F000') return null; // not created yet
  throw error;
}

async function openMongodb(server: string): Promise<BenchTarget> {
  const url = server.replace('/?', `/${BENCH_DATABASE}?`);
  const client = await new MongoClient(url).connect();
  const database = client.db(databaseOf(url) ?? BENCH_DATABASE);
  return {
    kind: 'mongodb',
    url,
    async clear() {
      await database.dropDatabase();
      await client.db('lockstep').dropDatabase();
    },
    async holds(table, id) {
      const filter = id === null ? {} : { id };
      return (await database.collection(table).findOne(filter, { projection: { _id: 1 } })) !== null;
    },
    async newest(table) {
      const [newest] = await database.collection(table).find().sort({ _id: -1 }).limit(1).toArray();
      return Math.max(-1, Number(newest?._id ?? -1));
    },
    async [Symbol.asyncDispose]() {
      await client.close();
    },
  };
}
