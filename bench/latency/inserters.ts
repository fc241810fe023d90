import { MongoClient } from 'mongodb';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { literal } from '../../dev/sql.ts';
import { BENCH_DATABASE } from '../data.ts';

/** Some connections to one server, each of which takes its rows in the order in which they are handed to it. */
export interface Inserters extends AsyncDisposable {
  /** Resolves once the row is committed. */
  insert(connection: number, id: number): Promise<void>;
}

const NOTE = 'a note of some length, as rows have one, so that the bytes are not only a number: 0123456789';

/** To a table of `id` and `note` in MySQL, MariaDB or PostgreSQL, or a collection of the same in MongoDB. */
export async function openInserters(url: string, table: string, count: number): Promise<Inserters> {
  if (url.startsWith('mongodb:')) return await intoMongodb(url, table, count);
  const clients = await Promise.all(
    Array.from({ length: count }, () => (url.startsWith('postgres:') ? openPostgres(url) : openMysql(url))),
  );
  const last = clients.map(() => Promise.resolve());
  return {
    async insert(connection, id) {
      const sql = `INSERT INTO ${table} (id, note) VALUES (${String(id)}, ${literal(NOTE)})`;
      const after = async (before: Promise<void> | undefined): Promise<void> => {
        await before;
        await clients[connection]?.query(sql);
      };
      await (last[connection] = after(last[connection]));
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.end();
    },
  };
}

/** What both drivers have. */
interface SqlClient {
  query(sql: string): Promise<unknown>;
  end(): Promise<void>;
}

async function openPostgres(url: string): Promise<SqlClient> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}

async function openMysql(url: string): Promise<SqlClient> {
  const connection = await createConnection({ uri: url, database: BENCH_DATABASE });
  return { query: async (sql) => await connection.query(sql), end: async () => await connection.end() };
}

async function intoMongodb(url: string, table: string, count: number): Promise<Inserters> {
  const client = await new MongoClient(url, { minPoolSize: count, maxPoolSize: count }).connect();
  const collection = client.db(BENCH_DATABASE).collection<{ _id: number; note: string }>(table);
  return {
    async insert(_, id) {
      await collection.insertOne({ _id: id, note: NOTE }, { writeConcern: { w: 'majority', journal: true } });
    },
    async [Symbol.asyncDispose]() {
      await client.close();
    },
  };
}
