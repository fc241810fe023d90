import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Batch } from '../../core/contracts.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { copied, following, runAll, type Following } from '../support/following.ts';
import { flavours, openClient, type Flavour } from '../support/mysql-run.ts';

const compressing: Readonly<Record<Flavour, readonly string[]>> = {
  mysql: ['SET GLOBAL binlog_transaction_compression = ON', 'SET binlog_transaction_compression = ON'],
  mariadb: ['SET GLOBAL log_bin_compress = ON', 'SET GLOBAL log_bin_compress_min_len = 10'],
};

describe.each(flavours)('a compressed log of %s', (flavour) => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;

  beforeAll(async () => {
    source = stack.use(await startServer(flavour, { fast: true, own: true }));
    client = await openClient(source.url);
    stack.defer(() => client.destroy());
    await runAll(client, [
      'CREATE DATABASE shop CHARACTER SET utf8mb4',
      'USE shop',
      'CREATE TABLE items (id INT PRIMARY KEY, v LONGTEXT, n DECIMAL(20, 3))',
      "INSERT INTO items VALUES (1, 'one', NULL)",
      ...compressing[flavour],
    ]);
  });
  afterAll(() => stack.disposeAsync());

  const expectAsCopied = async ({ rows }: Following): Promise<void> => {
    const expected = await copied(source.url, 'items');
    expect(expected.length).toBeGreaterThan(1);
    expect(rows('items')).toEqual(expected);
  };

  it('is followed like another one: rows, statements and XA transactions', async () => {
    const pipeline = await following(source.url);
    await runAll(client, [
      'BEGIN',
      "INSERT INTO items VALUES (2, REPEAT('ab', 500), 1.5), (3, 'b', -2.125)",
      "UPDATE items SET v = CONCAT(v, REPEAT('č', 300)) WHERE id < 3",
      'DELETE FROM items WHERE id = 3',
      'COMMIT',
      `ALTER TABLE items ADD COLUMN a_column_with_a_long_name VARCHAR(100)`,
      'INSERT INTO items (id) VALUES (4)',
      "XA START 'x'",
      "INSERT INTO items (id, v) VALUES (5, REPEAT('xa', 1000))",
      "XA END 'x'",
      "XA PREPARE 'x'",
      "XA COMMIT 'x'",
    ]);
    await pipeline.catchUp();
    await expectAsCopied(pipeline);
  });

  it('comes in parts where a transaction is large, with rows of more than 16 MB', async () => {
    const batches: Batch[] = [];
    const pipeline = await following(source.url, { before: (_, batch) => void batches.push(batch) });
    batches.length = 0;
    const before = await logBytes(client);
    await client.query('BEGIN');
    for (let id = 100; id < 160; id += 1)
      await client.query(`INSERT INTO items (id, v) VALUES (${id}, REPEAT('word ${id} ', 100000))`);
    await client.query("INSERT INTO items (id, v) VALUES (160, CONCAT(REPEAT('y', 17000000), 'end'))");
    await client.query('COMMIT');
    await pipeline.catchUp();
    expect(batches.filter(({ checkpoint }) => checkpoint === null).length).toBeGreaterThan(10);
    for (const { bytes } of batches) expect(bytes).toBeLessThan(80_000_000);
    await expectAsCopied(pipeline);
    expect(await logBytes(client)).toBeLessThan(before + 10_000_000);
  });
});

/** How long the log is: what a compressed one is compressed to. */
async function logBytes(client: Connection): Promise<number> {
  const [logs] = await client.query<RowDataPacket[]>('SHOW BINARY LOGS');
  return logs.reduce((sum, log) => sum + Number(log['File_size']), 0);
}
