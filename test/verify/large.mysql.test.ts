import mysql from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServer } from '../../dev/servers/index.ts';
import { compareAll } from '../../verify/all.ts';

const ROWS = 7001;
const never = new AbortController().signal;
const stack = new AsyncDisposableStack();
const urls = { source: '', target: '' };
let postgres: Client;

/** Three tables of one content, more than three batches each, with the keys that are compared in three different ways. */
const TABLES = ['merged', 'looked_up', 'bag'] as const;

beforeAll(async () => {
  const source = stack.use(await startServer('mysql', { own: true, fast: true }));
  const target = stack.use(await startServer('postgres', { own: true, fast: true }));
  Object.assign(urls, { source: source.url, target: target.url });
  const connection = await mysql.createConnection({ uri: source.url });
  await connection.query('CREATE DATABASE large');
  await connection.query('USE large');
  await connection.query('CREATE TABLE merged (k INT PRIMARY KEY, v VARCHAR(20))');
  await connection.query('CREATE TABLE looked_up (k VARCHAR(20) PRIMARY KEY, v VARCHAR(20))');
  await connection.query('CREATE TABLE bag (k INT, v VARCHAR(20))');
  const rows = Array.from({ length: ROWS }, (_, i) => `(${String(i + 1)}, 'v${String(i + 1)}')`).join();
  for (const table of TABLES) await connection.query(`INSERT INTO ${table} VALUES ${rows}`);
  await connection.end();
  postgres = new Client({ connectionString: target.url });
  await postgres.connect();
  stack.defer(async () => await postgres.end());
  await postgres.query('CREATE SCHEMA large');
  for (const table of TABLES) {
    const key = table === 'looked_up' ? 'i::varchar(20)' : 'i';
    const copy = `SELECT ${key} AS k, 'v' || i AS v FROM generate_series(1, ${String(ROWS)}) i`;
    await postgres.query(`CREATE TABLE large.${table} AS ${copy}`);
  }
});
afterAll(async () => await stack.disposeAsync());

it('compares every row of tables that are larger than a batch', async () => {
  const results = await compareAll(urls.source, urls.target, ['large.*'], never);
  expect(results).toHaveLength(TABLES.length);
  for (const result of results) expect(result).toMatchObject({ rows: ROWS, matched: ROWS, missing: 0, extra: 0 });
});

it('tells rows that differ, that are missing and that are too many apart, wherever they are', async () => {
  for (const table of TABLES) {
    const key = (k: number): string => (table === 'looked_up' ? `'${String(k)}'` : String(k));
    await postgres.query(`UPDATE large.${table} SET v = 'other' WHERE k IN (${key(1)}, ${key(2000)}, ${key(ROWS)})`);
    await postgres.query(`DELETE FROM large.${table} WHERE k IN (${key(2001)}, ${key(4000)})`);
    await postgres.query(
      `INSERT INTO large.${table} VALUES (${key(-5)}, 'x'), (${key(9000)}, 'x'), (${key(9001)}, 'x')`,
    );
  }
  const [bag, lookedUp, merged] = await compareAll(urls.source, urls.target, ['large.*'], never);
  const apart = { rows: ROWS, matched: ROWS - 5, mismatched: 3, missing: 2, extra: 3 };
  expect(merged).toMatchObject(apart);
  expect(lookedUp).toMatchObject(apart);
  // Without a key a row that differs is missing on one side and too many on the other.
  expect(bag).toMatchObject({ rows: ROWS, matched: ROWS - 5, mismatched: 0, missing: 5, extra: 6 });
});

it('stops when it is told to', async () => {
  const stop = new AbortController();
  const comparing = compareAll(urls.source, urls.target, ['large.*'], stop.signal);
  stop.abort(new Error('enough'));
  await expect(comparing).rejects.toThrow('enough');
});
