import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GtidSet } from '../../connectors/mysql/position/gtid-set.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { copied, following, runAll, whileFollowing } from '../support/following.ts';
import { openClient } from '../support/mysql-run.ts';

describe('tagged GTIDs', () => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;

  beforeAll(async () => {
    source = stack.use(await startServer('mysql', { fast: true, own: true }));
    client = await openClient(source.url);
    stack.defer(() => client.destroy());
    await runAll(client, ['CREATE DATABASE shop', 'USE shop', 'CREATE TABLE items (id INT PRIMARY KEY, v INT)']);
  });
  afterAll(() => stack.disposeAsync());

  const insert = async (id: number, tag: string | null): Promise<void> => {
    await client.query(`SET gtid_next = 'AUTOMATIC${tag === null ? '' : `:${tag}`}'`);
    await client.query(`INSERT INTO items VALUES (${id}, ${id})`);
    await client.query("SET gtid_next = 'AUTOMATIC'");
  };

  it('are followed, and the log is read on behind them after a restart', async () => {
    await insert(1, 'early');
    await insert(2, null);
    const pipeline = await following(source.url);
    await insert(3, 'a_tag_that_is_as_long_as_it_may');
    await insert(4, 'early');
    await pipeline.catchUp();
    await insert(5, null);
    await whileFollowing(pipeline, async (arrived) => {
      await insert(6, 'late');
      await insert(7, 'early');
      await arrived('items', 7);
    });
    await pipeline.catchUp();
    expect(pipeline.rows('items')).toEqual(await copied(source.url, 'items'));
    expect(pipeline.rows('items')).toHaveLength(7);
    const [[row]] = await client.query<RowDataPacket[]>('SELECT @@global.gtid_executed AS executed');
    const executed = GtidSet.parse(String(row?.['executed']));
    const stored = GtidSet.parse(String((JSON.parse(pipeline.token()) as { gtid: unknown }).gtid));
    expect(executed.covers(stored) && stored.covers(executed)).toBe(true);
    expect(executed.size).toBe(stored.size);
  });
});
