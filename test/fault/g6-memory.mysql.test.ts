import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Kind, type Server } from '../../dev/servers/index.ts';
import { compareAll, isEqual } from '../../verify/all.ts';
import { configFile, startLockstep, until } from '../e2e/cli.ts';
import { inDatabase, onPostgres } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { Proxy } from '../support/proxy.ts';
import { endInOrder } from './returns.ts';
import { said } from './kills.ts';
import { bound, peakOf } from './peak.ts';

/** More by LOCKSTEP_GIANT_ROWS; it must be no less than what would not fit if it were kept. */
const GIANT_ROWS = Math.max(1_000_000, Number(process.env['LOCKSTEP_GIANT_ROWS'] ?? 0));
const MEMORY = 128;

const servers = new AsyncDisposableStack();
let source: Server;
let postgres: Server;
let mongodb: Server;
let client: Connection;

beforeAll(async () => {
  const start = (kind: Kind): Promise<Server> => startServer(kind, { fast: true, own: true });
  [source, postgres, mongodb] = await Promise.all([start('mysql'), start('postgres'), start('mongodb')]);
  for (const server of [source, postgres, mongodb]) servers.use(server);
  client = await openClient(source.url);
  servers.defer(() => client.destroy());
  await client.query('SET SESSION cte_max_recursion_depth = 100000000');
});
afterAll(async () => await servers.disposeAsync());

test('a transaction of a million rows, compressed or not, is inserted, updated and deleted within the bound', async () => {
  const pipeline = await configured('giant', [postgres]);
  await client.query(
    'CREATE TABLE giant.big (id INT PRIMARY KEY, v INT, name VARCHAR(100), note VARCHAR(200), amount DECIMAL(12,2), at DATETIME)',
  );
  await client.query('INSERT INTO giant.big (id) VALUES (0)');
  await pipeline.caughtUp();
  await client.query(`INSERT INTO giant.big SELECT seq, seq % 7, CONCAT('name ', seq), REPEAT('x', 60 + seq % 60), seq / 7,
    '2024-02-03 04:05:06' FROM ${numbers(GIANT_ROWS)}`);
  expect(await pipeline.caughtUp()).toBeLessThan(bound(MEMORY));
  await client.query('SET SESSION binlog_transaction_compression = ON');
  await client.query('BEGIN');
  await client.query('UPDATE giant.big SET v = v + 1 WHERE id % 8 = 0');
  await client.query('DELETE FROM giant.big WHERE id % 8 = 1');
  await client.query('COMMIT');
  await client.query('SET SESSION binlog_transaction_compression = OFF');
  expect(await pipeline.caughtUp()).toBeLessThan(bound(MEMORY));
  await pipeline.expectEqual();
}, 300_000);

test('rows of 16 MB are copied, updated in one transaction and updated one by one, into two targets at once, within the bound', async () => {
  const memory = 256;
  const pipeline = await configured('blobs', [postgres, mongodb], { memory });
  await client.query('CREATE TABLE blobs.a (id INT PRIMARY KEY, v INT, b LONGBLOB)');
  await client.query('CREATE TABLE blobs.b (id INT PRIMARY KEY, v INT, t LONGTEXT)');
  for (let id = 0; id < 4; id += 1) {
    await client.query(`INSERT INTO blobs.a VALUES (${id}, 0, REPEAT(CHAR(${65 + id}), 16000000))`);
    await client.query(`INSERT INTO blobs.b VALUES (${id}, 0, REPEAT(CHAR(${75 + id}), 16000000))`);
  }
  expect(await pipeline.caughtUp(), 'copied').toBeLessThan(bound(memory));
  await client.query('UPDATE blobs.a SET v = v + 1');
  for (let id = 0; id < 4; id += 1) await client.query(`UPDATE blobs.b SET v = v + 1 WHERE id = ${id}`);
  expect(await pipeline.caughtUp(), 'updated').toBeLessThan(bound(memory));
  await pipeline.expectEqual();
});

