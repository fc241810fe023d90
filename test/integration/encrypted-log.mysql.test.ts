import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { startServer } from '../../dev/servers/index.ts';
import { copied, following, runAll, whileFollowing } from '../support/following.ts';
import { flavours, openClient } from '../support/mysql-run.ts';

describe.each(flavours)('an encrypted log of %s', (flavour) => {
  it('is followed, from one file to the next, and read on after a restart', async () => {
    await using source = await startServer(flavour, { fast: true, encryptedLog: true });
    const client = await openClient(source.url);
    try {
      await runAll(client, ['CREATE DATABASE shop', 'USE shop', 'CREATE TABLE items (id INT PRIMARY KEY, v TEXT)']);
      const pipeline = await following(source.url);
      await runAll(client, ["INSERT INTO items VALUES (1, 'nobody reads this')", 'FLUSH BINARY LOGS']);
      await client.query("INSERT INTO items VALUES (2, 'nor this')");
      await pipeline.catchUp();
      await runAll(client, ["UPDATE items SET v = 'changed' WHERE id = 1", 'FLUSH BINARY LOGS']);
      await whileFollowing(pipeline, async (arrived) => {
        await client.query("INSERT INTO items VALUES (3, 'live')");
        await arrived('items', 3);
      });
      expect(pipeline.rows('items')).toEqual(await copied(source.url, 'items'));
      expect(pipeline.rows('items')).toHaveLength(3);

      const [logs] = await client.query<RowDataPacket[]>('SHOW BINARY LOGS');
      for (const log of logs) {
        const bytes = await readFile(join(source.dir ?? '', 'data', String(log['Log_name'])));
        expect(bytes.includes('nobody reads this')).toBe(false);
      }
    } finally {
      client.destroy();
    }
  });
});
