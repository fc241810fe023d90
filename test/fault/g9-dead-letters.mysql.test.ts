import { type Db, MongoClient } from 'mongodb';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { lockstep, startLockstep, until } from '../e2e/cli.ts';
import { caughtUp, expectEqual, inDatabase, newScene, onPostgres, openEntries, type Scene } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { seed } from '../support/seed.ts';
import { durableRows, killedOnce, said } from './kills.ts';
import { endInOrder } from './returns.ts';

const ROWS = 20_000;
const servers = new AsyncDisposableStack();
let source: Server;
let postgres: Server;
let mongodb: Server;
let client: Connection;

beforeAll(async () => {
  [source, postgres, mongodb] = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
    startServer('mongodb', { fast: true, own: true }),
  ]);
  for (const server of [source, postgres, mongodb]) servers.use(server);
  client = await openClient(source.url);
  servers.defer(() => client.destroy());
});
afterAll(async () => await servers.disposeAsync());

/** Letters as `rejects list --json` has them. */
interface Letter {
  readonly table: string;
  readonly keys: readonly string[];
  readonly state: string;
  readonly code: string;
}

async function lettersOf({ file }: Scene): Promise<readonly Letter[]> {
  const { code, stdout } = await lockstep(['rejects', 'list', file, '--json']);
  expect(code).toBe(0);
  const { targets } = JSON.parse(stdout) as { targets: readonly { deadLetters: readonly Letter[] }[] };
  return targets.flatMap(({ deadLetters }) => deadLetters);
}

/** A pipeline whose target does not take negative totals; every `bad`th row has one. */
async function spoilt(name: string, bad: number): Promise<Scene> {
  await createOrders(name, bad);
  const scene = await newScene(name, { source: source.url, target: postgres });
  const table = `CREATE TABLE ${name}.orders (id int PRIMARY KEY, total int CHECK (total >= 0), note varchar(40))`;
  await onPostgres(inDatabase(postgres.url, name), `CREATE SCHEMA ${name}; ${table}`);
  return scene;
}

async function onDocuments(name: string, work: (db: Db) => Promise<void>): Promise<void> {
  const documents = await MongoClient.connect(inDatabase(mongodb.url, name));
  try {
    await work(documents.db());
  } finally {
    await documents.close();
  }
}

async function createOrders(name: string, bad: number): Promise<void> {
  await client.query(`CREATE DATABASE ${name}`);
  await client.query(`CREATE TABLE ${name}.orders (id INT PRIMARY KEY, total INT, note VARCHAR(40))`);
  for (let at = 0; at < ROWS; at += 5000) {
    const rows = Array.from({ length: 5000 }, (_, i) => `(${at + i}, ${(at + i) % bad === 0 ? -1 : 1}, 'row ${i}')`);
    await client.query(`INSERT INTO ${name}.orders VALUES ${rows.join()}`);
  }
}

