import { afterAll, beforeAll, expect, test } from 'vitest';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until } from '../e2e/cli.ts';
import { caughtUp, newScene, openEntries, type Scene } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { Proxy } from '../support/proxy.ts';
import { seed } from '../support/seed.ts';
import { createRandomTables } from '../support/tables.ts';
import { RandomWriter } from '../support/writer.ts';
import { killedOnce, said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';

const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;

beforeAll(async () => {
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
  ]);
  for (const server of started) servers.use(server);
  [mysql, postgres] = started;
});
afterAll(async () => await servers.disposeAsync());

/** A pipeline of its own from the same tables. */
async function pipeline(name: string): Promise<Scene> {
  return await newScene(name, { source: mysql.url, target: postgres, tables: ['every_type.*'] });
}

test('a value of every type is the same whether it was copied or streamed, by a process that was killed meanwhile', async () => {
  const random = seeded(seed);
  const tables = await createRandomTables(mysql.url, { database: 'every_type', seed, tables: 8, rows: 3 });
  const streamed = await pipeline('streamed');
  await caughtUp(streamed);
  await new RandomWriter(mysql.url, tables, { seed, transactions: 400 }).finished();
  {
    await using entries = await openEntries(streamed);
    const position = (await entries.read()).get('stream');
    await killedOnce(streamed, entries, (now) => now.get('stream') !== position, random);
  }
  const { warehouse: followed } = await expectNoneLostOrDoubled(streamed, 'killed in the stream');
  expect(followed?.copied).toBe(0);

  const copied = await pipeline('copied');
  await using entries = await openEntries(copied);
  await killedOnce(copied, entries, (now) => [...now.keys()].some((entry) => entry.startsWith('range/')), random);
  await expectNoneLostOrDoubled(copied, 'killed in the copy');
});

test('a byte that changes on its way from the source becomes no value: it stops with the place, and is right when it comes again', async () => {
  await using proxy = await Proxy.open(mysql.url);
  await using client = await openClient(mysql.url);
  await client.query('CREATE DATABASE flipped');
  await client.query('CREATE TABLE flipped.rows (id INT PRIMARY KEY, v VARCHAR(40))');
  const scene = await newScene('flipped', { source: mysql.url, target: postgres, through: { source: proxy.url } });
  const running = startLockstep(['run', scene.file]);
  await until(
    () => running.stdout().includes('following'),
    () => said(running),
  );
  proxy.flip(Buffer.from('as it was written'));
  await client.query("INSERT INTO flipped.rows VALUES (1, 'as it was written')");
  await until(
    () => running.process.exitCode !== null,
    () => `it goes on: ${said(running)}`,
  );
  const { code, stderr } = await running.ended;
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^error SOURCE_EVENT_CORRUPT /)]);
  await expectNoneLostOrDoubled(scene, 'a byte changed on its way');
});
