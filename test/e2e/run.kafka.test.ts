import { createConnection, type Connection } from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { configFile, lockstep, startLockstep, until } from './cli.ts';

const ROWS = 500;

let mysql: Server;
let postgres: Server;
let kafka: Server;
let source: Connection;

beforeAll(async () => {
  [mysql, postgres, kafka] = await Promise.all([
    startServer('mysql', { own: true, fast: true }),
    startServer('postgres', { own: true, fast: true }),
    startServer('kafka', { own: true, fast: true }),
  ]);
  source = await createConnection({ uri: mysql.url, multipleStatements: true });
  await source.query(`
    CREATE DATABASE shop;
    CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, status VARCHAR(20) NOT NULL, total DECIMAL(10,2));
    INSERT INTO shop.orders (status, total)
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) SELECT 'open', i FROM n;`);
});

afterAll(async () => {
  await source?.end();
  await Promise.all([mysql?.stop(), postgres?.stop(), kafka?.stop()]);
});

async function onPostgres<T>(database: string, use: (client: Client) => Promise<T>): Promise<T> {
  const url = new URL(postgres.url);
  url.pathname = `/${database}`;
  const client = new Client(url.href);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function pipeline(name: string): Promise<string> {
  await onPostgres('postgres', async (client) => await client.query(`CREATE DATABASE ${name}`));
  const to = new URL(postgres.url);
  to.pathname = `/${name}`;
  return configFile(`name: ${name}
source: { url: '${mysql.url}', tables: [shop.*] }
via: { kafka: ['${kafka.url}'] }
targets:
  warehouse: { url: '${to.href}' }
http: { listen: 127.0.0.1:0 }
`);
}

async function ordersIn(database: string): Promise<number> {
  return await onPostgres(database, async (client) => {
    const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM shop.orders');
    return rows[0]?.n ?? 0;
  }).catch(() => 0);
}

test('in one process everything goes through Kafka until caught up, with counts for both ways', async () => {
  const file = await pipeline('whole');
  const { code, stdout, stderr } = await lockstep(['run', file, '--until', 'caught-up', '--json']);
  expect(stderr).not.toContain('error');
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    {
      outcome: 'caught-up',
      targets: {
        kafka: { total: { read: ROWS, applied: ROWS, filtered: 0 } },
        warehouse: { total: { read: ROWS, applied: ROWS, filtered: 0 } },
      },
    },
  ]);
  expect(await ordersIn('whole')).toBe(ROWS);
});

test('in two processes one publishes and serves the schemas, the other consumes', async () => {
  const file = await pipeline('halves');
  const publishing = startLockstep(['run', file, '--only', 'source']);
  const consuming = startLockstep(['run', file, '--only', 'warehouse']);
  const said = (): string => `${publishing.stdout()}${publishing.stderr()}${consuming.stdout()}${consuming.stderr()}`;
  await until(async () => (await ordersIn('halves')) === ROWS, said);
  const url = /listening on (\S+)/.exec(publishing.stdout())?.[1] ?? '';
  const subjects: unknown = await (await fetch(`${url}/registry/subjects`)).json();
  expect(subjects).toEqual(expect.arrayContaining(['halves.shop.orders-key', 'halves.shop.orders-value']));
  for (const running of [publishing, consuming]) {
    running.process.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
  }
});

test('doctor checks the brokers', async () => {
  const { code, stdout } = await lockstep(['doctor', await pipeline('sound')]);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`kafka ${kafka.url}`)]);
});