test('two thousand tables are created, copied and followed within the bound', async () => {
  const pipeline = await configured('many', [postgres]);
  const columns = '(id INT PRIMARY KEY, name VARCHAR(100), at DATETIME, note TEXT)';
  const create = async (first: number): Promise<void> => {
    const own = await openClient(source.url);
    for (let at = first; at < 2000; at += 4) {
      const rows = at % 2 === 0 ? "SELECT 1 AS id, 'a' AS name, NOW() AS at, NULL AS note" : '';
      await own.query(`CREATE TABLE many.t${at} ${columns} ${rows}`);
    }
    own.destroy();
  };
  await Promise.all([0, 1, 2, 3].map(create));
  expect(await pipeline.caughtUp()).toBeLessThan(bound(MEMORY));
  for (let at = 0; at < 2000; at += 20) await client.query(`INSERT INTO many.t${at} VALUES (3, 'c', NULL, NULL)`);
  expect(await pipeline.caughtUp()).toBeLessThan(bound(MEMORY));
  await pipeline.expectEqual();
}, 300_000);

test('while a target does not answer reading stops, memory stays within the bound, and then it goes on', async () => {
  await using proxy = await Proxy.open(postgres.url);
  const pipeline = await configured('stuck', [postgres], { memory: 16, through: proxy });
  await client.query('CREATE TABLE stuck.rows (id INT PRIMARY KEY, note VARCHAR(200))');
  await client.query("INSERT INTO stuck.rows VALUES (0, 'first')");
  const running = startLockstep(['run', pipeline.file]);
  const arrived = async (rows: number): Promise<boolean> => {
    const [found] = await onPostgres<{ n: number }>(
      inDatabase(postgres.url, 'stuck'),
      'SELECT count(*)::int AS n FROM stuck.rows',
    ).catch(() => []);
    return found?.n === rows;
  };
  await until(
    () => arrived(1),
    () => said(running),
  );
  proxy.hold();
  for (let at = 0; at < 60; at += 1)
    await client.query(`INSERT INTO stuck.rows SELECT ${at * 5000} + seq, REPEAT('y', 150) FROM ${numbers(5000)}`);
  proxy.release();
  await until(
    () => arrived(300_001),
    () => said(running),
  );
  const peak = peakOf(running);
  await endInOrder(running);
  expect(await peak).toBeLessThan(bound(16));
  await pipeline.expectEqual();
});

interface Pipeline {
  readonly file: string;
  /** Runs until caught up and gives the most memory that was resident. */
  caughtUp(): Promise<number>;
  expectEqual(): Promise<void>;
}

async function configured(
  name: string,
  targets: readonly Server[],
  { memory = MEMORY, through = null }: { readonly memory?: number; readonly through?: Proxy | null } = {},
): Promise<Pipeline> {
  await client.query(`CREATE DATABASE ${name}`);
  await onPostgres(postgres.url, `CREATE DATABASE ${name}`);
  const lines = targets.map(({ kind, url }) => `  ${kind}: { url: '${inDatabase(through?.url ?? url, name)}' }`);
  const tables = [`${name}.*`];
  const file = configFile(
    `name: ${name}\nmemory: ${memory}\nsource: { url: '${source.url}', tables: ${JSON.stringify(tables)} }\ntargets:\n${lines.join('\n')}\n`,
  );
  return {
    file,
    caughtUp: async () => await peakOf(startLockstep(['run', file, '--until', 'caught-up'])),
    expectEqual: async () => {
      for (const { url } of targets) {
        const results = await compareAll(source.url, inDatabase(url, name), tables, new AbortController().signal);
        expect(results.filter((result) => !isEqual([result]))).toEqual([]);
        expect(results.length).toBeGreaterThan(0);
      }
    },
  };
}

/** A derived table `n` with a column `seq` from 1 on. */
function numbers(count: number): string {
  return `(WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ${count}) SELECT seq FROM n) AS n`;
}
