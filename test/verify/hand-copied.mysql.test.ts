import { MongoClient } from 'mongodb';
import mysql from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { compareAll, isEqual } from '../../verify/all.ts';
import { HAND_COLUMNS, type HandColumn } from './columns.ts';

const never = new AbortController().signal;

describe.each(['mysql', 'mariadb'] as const)('comparing %s', (flavour) => {
  const columns = HAND_COLUMNS.filter(({ only }) => only === undefined || only === flavour);
  const stack = new AsyncDisposableStack();
  let source: Server;
  let targets: Server[];
  let postgres: Client;
  let mongodb: MongoClient;

  beforeAll(async () => {
    const [first, ...others] = await Promise.all(
      ([flavour, 'postgres', 'mongodb'] as const).map((kind) => startServer(kind, { fast: true })),
    );
    if (first === undefined) throw new Error('no source');
    source = stack.use(first);
    targets = others.map((server) => stack.use(server));
    const [postgresServer, mongodbServer] = targets;
    postgres = new Client({ connectionString: postgresServer?.url ?? '' });
    await postgres.connect();
    stack.defer(async () => await postgres.end());
    mongodb = stack.use(await new MongoClient(mongodbServer?.url ?? '').connect());
    await createSource(source.url, columns);
    await createPostgres(postgres, columns);
    await createMongodb(mongodb, columns);
  });
  afterAll(async () => await stack.disposeAsync());

  it('finds rows that were copied by hand by the rules of every type equal', async () => {
    for (const { url } of targets) {
      const results = await compareAll(source.url, url, ['hand.*'], never, { values: true });
      expect(results).toMatchObject([{ table: 'hand.copied', rows: 2, matched: 2, samples: [] }]);
    }
  });

  it.each(columns.map((column, i) => [i, column] as const))(
    'sees a change in column %i of PostgreSQL',
    async (i, column) => {
      await postgres.query(`UPDATE hand.copied SET c${String(i)} = ${quoted(column.wrong)} WHERE id = 1`);
      const results = await compareAll(source.url, targets[0]?.url ?? '', ['hand.copied'], never);
      await postgres.query(`UPDATE hand.copied SET c${String(i)} = ${quoted(column.value)} WHERE id = 1`);
      expect(results).toMatchObject([{ matched: 1, mismatched: 1, samples: [{ key: '1', column: `c${String(i)}` }] }]);
    },
  );

  it.each(columns.map((column, i) => [i, column] as const))(
    'sees a change in column %i of MongoDB',
    async (i, column) => {
      const collection = mongodb.db('hand').collection<{ _id: number }>('copied');
      await collection.updateOne({ _id: 1 }, { $set: { [`c${String(i)}`]: column.wrongDocument } });
      const results = await compareAll(source.url, targets[1]?.url ?? '', ['hand.copied'], never);
      await collection.updateOne({ _id: 1 }, { $set: { [`c${String(i)}`]: column.document } });
      expect(results).toMatchObject([{ matched: 1, mismatched: 1, samples: [{ key: '1', column: `c${String(i)}` }] }]);
    },
  );

  it('counts rows that are missing and rows that are too many', async () => {
    await postgres.query('UPDATE hand.copied SET id = id + 5 WHERE id = 2');
    await mongodb.db('hand').collection<{ _id: number }>('copied').deleteOne({ _id: 1 });
    const [inPostgres, inMongodb] = await Promise.all(
      targets.map(async ({ url }) => await compareAll(source.url, url, ['hand.*'], never)),
    );
    expect(inPostgres).toMatchObject([{ rows: 2, matched: 1, mismatched: 0, missing: 1, extra: 1 }]);
    expect(inMongodb).toMatchObject([{ rows: 2, matched: 1, mismatched: 0, missing: 1, extra: 0 }]);
    expect(isEqual(inMongodb ?? [])).toBe(false);
  });
});

async function createSource(url: string, columns: readonly HandColumn[]): Promise<void> {
  const connection = await mysql.createConnection({ uri: url, charset: 'utf8mb4_bin' });
  const definitions = columns.map(({ mysql: type }, i) => `c${String(i)} ${type}`);
  await connection.query("SET time_zone = '+00:00'");
  await connection.query('CREATE DATABASE hand CHARACTER SET utf8mb4');
  await connection.query(`CREATE TABLE hand.copied (id INT PRIMARY KEY, ${definitions.join()})`);
  await connection.query(`INSERT INTO hand.copied VALUES (1, ${columns.map(({ literal }) => literal).join()})`);
  await connection.query('INSERT INTO hand.copied (id) VALUES (2)');
  await connection.end();
}

async function createPostgres(client: Client, columns: readonly HandColumn[]): Promise<void> {
  const definitions = columns.map(({ postgres: type }, i) => `c${String(i)} ${type}`);
  await client.query('CREATE SCHEMA hand');
  await client.query(`CREATE TABLE hand.copied (id int PRIMARY KEY, ${definitions.join()})`);
  await client.query(`INSERT INTO hand.copied VALUES (1, ${columns.map(({ value }) => quoted(value)).join()})`);
  await client.query('INSERT INTO hand.copied (id) VALUES (2)');
}

async function createMongodb(client: MongoClient, columns: readonly HandColumn[]): Promise<void> {
  const row = (id: number, value: (column: HandColumn) => unknown): Record<string, unknown> => ({
    _id: id,
    id,
    ...Object.fromEntries(columns.map((column, i) => [`c${String(i)}`, value(column)])),
  });
  await client
    .db('hand')
    .collection<Record<string, unknown>>('copied')
    .insertMany([row(1, ({ document }) => document), row(2, () => null)]);
}

function quoted(text: string): string {
  return `E'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
