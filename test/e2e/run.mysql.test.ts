import { createConnection, type Connection } from 'mysql2/promise';
import { Client, type QueryResultRow } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { configFile, lockstep, startLockstep, until, type Running } from './cli.ts';

const PASSWORD = 'Sekret/of@the:source';
const ROWS = 2000;

let mysql: Server;
let postgres: Server;
let source: Connection;

beforeAll(async () => {
  [mysql, postgres] = await Promise.all([
    startServer('mysql', { own: true, fast: true }),
    startServer('postgres', { own: true, fast: true }),
  ]);
  source = await createConnection({ uri: mysql.url, multipleStatements: true });
  await source.query(`
    CREATE DATABASE shop;
    CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, status VARCHAR(20) NOT NULL, total DECIMAL(10,2));
    CREATE TABLE shop.audit_log (id INT PRIMARY KEY);
    INSERT INTO shop.orders (status, total)
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT 'open', i FROM n;
    INSERT INTO shop.orders (status, total) SELECT 'draft', total FROM shop.orders;
    CREATE USER repl@'%' IDENTIFIED BY '${PASSWORD}';
    GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO repl@'%';`);
});

afterAll(async () => {
  await source?.end();
  await Promise.all([mysql?.stop(), postgres?.stop()]);
});

/** A pipeline of its own for each test: nothing is shared but the servers. */
async function pipeline(name: string, extra = '', transforms = '[]'): Promise<string> {
  const admin = new Client(postgres.url);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const to = new URL(postgres.url);
  to.pathname = `/${name}`;
  const from = new URL(mysql.url);
  return configFile(`name: ${name}
source:
  url: 'mysql://repl:\${SHOP_PASSWORD}@${from.host}'
  tables: [shop.*, '!shop.audit_*']
targets:
  warehouse:
    url: ${to.href}
    transforms: ${transforms}
${extra}`);
}

const env = { SHOP_PASSWORD: PASSWORD };

async function inTarget<Row extends QueryResultRow>(name: string, sql: string): Promise<Row[]> {
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  const client = new Client(url.href);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function arrived(name: string, running: Running, count: number): Promise<void> {
  await until(
    async () => {
      const rows = await inTarget<{ n: string }>(name, 'SELECT count(*) AS n FROM shop.orders').catch(() => []);
      return Number(rows[0]?.n) === count;
    },
    () => `${count} rows did not arrive: ${running.stdout()}${running.stderr()}`,
  );
}

async function stopped(running: Running): Promise<number | null> {
  running.process.kill('SIGTERM');
  return (await running.ended).code;
}

async function countOrders(): Promise<number> {
  const [rows] = await source.query('SELECT count(*) AS n FROM shop.orders');
  return Array.isArray(rows) && rows[0] !== undefined && 'n' in rows[0] ? Number(rows[0]['n']) : Number.NaN;
}

describe('run --until caught-up --json', () => {
  test('copies everything, prints the counts of each table, and exits with 0', async () => {
    const rows = await countOrders();
    const file = await pipeline('copied', '', `[{ filter: { table: shop.orders, where: "status != 'draft'" } }]`);
    const { code, stdout, stderr } = await lockstep(['run', file, '--until', 'caught-up', '--json'], env);
    expect(stderr).not.toContain('error');
    const kept = rows - ROWS / 2;
    const counts = { read: rows, applied: kept, filtered: ROWS / 2, copied: rows, deadLetters: 0 };
    expect(JSON.parse(stdout)).toMatchObject({
      pipeline: 'copied',
      outcome: 'caught-up',
      seconds: expect.any(Number),
      targets: { warehouse: { total: counts, tables: { 'shop.orders': counts } } },
      error: null,
    });
    expect(code).toBe(0);
    expect(await inTarget('copied', 'SELECT count(*)::int AS n FROM shop.orders')).toEqual([{ n: kept }]);
  });

  test('goes on where it was: what came meanwhile, and nothing twice', async () => {
    const file = await pipeline('resumed');
    await lockstep(['run', file, '--until', 'caught-up', '--json'], env);
    await source.query("INSERT INTO shop.orders (status, total) VALUES ('late', 1), ('late', 2)");
    const { code, stdout } = await lockstep(['run', file, '--until', 'caught-up', '--json'], env);
    const counts = { read: 2, applied: 2, filtered: 0, copied: 0, deadLetters: 0 };
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { targets: { warehouse: { total: counts } } }]);
  });
});

