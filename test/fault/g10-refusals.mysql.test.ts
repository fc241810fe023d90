import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { configFile, lockstep, startLockstep, until, type Ended } from '../e2e/cli.ts';
import { inDatabase, onPostgres } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { said } from './kills.ts';

const SECRET = 'Sekret-of-the-source';
const TARGET_SECRET = 'Sekret-of-the-target';
const servers = new AsyncDisposableStack();
let mysql: Server;
let mariadb: Server;
let postgres: Server;
let client: Connection;

beforeAll(async () => {
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('mariadb', { fast: true, own: true, args: ['--skip-log-bin'] }),
    startServer('postgres', { fast: true, own: true }),
  ]);
  for (const server of started) servers.use(server);
  [mysql, mariadb, postgres] = started;
  client = await openClient(mysql.url);
  servers.defer(() => client.destroy());
  await client.query('CREATE DATABASE shop');
  await client.query('CREATE TABLE shop.orders (id INT PRIMARY KEY, total INT)');
  await client.query('INSERT INTO shop.orders VALUES (1, 1), (2, 2)');
  for (const [user, rights] of [
    ['repl', 'REPLICATION SLAVE, REPLICATION CLIENT, SELECT'],
    ['reader', 'SELECT'],
    ['blind', 'REPLICATION SLAVE, REPLICATION CLIENT'],
  ]) {
    await client.query(`CREATE USER ${user}@'%' IDENTIFIED BY '${SECRET}'`);
    await client.query(`GRANT ${rights} ON *.* TO ${user}@'%'`);
  }
  await onPostgres(postgres.url, `CREATE ROLE app LOGIN PASSWORD '${TARGET_SECRET}'`);
});
afterAll(async () => await servers.disposeAsync());

interface Mistake {
  readonly source?: string;
  readonly tables?: string;
  readonly target?: string;
}

/** A pipeline into a database of its own, right but for what is said. */
async function pipeline(name: string, mistake: Mistake = {}): Promise<string> {
  await onPostgres(postgres.url, `CREATE DATABASE ${name}`);
  return configFile(`name: ${name}
source: { url: '${mistake.source ?? as('repl')}', tables: ['${mistake.tables ?? 'shop.*'}'] }
targets: { warehouse: { url: '${mistake.target ?? targetAs(name)}' } }
`);
}

function as(user: string, password = SECRET, host = new URL(mysql.url).host): string {
  return `mysql://${user}:${password}@${host}`;
}

function targetAs(name: string, user = 'postgres', password?: string, host?: string): string {
  const url = new URL(inDatabase(postgres.url, name));
  url.username = user;
  if (password !== undefined) url.password = password;
  if (host !== undefined) url.hostname = host;
  return url.href;
}

/** One error with a code and what to do, for people; no stack, no secret, nothing twice. */
function expectRefusal({ code: exit, stdout, stderr }: Ended, code: string, fix: RegExp): void {
  const [first = '', ...rest] = stderr.trimEnd().split('\n');
  expect([exit, first], stdout).toEqual([1, expect.stringMatching(new RegExp(`^error ${code}   \\S.*`))]);
  expect(rest.at(-1)).toMatch(/^fix {3}\S/);
  expect(rest.at(-1)).toMatch(fix);
  expect(rest.length).toBeLessThanOrEqual(2);
  expect(`${stdout}${stderr}`).not.toMatch(/Sekret|^ +at .*:\d+:\d+/m);
}

async function run(file: string): Promise<Ended> {
  return await lockstep(['run', file, '--until', 'caught-up']);
}

