import { MongoClient } from 'mongodb';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until, type Running } from '../e2e/cli.ts';
import { newScene, onPostgres, type Scene } from '../e2e/scene.ts';
import { said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';
import { endInOrder, write } from './returns.ts';

const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;
let mongodb: Server;

beforeAll(async () => {
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
    startServer('mongodb', { fast: true, own: true }),
  ]);
  for (const server of started) servers.use(server);
  [mysql, postgres, mongodb] = started;
});
afterAll(async () => await servers.disposeAsync());

/** A pipeline that follows two tables. */
async function following(name: string, target: Server): Promise<{ scene: Scene; running: Running }> {
  const scene = await newScene(name, { source: mysql.url, target });
  await write(scene, `CREATE DATABASE ${name}`);
  for (const table of ['a', 'b']) {
    await write(scene, `CREATE TABLE ${name}.${table} (id INT PRIMARY KEY, v INT)`);
    await write(scene, `INSERT INTO ${name}.${table} VALUES (1, 0), (2, 0)`);
  }
  const running = startLockstep(['run', scene.file]);
  await until(
    () => running.stdout().includes('following'),
    () => said(running),
  );
  return { scene, running };
}

/** Both tables in one transaction of the source. */
async function writeBoth(scene: Scene, v: number): Promise<void> {
  await write(scene, `UPDATE ${scene.name}.a, ${scene.name}.b SET a.v = ${v}, b.v = ${v} WHERE a.id = b.id`);
}

test('a deadlock with others who write to PostgreSQL, whatever isolation is its default, is rolled back and applied again', async () => {
  const { scene, running } = await following('deadlocked', postgres);
  await onPostgres(scene.target, 'ALTER DATABASE deadlocked SET default_transaction_isolation = serializable');
  for (const [first, second] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const other = new Client(scene.target);
    await other.connect();
    try {
      // So it is never the other one that is chosen to lose.
      await other.query("SET deadlock_timeout = '60s'");
      await other.query(`BEGIN; SELECT * FROM deadlocked.${first} FOR UPDATE`);
      await writeBoth(scene, first === 'a' ? 1 : 2);
      const waits =
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'lockstep/%'";
      await until(
        async () => (await onPostgres(scene.target, waits)).length > 0,
        () => `it does not wait: ${said(running)}`,
      );
      await other.query(`SELECT * FROM deadlocked.${second} FOR UPDATE`);
      await other.query('COMMIT');
    } finally {
      await other.end();
    }
    await arrivedBoth(scene, first === 'a' ? 1 : 2, running);
  }
  expect(said(running)).toMatch(/error TARGET_BUSY .*40P01.*next try/);
  await endInOrder(running);
  await expectNoneLostOrDoubled(scene, 'deadlocks with another client');
});

async function arrivedBoth({ target, name }: Scene, v: number, running: Running): Promise<void> {
  const sql = `SELECT 1 FROM ${name}.a JOIN ${name}.b USING (id) WHERE a.v = ${v} AND b.v = ${v}`;
  await until(
    async () => (await onPostgres(target, sql)).length === 2,
    () => `not there: ${said(running)}`,
  );
}

test('a write conflict with others who hold a document of MongoDB, for a moment or for long, is applied once they are done', async () => {
  const { scene, running } = await following('conflicted', mongodb);
  const other = await MongoClient.connect(scene.target);
  try {
    const documents = other.db().collection<{ _id: number; v: number }>('a');
    for (const [v, isLong] of [
      [1, false],
      [2, true],
    ] as const) {
      const session = other.startSession();
      session.startTransaction();
      await documents.updateOne({ _id: 2 }, { $set: { v: -1 } }, { session });
      const before = said(running).length;
      await writeBoth(scene, v);
      if (isLong) {
        await until(
          () => /error TARGET_BUSY .*next try/.test(said(running).slice(before)),
          () => `it does not say so: ${said(running)}`,
        );
      }
      await session.commitTransaction();
      await session.endSession();
      await until(
        async () => (await documents.countDocuments({ v })) === 2,
        () => `not there: ${said(running)}`,
      );
    }
  } finally {
    await other.close();
  }
  await endInOrder(running);
  await expectNoneLostOrDoubled(scene, 'write conflicts with another client');
});
