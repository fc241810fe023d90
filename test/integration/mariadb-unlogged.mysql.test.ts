import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { copied, following, runAll } from '../support/following.ts';
import { openClient } from '../support/mysql-run.ts';

describe('rows that MariaDB removes or adds without logging them', () => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;

  beforeAll(async () => {
    source = stack.use(await startServer('mariadb', { fast: true }));
    client = await openClient(source.url);
    stack.defer(() => client.destroy());
  });
  afterAll(() => stack.disposeAsync());
  beforeEach(async () => {
    await runAll(client, ['DROP DATABASE IF EXISTS shop', 'CREATE DATABASE shop', 'USE shop']);
    await client.query(
      'CREATE TABLE items (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))',
    );
    await client.query('INSERT INTO items VALUES (1, 1), (2, 1), (11, 2), (12, 3)');
  });

  it.each([
    [
      'a key that finds values twice',
      ['CREATE TABLE twice (id INT PRIMARY KEY, v INT)', 'INSERT INTO twice SELECT * FROM items'],
      ['ALTER IGNORE TABLE twice ADD UNIQUE (v)', 'INSERT INTO twice VALUES (3, 4)'],
      ['twice'],
    ],
    [
      'a partition that becomes a table',
      [],
      [
        'ALTER TABLE items CONVERT PARTITION p1 TO TABLE made',
        'INSERT INTO made VALUES (13, 4)',
        'UPDATE items SET v = 5',
      ],
      ['items', 'made'],
    ],
    [
      'a table that becomes a partition',
      ['CREATE TABLE gone (id INT PRIMARY KEY, v INT)', 'INSERT INTO gone VALUES (21, 9)'],
      [
        'ALTER TABLE items CONVERT TABLE gone TO PARTITION p2 VALUES LESS THAN (30)',
        'INSERT INTO items VALUES (22, 8)',
      ],
      ['items'],
    ],
  ] as const)('%s', async (_, before, statements, tables) => {
    await runAll(client, before);
    const pipeline = await following(source.url);
    await runAll(client, statements);
    await pipeline.catchUp();
    for (const table of tables) {
      const expected = await copied(source.url, table);
      expect(expected.length).toBeGreaterThan(0);
      expect(pipeline.rows(table)).toEqual(expected);
    }
    expect(pipeline.rows('gone')).toEqual([]);
  });
});
