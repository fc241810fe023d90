import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';
import { endInOrder } from '../fault/returns.ts';
import { said } from '../fault/kills.ts';
import { lockstep, startLockstep, until } from './cli.ts';
import { caughtUp, expectEqual, inDatabase, newScene, onPostgres, type Scene } from './scene.ts';

const servers = new AsyncDisposableStack();
let mysql: Server;
let kafka: Server;
let postgres: Server;

beforeAll(async () => {
  const start = async (kind: 'mysql' | 'kafka' | 'postgres'): Promise<Server> =>
    servers.use(await startServer(kind, { fast: true, own: true }));
  [mysql, kafka, postgres] = await Promise.all([start('mysql'), start('kafka'), start('postgres')]);
});
afterAll(async () => await servers.disposeAsync());

async function keysOf({ file }: Scene): Promise<readonly string[]> {
  const { stdout } = await lockstep(['rejects', 'list', file, '--json']);
  const { targets } = JSON.parse(stdout) as { targets: { deadLetters: { keys: string[] }[] }[] };
  return targets.flatMap(({ deadLetters }) => deadLetters.flatMap(({ keys }) => keys));
}

test('a target that reads from Kafka sets aside what it refuses, in every lane, and a truncate takes it along', async () => {
  const via = `{ kafka: ['${kafka.url}'] }`;
  const scene = await newScene('lanes', { source: mysql.url, target: postgres, via, http: '127.0.0.1:0' });
  const table = 'CREATE TABLE lanes.orders (id int PRIMARY KEY, total int CHECK (total >= 0))';
  await onPostgres(inDatabase(postgres.url, 'lanes'), `CREATE SCHEMA lanes; ${table}`);
  await using client = await openClient(mysql.url);
  await client.query('CREATE DATABASE lanes');
  await client.query('CREATE TABLE lanes.orders (id INT PRIMARY KEY, total INT)');
  const rows = Array.from({ length: 200 }, (_, id) => `(${id}, ${id % 10 === 0 ? -1 : 1})`);
  await client.query(`INSERT INTO lanes.orders VALUES ${rows.join()}`);
  expect(await caughtUp(scene)).toMatchObject({ warehouse: { read: 200, applied: 180, deadLetters: 20 } });
  await client.query('UPDATE lanes.orders SET total = 2 WHERE id < 50');
  expect(await caughtUp(scene)).toMatchObject({ warehouse: { read: 50, applied: 45, deadLetters: 5 } });
  expect((await lockstep(['rejects', 'retry', scene.file, '--key', '10'])).code).toBe(0);
  expect(await keysOf(scene)).toHaveLength(23);
  await client.query('TRUNCATE lanes.orders');
  await client.query('INSERT INTO lanes.orders VALUES (10, 1), (20, 2)');
  await caughtUp(scene, 'may heal');
  expect(await keysOf(scene)).toEqual([]);
  await expectEqual(scene);
});

async function raise(topic: string): Promise<void> {
  const admin = new Kafka({ brokers: [kafka.url], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const configEntries = [
    { name: 'cleanup.policy', value: 'compact' },
    { name: 'max.message.bytes', value: '10000000' },
  ];
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
  await admin.disconnect();
}

test('a row too large for Kafka stops nobody else, also after a kill; once the topic takes it a retry beside the run brings it in step', async () => {
  const via = `{ kafka: ['${kafka.url}'] }`;
  const scene = await newScene('oversize', { source: mysql.url, target: postgres, via, http: '127.0.0.1:0' });
  const url = inDatabase(postgres.url, 'oversize');
  await using client = await openClient(mysql.url);
  await client.query('CREATE DATABASE oversize');
  await client.query('CREATE TABLE oversize.docs (id INT PRIMARY KEY, body MEDIUMTEXT)');
  await client.query(`INSERT INTO oversize.docs VALUES (0, REPEAT('x', 1500000)), (1, 'copied')`);
  const arrived = async (id: number, body: string): Promise<boolean> =>
    (await onPostgres(url, `SELECT 1 FROM oversize.docs WHERE id = ${id} AND body = '${body}'`)).length === 1;
  expect(await caughtUp(scene)).toMatchObject({ kafka: { read: 2, applied: 1, deadLetters: 1 } });

  const first = startLockstep(['run', scene.file]);
  await until(
    () => first.stdout().includes('following'),
    () => said(first),
  );
  await client.query(`INSERT INTO oversize.docs VALUES (2, 'a'), (3, REPEAT('y', 1500000)), (4, 'b')`);
  await client.query(`UPDATE oversize.docs SET body = 'waits' WHERE id = 3`);
  await client.query(`UPDATE oversize.docs SET id = 5 WHERE id = 2`);
  await until(
    async () => await arrived(5, 'a'),
    () => said(first),
  );
  await until(
    () => /warn {2}oversize\.docs has dead letters \(KAFKA_MESSAGE\)/.test(first.stdout()),
    () => said(first),
  );
  first.process.kill('SIGKILL');
  await first.ended;

  const running = startLockstep(['run', scene.file]);
  try {
    await client.query(`UPDATE oversize.docs SET body = CONCAT(body, '!')`);
    await until(
      async () => await arrived(5, 'a!'),
      () => said(running),
    );
    expect((await keysOf(scene)).toSorted()).toEqual(['0', '0', '3', '3', '3']);
    const still = await lockstep(['rejects', 'retry', scene.file, '--target', 'kafka', '--key', '0']);
    expect([still.code, still.stdout]).toEqual([
      1,
      expect.stringMatching(/^kafka 127\S+\n.*\n.*still refused.*KAFKA_MESSAGE/),
    ]);
    await raise('oversize.oversize.docs');
    const retried = await lockstep(['rejects', 'retry', scene.file]);
    expect([retried.code, retried.stdout]).toEqual([0, expect.stringContaining('applied 5 dead letters')]);
    await client.query(`UPDATE oversize.docs SET body = 'last' WHERE id IN (3, 4)`);
    await until(
      async () => (await arrived(3, 'last')) && (await arrived(4, 'last')),
      () => said(running),
    );
  } finally {
    await endInOrder(running);
  }
  await caughtUp(scene);
  expect(await keysOf(scene)).toEqual([]);
  await expectEqual(scene);
});
