import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';
import { lockstep } from './cli.ts';
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
