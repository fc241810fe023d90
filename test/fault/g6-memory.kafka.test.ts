import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Kind, type Server } from '../../dev/servers/index.ts';
import { compareAll, isEqual } from '../../verify/all.ts';
import { configFile, startLockstep, until } from '../e2e/cli.ts';
import { inDatabase, onPostgres } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { Proxy } from '../support/proxy.ts';
import { said } from './kills.ts';
import { bound, peakOf } from './peak.ts';
import { endInOrder } from './returns.ts';

const MEMORY = 16;
/** Several times what the bound leaves beside an idle process. */
const ROWS = 300_000;
const NOTE_BYTES = 900;

const servers = new AsyncDisposableStack();
let source: Server;
let postgres: Server;
let kafka: Server;
let client: Connection;

beforeAll(async () => {
  const start = (kind: Kind): Promise<Server> => startServer(kind, { fast: true, own: true });
  [source, postgres, kafka] = await Promise.all([start('mysql'), start('postgres'), start('kafka')]);
  for (const server of [source, postgres, kafka]) servers.use(server);
  client = await openClient(source.url);
  servers.defer(() => client.destroy());
});
afterAll(async () => await servers.disposeAsync());

test('what waits in Kafka for a target that does not answer is not in memory, nor is it while it is published', async () => {
  await client.query('CREATE DATABASE unread');
  await client.query('CREATE TABLE unread.rows (id INT PRIMARY KEY, note VARCHAR(1000))');
  await client.query("INSERT INTO unread.rows VALUES (0, 'first')");
  await onPostgres(postgres.url, 'CREATE DATABASE unread');
  const target = inDatabase(postgres.url, 'unread');
  await using proxy = await Proxy.open(postgres.url);
  const file = configFile(`name: unread
memory: ${MEMORY}
source: { url: '${source.url}', tables: ['unread.*'] }
via: { kafka: ['${kafka.url}'] }
targets: { warehouse: { url: '${inDatabase(proxy.url, 'unread')}' } }
`);
  const publish = async (): Promise<number> =>
    await peakOf(startLockstep(['run', file, '--only', 'source', '--until', 'caught-up']));
  const arrived = async (rows: number): Promise<boolean> => {
    const [found] = await onPostgres<{ n: number }>(target, 'SELECT count(*)::int AS n FROM unread.rows').catch(
      () => [],
    );
    return found?.n === rows;
  };

  await publish();
  const consumer = startLockstep(['run', file, '--only', 'warehouse']);
  await until(
    () => arrived(1),
    () => said(consumer),
  );
  proxy.hold();
  for (let at = 0; at < ROWS; at += 10_000)
    await client.query(`INSERT INTO unread.rows WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < 10000)
      SELECT /*+ SET_VAR(cte_max_recursion_depth = 10000) */ ${at} + seq, REPEAT('y', ${NOTE_BYTES}) FROM n`);
  expect(await publish(), 'published').toBeLessThan(bound(MEMORY));
  proxy.release();
  await until(
    () => arrived(ROWS + 1),
    () => said(consumer),
  );
  const peak = peakOf(consumer);
  await endInOrder(consumer);
  expect(await peak, 'consumed').toBeLessThan(bound(MEMORY));
  const results = await compareAll(source.url, target, ['unread.*'], AbortSignal.timeout(60_000));
  expect(results.map((result) => isEqual([result]))).toEqual([true]);
}, 300_000);
