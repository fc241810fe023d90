import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Values } from '../../core/contracts.ts';
import { seeded, type Random } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { rowText } from '../support/memory-table.ts';
import { flavours, openClient, runSource } from '../support/mysql-run.ts';
import { Writers, shapes } from '../support/mysql-writers.ts';
import { seed } from '../support/seed.ts';

const rowsPerTable = 12_000;
const interruptions = 8;

describe.each(flavours)('the snapshot of %s', (flavour) => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;

  beforeAll(async () => {
    source = stack.use(await startServer(flavour, { fast: true }));
    client = await openClient(source.url);
    stack.defer(() => client.destroy());
  });
  afterAll(() => stack.disposeAsync());

  it.each([false, true])(
    'ends equal to the source under concurrent writes and interruptions (parts shown at once: %s)',
    async (partsAtOnce) => {
      const database = partsAtOnce ? 'at_once' : 'hidden';
      const random = seeded(seed);
      await createTables(client, database);
      const server = new MemoryServer();
      const run = { url: source.url, tables: [`${database}.*`], server, partsAtOnce };
      const writers = new Writers({ url: source.url, database, seed });
      try {
        for (let i = 0; i < interruptions; i += 1) await interrupted(run, random);
        await runSource({ ...run, until: 'caught-up' });
      } finally {
        await writers.stop();
      }
      await runSource(run);
      expect(writers.written).toBeGreaterThan(100);
      for (const { name } of shapes) await expectEqual(client, server, database, name);
    },
  );

  it('does not read a durable chunk again', async () => {
    await client.query('CREATE DATABASE again');
    await client.query('CREATE TABLE again.t (id INT PRIMARY KEY, v INT)');
    await fill(client, 'again.t', 60_000, (i) => `(${i}, ${i})`);
    const server = new MemoryServer();
    const stop = new AbortController();
    const run = { url: source.url, tables: ['again.t'], server };
    const durable = (): number =>
      [...server.tokens('test')].reduce(
        (sum, [name, token]) => sum + (name.startsWith('range/') ? storedRows(token) : 0),
        0,
      );
    await runSource({
      ...run,
      signal: stop.signal,
      before: () => {
        if (durable() > 15_000) stop.abort(new Error('interrupted'));
      },
    });
    const kept = durable();
    expect(kept).toBeGreaterThan(15_000);
    expect(kept).toBeLessThan(60_000);
    const progress = await runSource(run);
    expect(progress.tables.get('again.t')?.copied).toBe(60_000 - kept);
    expect(server.rows({ database: 'again', name: 't' })).toHaveLength(60_000);
  });

  it('copies a table without a key again when a change fell into its reading, and once otherwise', async () => {
    await client.query('CREATE DATABASE keyless');
    await client.query('CREATE TABLE keyless.t (a INT, b VARCHAR(10))');
    await fill(client, 'keyless.t', 1000, (i) => `(${i % 10}, 'x')`);
    const server = new MemoryServer();
    await runSource({ url: source.url, tables: ['keyless.t'], server });
    await client.query('DELETE FROM keyless.t WHERE a = 3 LIMIT 7');
    await client.query("UPDATE keyless.t SET b = 'y' WHERE a = 4 LIMIT 5");
    await client.query('INSERT INTO keyless.t VALUES (1, NULL), (1, NULL)');
    await runSource({ url: source.url, tables: ['keyless.t'], server });
    expect(server.copied.get('keyless.t')).toBe(1000);
    await expectEqual(client, server, 'keyless', 't');
  });

  async function interrupted(run: Parameters<typeof runSource>[0], random: Random): Promise<void> {
    const stop = new AbortController();
    let left = random.between(1, 25);
    const before = (): void => {
      left -= 1;
      if (left === 0) stop.abort(new Error('interrupted'));
    };
    await runSource({ ...run, signal: stop.signal, before });
  }
});

async function createTables(client: Connection, database: string): Promise<void> {
  await client.query(`CREATE DATABASE ${database}`);
  const random = seeded(seed);
  for (const { name, columns, row } of shapes) {
    const table = `${database}.${name}`;
    await client.query(`CREATE TABLE ${table} (${columns})`);
    await fill(client, table, rowsPerTable, (i) => row(i, random));
  }
}

async function fill(client: Connection, table: string, rows: number, row: (i: number) => string): Promise<void> {
  for (let at = 0; at < rows; at += 4000) {
    const values = Array.from({ length: Math.min(4000, rows - at) }, (_, i) => row(at + i));
    await client.query(`INSERT IGNORE INTO ${table} VALUES ${values.join()}`);
  }
}

async function expectEqual(client: Connection, server: MemoryServer, database: string, name: string): Promise<void> {
  const [rows] = await client.query<RowDataPacket[][]>({ sql: `SELECT * FROM ${database}.${name}`, rowsAsArray: true });
  const copied = server.rows({ database, name });
  const source = (rows as unknown as Values[]).map(asText).toSorted();
  const target = copied.map(asText).toSorted();
  const missing = difference(source, target);
  const extra = difference(target, source);
  expect({ missing: missing.slice(0, 5), extra: extra.slice(0, 5) }, `${database}.${name}, seed ${seed}`).toEqual({
    missing: [],
    extra: [],
  });
  expect(target).toHaveLength(source.length);
}

function difference(a: readonly string[], b: readonly string[]): string[] {
  const known = new Set(b);
  return a.filter((row) => !known.has(row));
}

/** The client gives numbers and decimals in other forms than the source does. */
function asText(row: Values): string {
  return rowText(row.map((value) => (typeof value === 'number' || typeof value === 'bigint' ? String(value) : value)));
}

function storedRows(token: string): number {
  return Number(/"rows":(\d+)/.exec(token)?.[1] ?? 0);
}