describe('one error, with its code and what to do, at', () => {
  test('a wrong password of the source', async () => {
    const file = await pipeline('password', { source: as('repl', 'Sekret-but-wrong') });
    expectRefusal(await run(file), 'SOURCE_AUTH', /password/);
  });

  test('an unknown host of the source', async () => {
    const file = await pipeline('host', { source: as('repl', SECRET, 'nowhere.invalid:3306') });
    expectRefusal(await run(file), 'SOURCE_HOST_UNKNOWN', /host name/);
  });

  test('a missing right to read the log', async () => {
    expectRefusal(await run(await pipeline('reading', { source: as('reader') })), 'SOURCE_GRANT', /REPLICATION/);
  });

  test('tables that the account may not see', async () => {
    expectRefusal(await run(await pipeline('blind', { source: as('blind') })), 'SOURCE_NO_TABLES', /SELECT/);
  });

  test('a pattern that matches no table', async () => {
    expectRefusal(await run(await pipeline('pattern', { tables: 'shpo.*' })), 'SOURCE_NO_TABLES', /source\.tables/);
  });

  test('a source without a binary log', async () => {
    const file = await pipeline('no_log', { source: mariadb.url });
    expectRefusal(await run(file), 'SOURCE_BINLOG_OFF', /log_bin/);
  });

  test.each([
    ['binlog_format', 'STATEMENT', 'ROW', 'SOURCE_BINLOG_FORMAT'],
    ['binlog_row_image', 'MINIMAL', 'FULL', 'SOURCE_ROW_IMAGE'],
  ])('%s = %s', async (name, wrong, right, code) => {
    const file = await pipeline(name);
    await client.query(`SET GLOBAL ${name} = '${wrong}'`);
    try {
      expectRefusal(await run(file), code, new RegExp(`SET GLOBAL ${name} = '${right}'`));
    } finally {
      await client.query(`SET GLOBAL ${name} = '${right}'`);
    }
    expect((await run(file)).code, 'mended, it goes on').toBe(0);
  });

  test('a wrong password of the target', async () => {
    const file = await pipeline('target_password', { target: targetAs('target_password', 'app', 'Sekret-but-wrong') });
    expectRefusal(await run(file), 'TARGET_AUTH', /password/);
  });

  test('an unknown host of the target', async () => {
    const file = await pipeline('target_host', {
      target: targetAs('target_host', 'app', TARGET_SECRET, 'nowhere.invalid'),
    });
    expectRefusal(await run(file), 'TARGET_HOST_UNKNOWN', /host name/);
  });

  test('a target that the role may not write to', async () => {
    const file = await pipeline('target_right', { target: targetAs('target_right', 'app', TARGET_SECRET) });
    expectRefusal(await run(file), 'TARGET_GRANT', /doctor/);
  });

  test('a database that the target does not have', async () => {
    const file = await pipeline('target_database', { target: targetAs('nothing_there') });
    expectRefusal(await run(file), 'TARGET_SCHEMA', /CREATE DATABASE/);
  });

  test('a table in the target that has other columns', async () => {
    const file = await pipeline('target_table');
    await onPostgres(
      inDatabase(postgres.url, 'target_table'),
      'CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY, sum int)',
    );
    expectRefusal(await run(file), 'TARGET_SCHEMA', /ALTER TABLE "shop"."orders"/);
    const rows = await onPostgres(inDatabase(postgres.url, 'target_table'), 'SELECT * FROM shop.orders');
    expect(rows, 'nothing was touched').toEqual([]);
  });

  test('a position whose log the source has purged', async () => {
    const file = await pipeline('purged');
    expect((await run(file)).code).toBe(0);
    await client.query('INSERT INTO shop.orders VALUES (30, 1)');
    await client.query('FLUSH BINARY LOGS');
    await client.query('INSERT INTO shop.orders VALUES (31, 1)');
    const [logs] = await client.query<RowDataPacket[]>('SHOW BINARY LOGS');
    await client.query(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
    expectRefusal(await run(file), 'SOURCE_HISTORY_LOST', /binlog_expire_logs_seconds/);
  });
});

test.each([
  ['binlog_format', 'STATEMENT', 'ROW', 'SOURCE_BINLOG_FORMAT'],
  ['binlog_row_image', 'MINIMAL', 'FULL', 'SOURCE_ROW_IMAGE'],
])(
  'a session that sets %s to %s while it follows stops it, and it never goes past that change',
  async (name, wrong, right, code) => {
    await client.query(`CREATE TABLE shop.${name} (id INT PRIMARY KEY, total INT)`);
    const file = await pipeline(`while_${name}`);
    const running = startLockstep(['run', file]);
    await until(
      () => running.stdout().includes('following'),
      () => said(running),
    );
    await client.query(`INSERT INTO shop.${name} VALUES (1, 1)`);
    await client.query(`SET SESSION ${name} = '${wrong}'`);
    await client.query(`UPDATE shop.${name} SET total = 2`);
    await client.query(`SET SESSION ${name} = '${right}'`);
    const ended = await running.ended;
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^error ${code}   .*\\nfix   .*\\n$`)),
    ]);
    expect((await run(file)).code, 'it does not skip it when it is started again').toBe(1);
  },
);

test('tables, target and configuration are checked without a change to the target', async () => {
  const file = await pipeline('doctor', { source: as('reader'), tables: 'shop.orders' });
  const { code, stdout, stderr } = await lockstep(['doctor', file]);
  expect([code, stderr]).toEqual([4, '']);
  expect(stdout).toMatch(/GRANT/);
  expect(
    await onPostgres(
      inDatabase(postgres.url, 'doctor'),
      "SELECT 1 FROM pg_namespace WHERE nspname IN ('shop', 'lockstep')",
    ),
  ).toEqual([]);
});