describe('run', () => {
  test('follows, says how it is over HTTP, and ends with 0 within 5 s of SIGTERM', async () => {
    const file = await pipeline('followed', 'http: { listen: 127.0.0.1:0 }\n');
    const running = startLockstep(['run', file], env);
    await arrived('followed', running, await countOrders());
    await source.query("INSERT INTO shop.orders (status, total) VALUES ('new', 1)");
    await arrived('followed', running, await countOrders());
    const url = /listening on (\S+)/.exec(running.stdout())?.[1] ?? '';
    const health = await fetch(`${url}/health`);
    expect([health.status, await health.json()]).toMatchObject([200, { healthy: true }]);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('lockstep_healthy{pipeline="followed"');
    const askedAtMs = Date.now();
    expect(await stopped(running)).toBe(0);
    expect(Date.now() - askedAtMs).toBeLessThan(5000);
    expect(running.stdout()).toContain('copied shop.orders');
    expect(running.stdout() + running.stderr()).not.toMatch(/Sekret/);
  });

  test('tries again while the target is away and goes on when it is back', async () => {
    const file = await pipeline('returned');
    const running = startLockstep(['run', file], env);
    await arrived('returned', running, await countOrders());
    await postgres.kill();
    await source.query("INSERT INTO shop.orders (status, total) VALUES ('while away', 1)");
    await until(
      () => /error TARGET_(UNREACHABLE|CONNECTION_LOST).*next try in/.test(running.stdout()),
      () => `the error was not told: ${running.stdout()}`,
    );
    await postgres.start();
    await arrived('returned', running, await countOrders());
    expect(await stopped(running)).toBe(0);
  });

  test('stops for a person at a wrong password, telling it once and not showing it', async () => {
    const file = await pipeline('refused');
    const { code, stdout, stderr } = await lockstep(['run', file, '--json'], { SHOP_PASSWORD: 'wrong-password' });
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { outcome: 'failed', error: { code: 'SOURCE_AUTH' } }]);
    expect(stderr.match(/SOURCE_AUTH/g)).toHaveLength(1);
    expect(stdout + stderr).not.toContain('wrong-password');
  });
});

describe('doctor', () => {
  test('exits with 0 where all is well', async () => {
    const { code, stdout } = await lockstep(['doctor', await pipeline('sound')], env);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/\d+ checks: \d+ pass, \d+ warn, 0 fail\n$/)]);
  });

  test('exits with 4 and says what mends it where a check fails', async () => {
    const file = await pipeline('ailing');
    const { code, stdout } = await lockstep(['doctor', file, '--json'], { SHOP_PASSWORD: 'wrong-password' });
    expect(code).toBe(4);
    const failed = expect.objectContaining({ outcome: 'fail', fix: expect.stringMatching(/./) });
    expect(JSON.parse(stdout)).toMatchObject({
      passed: false,
      sections: expect.arrayContaining([
        { title: expect.stringMatching(/^mysql /), checks: expect.arrayContaining([failed]) },
      ]),
    });
  });
});

describe('plan and status', () => {
  test('plan shows each column and changes nothing', async () => {
    const file = await pipeline('planned');
    const { code, stdout } = await lockstep(['plan', file], env);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/total +decimal\(10,2\) +→ +numeric\(10,2\)/)]);
    expect(await inTarget('planned', "SELECT nspname FROM pg_namespace WHERE nspname IN ('shop', 'lockstep')")).toEqual(
      [],
    );
  });

  test('status shows the place that the target holds', async () => {
    const file = await pipeline('known');
    expect((await lockstep(['status', file], env)).stdout).toContain('nothing yet: it has not run');
    await lockstep(['run', file, '--until', 'caught-up'], env);
    const { code, stdout } = await lockstep(['status', file], env);
    expect(code).toBe(0);
    expect(stdout).not.toContain('nothing yet');
  });
});
