import { MongoClient } from 'mongodb';
import { Client } from 'pg';
import { BENCH_DATABASE } from '../data.ts';
import type { BenchTarget } from '../targets.ts';
import { monotonicMs } from './clock.ts';
import { LANES } from './schedule.ts';

/** Observes a table of a target, `schema.table` in PostgreSQL; a collection has the name behind the point. */
export async function openObserver(
  { kind, url }: Pick<BenchTarget, 'kind' | 'url'>,
  table: string,
  onSeen: OnSeen,
): Promise<AsyncDisposable> {
  if (kind === 'postgres') return await observePostgres(url, table, onSeen);
  return await observeMongodb(url, table.slice(table.indexOf('.') + 1), onSeen);
}

/** Called for each row once readers of the target can see it, with the time at which that was heard of. */
export type OnSeen = (id: number, atMs: number) => void;

const CHANNEL = 'lockstep_bench';

/**
 * Hears from PostgreSQL which rows of a table can be seen: a trigger notifies, once per statement and not per row, of the newest id of each
 * connection of the writer, whose order Lockstep keeps; the server passes that on when the transaction is visible. Nobody asks again and again, and
 * nothing is read that is not new. What the notice itself takes is measured beside (`Straight.notice`).
 */
async function observePostgres(url: string, table: string, onSeen: OnSeen): Promise<AsyncDisposable> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE OR REPLACE FUNCTION ${CHANNEL}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_notify('${CHANNEL}', (SELECT string_agg(newest::text, ' ') FROM
      (SELECT max(id) AS newest FROM fresh GROUP BY id % ${String(LANES)}) AS lanes));
    RETURN NULL; END $$`);
  await client.query(`CREATE OR REPLACE TRIGGER ${CHANNEL} AFTER INSERT ON ${table} REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION ${CHANNEL}()`);
  await client.query(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${CHANNEL}`); // Lockstep writes as a replica
  const next = new Map<number, number>();
  const { rows } = await client.query<{ id: string }>(
    `SELECT max(id)::text AS id FROM ${table} GROUP BY id % ${String(LANES)}`,
  );
  for (const { id } of rows) next.set(Number(id) % LANES, Number(id) + LANES);
  client.on('notification', ({ payload = '' }) => {
    const atMs = monotonicMs();
    for (const newest of payload.split(' ').filter(Boolean).map(Number)) {
      const lane = newest % LANES;
      for (let id = next.get(lane) ?? lane; id <= newest; id += LANES) onSeen(id, atMs);
      next.set(lane, newest + LANES);
    }
  });
  await client.query(`LISTEN ${CHANNEL}`);
  return {
    async [Symbol.asyncDispose]() {
      await client.query(`DROP TRIGGER IF EXISTS ${CHANNEL} ON ${table}`);
      await client.end();
    },
  };
}

/** Hears it from a change stream, which gives each document once the majority has it. */
async function observeMongodb(url: string, table: string, onSeen: OnSeen): Promise<AsyncDisposable> {
  const client = await new MongoClient(url).connect();
  const only = [{ $match: { operationType: 'insert' } }, { $project: { documentKey: 1 } }];
  const stream = client.db(BENCH_DATABASE).collection(table).watch(only);
  stream.on('change', (change: unknown) => onSeen(idOf(change), monotonicMs()));
  stream.on('error', () => undefined); // what is not seen is missed in the end
  await new Promise((resolve) => stream.once('resumeTokenChanged', resolve));
  return {
    async [Symbol.asyncDispose]() {
      await stream.close();
      await client.close();
    },
  };
}

function idOf(change: unknown): number {
  const key = typeof change === 'object' && change !== null && 'documentKey' in change ? change.documentKey : null;
  return typeof key === 'object' && key !== null && '_id' in key ? Number(key._id) : Number.NaN;
}