describe('a bad row stops nobody else', () => {
  test('killed in the copy and after it, every row is in the target or among the dead letters', async () => {
    const random = seeded(seed);
    const scene = await spoilt('killed', 1000);
    await using entries = await openEntries(scene);
    await killedOnce(scene, entries, (now) => durableRows(now, 'killed.orders') > 0, random);
    await caughtUp(scene, 'may heal');
    const bad = Array.from({ length: ROWS / 1000 }, (_, i) => String(i * 1000));
    expect((await lettersOf(scene)).flatMap(({ keys }) => keys).toSorted()).toEqual(bad.toSorted());

    for (let i = 0; i < 200; i += 1) {
      const [id, total] = [random.int(ROWS), random.int(10) - 1];
      await client.query(`UPDATE killed.orders SET total = ${total}, note = 'changed ${i}' WHERE id = ${id}`);
    }
    await client.query('UPDATE killed.orders SET note = CONCAT(note, 1) WHERE id < 10000');
    const before = (await entries.read()).get('stream');
    await killedOnce(scene, entries, (now) => now.get('stream') !== before, random);
    await caughtUp(scene, 'may heal');
    const held = new Set((await lettersOf(scene)).flatMap(({ keys }) => keys.map(Number)));
    const url = inDatabase(postgres.url, 'killed');
    const there = await onPostgres<{ id: number; total: number; note: string }>(url, 'SELECT * FROM killed.orders');
    const [wanted] = await client.query(`SELECT * FROM killed.orders`);
    const good = (rows: readonly { readonly id: number }[]): unknown[] =>
      rows.filter(({ id }) => !held.has(id)).toSorted((a, b) => a.id - b.id);
    expect(good(there)).toEqual(good(wanted as typeof there));
    expect(there.every(({ total }) => total >= 0)).toBe(true);

    await client.query('UPDATE killed.orders SET total = 5 WHERE total < 0');
    await caughtUp(scene);
    const { code, stdout } = await lockstep(['rejects', 'retry', scene.file]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/applied \d+ dead letters/)]);
    expect(await lettersOf(scene)).toEqual([]);
    await expectEqual(scene);
  });

  test('read = applied + filtered + dead letters, by table and reason', async () => {
    const scene = await spoilt('counted', 500);
    const { file } = scene;
    const { stdout } = await lockstep(['run', file, '--until', 'caught-up', '--json']);
    const { targets } = JSON.parse(stdout) as { targets: { warehouse: { tables: Record<string, unknown> } } };
    expect(targets.warehouse.tables).toEqual({
      'counted.orders': {
        read: ROWS,
        applied: ROWS - 40,
        filtered: 0,
        copied: ROWS,
        deadLetters: 40,
        reasons: { TARGET_ROW_REFUSED: 40 },
        changed: {},
        indexes: null,
      },
    });
    await client.query("UPDATE counted.orders SET note = 'waits' WHERE id IN (500, 501)");
    expect(await caughtUp(scene)).toMatchObject({ warehouse: { read: 2, applied: 1, deadLetters: 1 } });
    const one = await lockstep(['rejects', 'show', file, '--table', 'counted.orders', '--key', '500', '--json']);
    expect(JSON.parse(one.stdout)).toMatchObject({
      targets: [
        {
          deadLetters: [
            { kind: 'read', state: 'refused', after: { id: 500, total: -1, note: 'row 500' } },
            { kind: 'update', state: 'waiting', after: { id: 500, total: -1, note: 'waits' } },
          ],
        },
      ],
    });
    const status = await lockstep(['status', file, '--json']);
    expect(JSON.parse(status.stdout)).toMatchObject({ targets: [{ deadLetters: { 'counted.orders': 41 } }] });
    const still = await lockstep(['rejects', 'retry', file, '--key', '500']);
    expect([still.code, still.stdout]).toEqual([1, expect.stringContaining('still refused')]);
    const dropped = await lockstep(['rejects', 'drop', file, '--key', '500', '--json']);
    expect(JSON.parse(dropped.stdout)).toMatchObject({ targets: [{ target: 'warehouse', dropped: 2 }] });
    expect(await lettersOf(scene)).toHaveLength(39);
    await client.query('UPDATE counted.orders SET total = 1 WHERE id = 500');
    expect(await caughtUp(scene)).toMatchObject({ warehouse: { read: 1, applied: 1, deadLetters: 0 } });
  });

  test('retried beside a running pipeline they are in step again, without a restart by hand', async () => {
    const scene = await spoilt('beside', 5000);
    const running = startLockstep(['run', scene.file]);
    try {
      await until(
        () => running.stdout().includes('following'),
        () => said(running),
      );
      expect(running.stdout()).toMatch(/warn {2}beside\.orders has dead letters \(TARGET_ROW_REFUSED\)/);
      await client.query('UPDATE beside.orders SET total = 3 WHERE total < 0');
      await until(
        async () => (await lettersOf(scene)).length === 8,
        () => said(running),
      );
      expect((await lockstep(['rejects', 'retry', scene.file])).code).toBe(0);
      await client.query('UPDATE beside.orders SET total = 4 WHERE id % 5000 = 0');
      const url = inDatabase(postgres.url, 'beside');
      const arrived = async (): Promise<boolean> =>
        (await onPostgres(url, 'SELECT 1 FROM beside.orders WHERE total = 4')).length === 4;
      await until(arrived, () => said(running));
    } finally {
      await endInOrder(running);
    }
    await caughtUp(scene);
    expect(await lettersOf(scene)).toEqual([]);
    await expectEqual(scene);
  });

  test('in MongoDB too, killed while it copies', async () => {
    const random = seeded(seed);
    await createOrders('documents', 1000);
    const scene = await newScene('documents', { source: source.url, target: mongodb });
    await onDocuments('documents', async (db) => {
      await db.createCollection('orders', { validator: { total: { $gte: 0 } } });
    });
    await using entries = await openEntries(scene);
    await killedOnce(scene, entries, (now) => durableRows(now, 'documents.orders') > 0, random);
    await caughtUp(scene, 'may heal');
    expect(await lettersOf(scene)).toHaveLength(20);
    await client.query("UPDATE documents.orders SET total = 1, note = 'mended' WHERE total < 0");
    await caughtUp(scene);
    expect(await lettersOf(scene)).toHaveLength(40);
    expect((await lockstep(['rejects', 'retry', scene.file])).code).toBe(0);
    await expectEqual(scene);
  });

  test('too many of them stop it, and it goes on once the cause is mended', async () => {
    const scene = await spoilt('limited', 10);
    const stopped = await lockstep(['run', scene.file, '--until', 'caught-up']);
    expect([stopped.code, stopped.stderr]).toEqual([1, expect.stringMatching(/^error TARGET_DEAD_LETTERS {3}.*total/)]);
    await client.query('UPDATE limited.orders SET total = 7');
    const drop = 'ALTER TABLE limited.orders DROP CONSTRAINT orders_total_check';
    await onPostgres(inDatabase(postgres.url, 'limited'), drop);
    expect((await lockstep(['rejects', 'retry', scene.file])).code).toBe(0);
    await caughtUp(scene);
    await expectEqual(scene);
  });
});
