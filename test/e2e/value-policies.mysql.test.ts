import type { Connection } from 'mysql2/promise';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';
import { configFile, lockstep } from './cli.ts';
import { inDatabase, onPostgres } from './scene.ts';

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
  await client.query("SET SESSION sql_mode = ''");
});
afterAll(async () => await servers.disposeAsync());

/** Tables `mild` and `strict` of a database with values that no target has, and a pipeline into both kinds of targets. */
async function pipeline(name: string, values: string): Promise<string> {
  await onPostgres(postgres.url, `CREATE DATABASE ${name}`);
  await client.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  for (const table of ['mild', 'strict']) {
    const columns = 'id INT PRIMARY KEY, d DATE, due DATETIME(2) NOT NULL, v VARCHAR(20), j JSON';
    await client.query(`CREATE TABLE ${name}.${table} (${columns})`);
    await client.query(
      `INSERT INTO ${name}.${table} VALUES (1, '0000-00-00', '2020-01-01', 'good', '{}'), (4, '2020-02-03', '2020-01-01', 'a', '[1]')`,
    );
  }
  return configFile(
    [
      `name: ${name}`,
      `source: { url: '${source.url}', tables: ['${name}.*'] }`,
      'targets:',
      `  warehouse: { url: '${inDatabase(postgres.url, name)}', values: ${values} }`,
      `  catalog: { url: '${inDatabase(mongodb.url, name)}', values: ${values} }`,
    ].join('\n'),
  );
}

interface Table {
  readonly read: number;
  readonly applied: number;
  readonly deadLetters: number;
  readonly changed: Readonly<Record<string, number>>;
}

async function run(file: string): Promise<(target: string, table: string) => Table | undefined> {
  const { code, stdout, stderr } = await lockstep(['run', file, '--until', 'caught-up', '--json']);
  expect(code, stderr).toBe(0);
  const { targets } = JSON.parse(stdout) as { targets: Record<string, { tables: Record<string, Table> }> };
  return (target, table) => targets[target]?.tables[table];
}

test('each table has the policy that the last matching entry says, and what is changed is counted', async () => {
  const tables = "[{ table: 'policies.*', zeroDates: dead-letter }, { table: mild, zeroDates: '1999-12-31' }]";
  const file = await pipeline('policies', `{ nulCharacters: replace, tables: ${tables} }`);
  await client.query('DELETE FROM policies.strict WHERE id = 1');
  let counts = await run(file);
  expect(counts('warehouse', 'policies.mild')?.changed).toEqual({ 'zero-date-to-sentinel': 1 });
  expect(counts('catalog', 'policies.mild')?.changed).toEqual({ 'zero-date-to-sentinel': 1 });
  const bad = "(2, '2020-00-10', '0000-00-00', 'n\\0l', '{\"a\": \"\\\\u0000\"}')";
  await client.query(`INSERT INTO policies.mild VALUES ${bad}`);
  counts = await run(file);
  expect(counts('warehouse', 'policies.mild')).toMatchObject({
    read: 1,
    applied: 1,
    changed: { 'zero-date-to-sentinel': 2, 'nul-replaced': 2 },
  });
  expect(counts('catalog', 'policies.mild')?.changed).toEqual({ 'zero-date-to-sentinel': 2 });
  const rows = await onPostgres(
    inDatabase(postgres.url, 'policies'),
    'SELECT id, d::text, due::text, v, j FROM policies.mild ORDER BY id',
  );
  expect(rows).toEqual([
    { id: 1, d: '1999-12-31', due: '2020-01-01 00:00:00', v: 'good', j: {} },
    { id: 2, d: '1999-12-31', due: '1999-12-31 00:00:00', v: 'n\uFFFDl', j: { a: '\uFFFD' } },
    { id: 4, d: '2020-02-03', due: '2020-01-01 00:00:00', v: 'a', j: [1] },
  ]);
  const mongo = await MongoClient.connect(inDatabase(mongodb.url, 'policies'));
  servers.defer(async () => await mongo.close());
  const found = await mongo.db().collection('mild').find({ id: 2 }).toArray();
  expect(found).toMatchObject([{ d: new Date('1999-12-31'), due: new Date('1999-12-31'), v: 'n\0l', j: { a: '\0' } }]);
});

test('plan says what becomes of them, and names a table that is not there', async () => {
  const file = await pipeline(
    'planned',
    "{ nulCharacters: strip, tables: [{ table: strct, zeroDates: '1970-01-01' }, { table: mild, zeroDates: dead-letter }] }",
  );
  const { code, stdout } = await lockstep(['plan', file]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/warn {2}values\.tables: strct matches no table/);
  expect(stdout).toMatch(
    /planned\.mild[^]*d +date +→ +date +a row with a zero or partial date is refused[^]*U\+0000 is left out/,
  );
  expect(stdout).toMatch(/planned\.strict[^]*d +date +→ +date +zero and partial dates become NULL/);
});

test('a policy that there is not is refused with its line', async () => {
  const file = await pipeline('mistaken', '{ zeroDates: 2020-02-31, nulCharacter: strip }');
  const { code, stderr } = await lockstep(['plan', file]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/zeroDates.*set-null, dead-letter, or a date/);
  expect(stderr).toMatch(/nulCharacters/);
});
