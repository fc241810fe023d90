import { expect, test } from 'vitest';
import { startServer } from '../../dev/servers/index.ts';
import { startLockstep } from '../e2e/cli.ts';
import { newScene, onPostgres } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { addressOf, untilHealth } from './health.ts';
import { said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';
import { arrived, endInOrder } from './returns.ts';

const ROWS = 10_000;

test('a full disk of the target is said and waited for, in the copy and behind it, and it goes on by itself once there is room', async () => {
  await using disk = await SmallDisk.mount(3, 'postgres');
  await using servers = new AsyncDisposableStack();
  const [source, target] = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true, here: true }),
  ]);
  for (const server of [source, target]) servers.use(server);
  await using client = await openClient(source.url);
  await client.query('CREATE DATABASE filled');
  await client.query('CREATE TABLE filled.rows (id INT PRIMARY KEY, v VARCHAR(600) NOT NULL)');
  await client.query('CREATE TABLE filled.bag (id INT, v VARCHAR(600) NOT NULL)');
  const insert = async (table: string, from: number): Promise<void> => {
    const rows = Array.from({ length: ROWS }, (_, i) => `(${from + i}, REPEAT('x', 500))`);
    await client.query(`INSERT INTO filled.${table} VALUES ${rows.join()}`);
  };
  await insert('rows', 0);
  const scene = await newScene('filled', { source: source.url, target, http: '127.0.0.1:0' });
  await onPostgres(target.url, `CREATE TABLESPACE small LOCATION '${disk.path}'`);
  await onPostgres(
    scene.target,
    `CREATE SCHEMA filled; CREATE TABLE filled.rows (id int PRIMARY KEY, v varchar(600) NOT NULL) TABLESPACE small;
     CREATE TABLE filled.bag (id int, v varchar(600) NOT NULL) TABLESPACE small`,
  );
  const running = startLockstep(['run', scene.file]);
  const address = await addressOf(running);
  for (const [table, megabytes] of [
    ['rows', 12],
    ['bag', 80],
  ] as const) {
    if (table === 'bag') for (const from of [0, 0]) await insert('bag', from);
    await untilHealth(running, address, ({ status, reason }) => status === 503 && reason === 'TARGET_FULL');
    expect(said(running)).toMatch(/error TARGET_FULL .*next try/);
    await disk.resize(megabytes);
    await arrived(scene, table, table === 'bag' ? 2 * ROWS : ROWS, running);
    await untilHealth(running, address, ({ status }) => status === 200);
  }
  await endInOrder(running);
  await expectNoneLostOrDoubled(scene, 'the disk full twice');
});
