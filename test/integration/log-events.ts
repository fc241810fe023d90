import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Batch } from '../../core/contracts.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { copied, failureOf, following, runAll, whileFollowing, type Following } from '../support/following.ts';
import { openClient, type Flavour } from '../support/mysql-run.ts';

const million = "REPEAT('x', 1000000)";
/** What any log must be read as; `args` start the server. */
export function registerLogTests(name: string, flavour: Flavour, args: readonly string[]): void {
  describe(`the log of ${name}`, () => {
    const stack = new AsyncDisposableStack();
    let source: Server;
    let client: Connection;

    beforeAll(async () => {
      source = stack.use(await startServer(flavour, { fast: true, args }));
      client = await openClient(source.url);
      await client.query('CREATE DATABASE shop');
      await client.query('USE shop');
    });
    afterAll(async () => {
      client.destroy();
      await stack.disposeAsync();
    });
    beforeEach(async () => {
      await client.query('DROP TABLE IF EXISTS items, others, plain');
      await client.query('CREATE TABLE items (id INT PRIMARY KEY, v LONGTEXT)');
      await client.query("INSERT INTO items VALUES (1, 'one')");
    });

    /** A session of its own: who has prepared an XA transaction can do nothing else. */
    async function openSession(): Promise<Connection> {
      const session = await openClient(source.url);
      await session.query('USE shop');
      return session;
    }

    async function prepare(xid: string, ...inside: readonly string[]): Promise<Connection> {
      const session = await openSession();
      const name = `'${xid}', 'branch', 7`;
      await runAll(session, [`XA START ${name}`, ...inside, `XA END ${name}`, `XA PREPARE ${name}`]);
      return session;
    }

    const expectAsCopied = async ({ rows }: Following, table: string): Promise<void> => {
      const expected = await copied(source.url, table);
      expect(expected.length).toBeGreaterThan(0);
      expect(rows(table)).toEqual(expected);
    };

    it('has the rows of an XA transaction where it commits, never where it was prepared or rolled back', async () => {
      const pipeline = await following(source.url);
      const kept = await prepare(
        'kept',
        "INSERT INTO items VALUES (10, 'xa')",
        "UPDATE items SET v = 'too' WHERE id = 1",
      );
      await client.query("INSERT INTO items VALUES (11, 'between')");
      await pipeline.catchUp();
      expect(pipeline.rows('items')).toEqual([
        [1, 'one'],
        [11, 'between'],
      ]);
      const lost = await prepare('lost', "INSERT INTO items VALUES (12, 'lost')");
      await client.query("INSERT INTO items VALUES (13, 'between too')");
      await pipeline.catchUp();
      await kept.query("XA COMMIT 'kept', 'branch', 7");
      await pipeline.catchUp();
      await lost.query("XA ROLLBACK 'lost', 'branch', 7");
      await runAll(client, ["XA START 'once'", "INSERT INTO items VALUES (14, 'one phase')", "XA END 'once'"]);
      await client.query("XA COMMIT 'once' ONE PHASE");
      await pipeline.catchUp();
      kept.destroy();
      lost.destroy();
      expect(pipeline.rows('items').map(([id]) => id)).toEqual([1, 10, 11, 13, 14]);
      await expectAsCopied(pipeline, 'items');
      expect(pipeline.token()).not.toContain('"from"');
    });

    it('hands a large prepared transaction over in parts, also after a restart', async () => {
      const batches: Batch[] = [];
      const pipeline = await following(source.url, { before: (_, batch) => void batches.push(batch) });
      const rows = Array.from({ length: 20 }, (_, id) => `INSERT INTO items VALUES (${100 + id}, ${million})`);
      const session = await prepare('large', ...rows);
      await pipeline.catchUp();
      expect(pipeline.rows('items')).toHaveLength(1);
      expect(pipeline.token()).toContain('"from"');
      batches.length = 0;
      await session.query("XA COMMIT 'large', 'branch', 7");
      session.destroy();
      await pipeline.catchUp();
      expect(batches.filter(({ checkpoint }) => checkpoint === null).length).toBeGreaterThan(2);
      expect(pipeline.rows('items')).toHaveLength(21);
      await expectAsCopied(pipeline, 'items');
    });

    it('has them also where the server restarts between the two', async () => {
      const pipeline = await following(source.url);
      const session = await prepare('over', "INSERT INTO items VALUES (300, 'over a restart')");
      session.destroy();
      client.destroy();
      await source.restart();
      client = await openSession();
      await pipeline.catchUp();
      expect(pipeline.rows('items')).toHaveLength(1);
      await client.query("XA COMMIT 'over', 'branch', 7");
      await pipeline.catchUp();
      expect(pipeline.rows('items')).toHaveLength(2);
      await expectAsCopied(pipeline, 'items');
    });

    it('stops where an XA transaction commits that was prepared before the pipeline began', async () => {
      const session = await prepare('before', "INSERT INTO items VALUES (200, 'unseen')");
      const pipeline = await following(source.url);
      await client.query("INSERT INTO items VALUES (201, 'seen')");
      await session.query("XA COMMIT 'before', 'branch', 7");
      session.destroy();
      const failure = await failureOf(pipeline.catchUp());
      expect([failure.code, failure.fix]).toEqual(['SOURCE_EVENT_UNSUPPORTED', expect.stringContaining('resync')]);
      expect(failure.message).toContain("X'6265666f7265'");
    });

    it('has no row that was rolled back, to a savepoint or in whole', async () => {
      const pipeline = await following(source.url);
      await client.query('CREATE TABLE plain (id INT PRIMARY KEY) ENGINE = MyISAM');
      const mixed = name !== 'MySQL';
      await runAll(client, [
        'BEGIN',
        "INSERT INTO items VALUES (2, 'stays')",
        'SAVEPOINT `a b`',
        "INSERT INTO items VALUES (3, 'goes')",
        ...(mixed ? ['INSERT INTO plain VALUES (3)'] : []),
        'SAVEPOINT c',
        "INSERT INTO items VALUES (4, 'goes')",
        'ROLLBACK TO SAVEPOINT C',
        "INSERT INTO items VALUES (5, 'goes')",
        'ROLLBACK TO `a b`',
        "INSERT INTO items VALUES (6, 'stays')",
        'RELEASE SAVEPOINT `a b`',
        'COMMIT',
      ]);
      await runAll(client, [
        'BEGIN',
        "UPDATE items SET v = 'goes'",
        'CREATE TEMPORARY TABLE passing (id INT)',
        ...(mixed ? ['INSERT INTO plain VALUES (7)'] : []),
        "INSERT INTO items VALUES (7, 'goes')",
        'DROP TEMPORARY TABLE passing',
        'ROLLBACK',
      ]);
      await client.query('INSERT INTO plain VALUES (50), (51), (50)').catch(() => undefined);
      if (mixed)
        await runAll(client, [
          'BEGIN',
          "UPDATE items, plain SET items.v = 'goes', plain.id = plain.id + 1000 WHERE plain.id = 50",
          'ROLLBACK',
        ]);
      await pipeline.catchUp();
      expect(pipeline.rows('items')).toEqual([
        [1, 'one'],
        [2, 'stays'],
        [6, 'stays'],
      ]);
      await expectAsCopied(pipeline, 'plain');
    });

    it('is followed while the checksum goes and comes, and read so afterwards', async () => {
      const late = await following(source.url);
      const running = await whileFollowing(await following(source.url), async (arrived) => {
        for (const [id, checksum] of [[20, 'NONE'] as const, [21, 'CRC32'] as const, [22, 'NONE'] as const]) {
          await client.query(`SET GLOBAL binlog_checksum = ${checksum}`);
          await client.query(`INSERT INTO items VALUES (${id}, '${checksum}')`);
          await arrived('items', id);
        }
      });
      await late.catchUp();
      await client.query('SET GLOBAL binlog_checksum = CRC32');
      await client.query("INSERT INTO items VALUES (23, 'CRC32')");
      await late.catchUp();
      expect(running.rows('items').map(([id]) => id)).toEqual([1, 20, 21, 22]);
      await expectAsCopied(late, 'items');
    });

    it('is followed over a rotation and a restart that gives table ids anew', async () => {
      await client.query('CREATE TABLE others (id INT PRIMARY KEY, n INT, m INT)');
      const pipeline = await following(source.url);
      await client.query("INSERT INTO items VALUES (30, 'before')");
      await client.query('FLUSH BINARY LOGS');
      await client.query("INSERT INTO items VALUES (31, 'before')");
      client.destroy();
      await source.restart();
      client = await openSession();
      await client.query('INSERT INTO others VALUES (1, 2, 3)');
      await client.query("INSERT INTO items VALUES (32, 'after')");
      await pipeline.catchUp();
      await expectAsCopied(pipeline, 'items');
      await expectAsCopied(pipeline, 'others');
    });

    it('stops where the server itself says that changes are missing, with the place, and applies all before it', async () => {
      const pipeline = await following(source.url);
      await runAll(client, [
        'CREATE TABLE plain (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT) ENGINE = MyISAM',
        'SET GLOBAL binlog_stmt_cache_size = 4096',
        'SET GLOBAL max_binlog_stmt_cache_size = 4096',
        "INSERT INTO items VALUES (40, 'before')",
      ]);
      const session = await openSession();
      const cut = session.query(`INSERT INTO plain (v) VALUES ${Array(9).fill("(REPEAT('x', 4000))").join()}`);
      await expect(cut).rejects.toThrow('max_binlog_stmt_cache_size');
      session.destroy();
      await client.query('SET GLOBAL max_binlog_stmt_cache_size = 4294967296');
      const failure = await failureOf(pipeline.catchUp());
      expect([failure.code, failure.fix]).toEqual(['SOURCE_INCIDENT', expect.stringContaining('resync')]);
      expect(failure.message).toMatch(/ at binlog\.\d+:\d+: /);
      expect(pipeline.rows('items').map(([id]) => id)).toEqual([1, 40]);
    });
  });
}
