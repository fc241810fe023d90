import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../../dev/product.ts';
import { startServer, type Kind, type Server } from '../../dev/servers/index.ts';
import { expectSoonEqual } from '../support/equal.ts';
import { LiveWriter } from '../support/live-writer.ts';
import { openClient, type Flavour } from '../support/mysql-run.ts';
import { inDatabase, onPostgres } from './scene.ts';

/** Each kind of change of a table that others write to. */
const changes: readonly (readonly [what: string, ...statements: string[]])[] = [
  ['a column that is added', 'ALTER TABLE t ADD COLUMN a INT NOT NULL DEFAULT 5, ADD b VARCHAR(9) DEFAULT "it\'s"'],
  ['a column that is added in the middle', 'ALTER TABLE t ADD COLUMN first_one DATE NULL FIRST, ADD m TEXT AFTER id'],
  ['columns that change places', 'ALTER TABLE t MODIFY m TEXT AFTER n, MODIFY first_one DATE AFTER m'],
  ['a column that is renamed', 'ALTER TABLE t RENAME COLUMN v TO w'],
  ['columns that swap their names', 'ALTER TABLE t RENAME COLUMN w TO b, RENAME COLUMN b TO w'],
  [
    'a column that is renamed and retyped',
    'ALTER TABLE t CHANGE n number BIGINT UNSIGNED NULL, CHANGE w v VARCHAR(80)',
  ],
  ['a column that is widened', 'ALTER TABLE t MODIFY a BIGINT NOT NULL DEFAULT 6, MODIFY d DECIMAL(12,4)'],
  ['a column that is narrowed', 'ALTER TABLE t MODIFY a SMALLINT NOT NULL DEFAULT 6, MODIFY v VARCHAR(30)'],
  ['a number that becomes a text', 'ALTER TABLE t MODIFY a VARCHAR(20) NOT NULL DEFAULT "x"'],
  ['a column that may be NULL', 'ALTER TABLE t MODIFY a VARCHAR(20) NULL', 'UPDATE t SET a = NULL WHERE id % 2 = 0'],
  ['a default', "ALTER TABLE t ALTER a SET DEFAULT 'new', ALTER b DROP DEFAULT"],
  ['another character set', 'ALTER TABLE t CONVERT TO CHARACTER SET latin1', "INSERT INTO t (id, v) VALUES (5, 'ÿ€')"],
  [
    'labels of an ENUM',
    "ALTER TABLE t ADD e ENUM('a','b') DEFAULT 'b', ADD s SET('x','y') DEFAULT 'x'",
    "ALTER TABLE t MODIFY e ENUM('z','b','a','c') DEFAULT 'c', MODIFY s SET('x','y','z')",
    "INSERT INTO t (id, e, s) VALUES (6, 'z', 'z')",
  ],
  ['a generated column', 'ALTER TABLE t ADD g INT GENERATED ALWAYS AS (id * 2) VIRTUAL', 'ALTER TABLE t DROP g'],
  [
    'columns that the server fills in rows that are there',
    'CREATE TABLE filled (id VARCHAR(9) PRIMARY KEY, v INT)',
    "INSERT INTO filled VALUES ('b', 1), ('a', 2), ('c', NULL)",
    'ALTER TABLE filled ADD n INT NOT NULL AUTO_INCREMENT UNIQUE',
    "INSERT INTO filled (id) VALUES ('d')",
    'ALTER TABLE filled ADD twice INT AS (v * 2) STORED, ADD thrice INT AS (v * 3) VIRTUAL',
    "UPDATE filled SET v = 5 WHERE id = 'a'",
    "ALTER TABLE filled ADD said VARCHAR(40) DEFAULT (CONCAT('n', 1 + 1))",
    "INSERT INTO filled (id) VALUES ('e')",
    'ALTER TABLE filled ADD at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), ADD ts TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)',
    'ALTER TABLE filled ADD at0 DATETIME DEFAULT CURRENT_TIMESTAMP, ADD ts0 TIMESTAMP DEFAULT CURRENT_TIMESTAMP',
    "DELETE FROM filled WHERE id = 'b'",
  ],
  ['a column that is dropped', 'ALTER TABLE t DROP COLUMN first_one, DROP e'],
  [
    'a column that is dropped and added again',
    'ALTER TABLE t DROP COLUMN a, ADD COLUMN a DECIMAL(5,1) NOT NULL DEFAULT 1.5',
  ],
  [
    'a table that is emptied',
    'INSERT INTO other VALUES (1, "x")',
    'TRUNCATE other',
    'INSERT INTO other VALUES (2, "y")',
  ],
  ['a table that is renamed', 'RENAME TABLE other TO another', 'INSERT INTO another VALUES (3, "z")'],
  [
    'a table that is renamed by ALTER',
    'ALTER TABLE another RENAME other, ADD n INT DEFAULT 3',
    'INSERT INTO other VALUES (4, "z", 1)',
  ],
  [
    'tables that swap their names',
    'CREATE TABLE twin LIKE other',
    'INSERT INTO twin VALUES (9, "twin", 9)',
    'RENAME TABLE twin TO between_them, other TO twin, between_them TO other',
    'INSERT INTO twin VALUES (10, "was other", 1)',
    'INSERT INTO other VALUES (11, "was twin", 1)',
  ],
  [
    'a table made by SELECT',
    'CREATE TABLE chosen (PRIMARY KEY (id)) SELECT id, v FROM t WHERE id < 100',
    'UPDATE chosen SET v = "u"',
  ],
  [
    'a table that comes from a name that is left out',
    'CREATE TABLE left_out_1 (id INT PRIMARY KEY, v INT)',
    'INSERT INTO left_out_1 VALUES (1, 1), (2, 2)',
    'RENAME TABLE left_out_1 TO came',
    'INSERT INTO came VALUES (3, 3)',
  ],
  [
    'a primary key of a table without rows',
    'CREATE TABLE k (a INT, b INT NOT NULL, PRIMARY KEY (a))',
    'ALTER TABLE k DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)',
    'INSERT INTO k VALUES (1, 2), (1, 3)',
  ],
  [
    'a primary key of a table with rows',
    'INSERT INTO other VALUES (50, "fifty", 5), (51, "fifty", 6)',
    'ALTER TABLE other MODIFY n INT NOT NULL, DROP PRIMARY KEY, ADD PRIMARY KEY (n, id)',
    'UPDATE other SET v = "x" WHERE id = 50',
    'ALTER TABLE other RENAME COLUMN n TO number',
  ],
  [
    'partitions that come, go and are exchanged',
    'CREATE TABLE cut (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200), PARTITION p2 VALUES LESS THAN MAXVALUE)',
    'CREATE TABLE cut_off (id INT PRIMARY KEY, v INT)',
    'INSERT INTO cut VALUES (1, 1), (50, 1), (101, 2), (150, 2), (250, 3), (251, 3)',
    'INSERT INTO cut_off VALUES (60, 6), (61, 6)',
    'ALTER TABLE cut TRUNCATE PARTITION p1',
    'INSERT INTO cut VALUES (110, 2)',
    'ALTER TABLE cut EXCHANGE PARTITION p0 WITH TABLE cut_off',
    'INSERT INTO cut VALUES (62, 6)',
    'DELETE FROM cut_off WHERE id = 50',
    'ALTER TABLE cut REORGANIZE PARTITION p0, p1 INTO (PARTITION p VALUES LESS THAN (200))',
    'UPDATE cut SET v = 9 WHERE id IN (60, 110)',
    'ALTER TABLE cut DROP PARTITION p2',
    'ALTER TABLE cut ADD PARTITION (PARTITION p3 VALUES LESS THAN (1000))',
    'INSERT INTO cut VALUES (300, 3)',
    'ALTER TABLE cut PARTITION BY HASH (id) PARTITIONS 3',
    'ALTER TABLE cut COALESCE PARTITION 1',
    'INSERT INTO cut VALUES (5000, 5)',
    'ALTER TABLE cut REMOVE PARTITIONING',
    'DELETE FROM cut WHERE id = 300',
  ],
  [
    'a tablespace that is discarded',
    'CREATE TABLE spaced (id INT PRIMARY KEY)',
    'INSERT INTO spaced VALUES (1), (2)',
    'ALTER TABLE spaced DISCARD TABLESPACE',
    'DROP TABLE spaced',
  ],
  [
    'statements that are nothing to us',
    'CREATE VIEW vw AS SELECT * FROM t',
    'CREATE TRIGGER tr BEFORE INSERT ON chosen FOR EACH ROW SET NEW.v = "trigger"',
    'CREATE PROCEDURE p() DROP TABLE t',
    'CREATE INDEX i ON t (v)',
    'ANALYZE TABLE t',
    'INSERT INTO chosen (id, v) VALUES (-1, "x")',
  ],
];

/** Registers a test for each kind of change; `way`: straight into PostgreSQL and MongoDB, or by way of Kafka. */
export function registerSchemaChanges(flavour: Flavour, way: 'direct' | 'kafka'): void {
  describe(`schema changes of a ${flavour} while others write, ${way}`, () => {
    const stack = new AsyncDisposableStack();
    let source: Server;
    let targets: Record<string, string>;
    let product: Product;

    beforeAll(async () => {
      const start = async (kind: Kind): Promise<Server> =>
        stack.use(await startServer(kind, { own: true, fast: true }));
      const [first, postgres, mongodb] = await Promise.all([start(flavour), start('postgres'), start('mongodb')]);
      const kafka = way === 'kafka' ? await start('kafka') : null;
      source = first;
      targets = { warehouse: postgres.url, catalog: inDatabase(mongodb.url, 'live') };
      await using client = await openClient(source.url);
      await client.query('CREATE DATABASE live CHARACTER SET utf8mb4');
      await client.query(
        'CREATE TABLE live.t (id INT PRIMARY KEY, v VARCHAR(20) DEFAULT "v", n INT DEFAULT 1, d DECIMAL(8,2) DEFAULT 1.25)',
      );
      await client.query('CREATE TABLE live.other (id INT PRIMARY KEY, v VARCHAR(20))');
      await client.query('INSERT INTO live.t (id) VALUES (1), (2), (3)');
      // A topic without a message tells nobody of its table.
      await client.query("INSERT INTO live.other VALUES (0, 'first')");
      product = await Product.start({
        name: 'live',
        source: source.url,
        tables: ['live.*', '!live.left_out*'],
        kafka: kafka?.url ?? null,
        registry: null,
        // Some of the changes are none that readers of the older schema could follow.
        compatibility: 'NONE',
        targets,
        listen: kafka === null ? null : '127.0.0.1:0',
      });
      stack.use(product);
    });
    afterAll(async () => await stack.disposeAsync());

    it.each(changes)('%s', async (_what, ...statements) => {
      await using client = await openClient(source.url);
      await client.query('USE live');
      {
        await using writer = new LiveWriter(source.url, 'live.t', 'd = d + 1');
        await written(writer, 20);
        for (const statement of statements) await client.query(statement);
        await written(writer, 20);
      }
      for (const url of Object.values(targets)) await equalOrSaid(url);
    });

    it('tables that are dropped, one by name and the rest with their database', async () => {
      await using client = await openClient(source.url);
      await client.query('DROP TABLE live.twin, live.came');
      await client.query('DROP DATABASE live');
      await client.query('CREATE DATABASE live');
      await client.query('CREATE TABLE live.last (id INT PRIMARY KEY)');
      await client.query('INSERT INTO live.last VALUES (1)');
      for (const url of Object.values(targets)) await equalOrSaid(url);
      // Through Kafka each table has lanes of its own: that one has come to its end says nothing of another.
      const soon = { timeout: 20_000 };
      await expect.poll(async () => await tablesOf(targets['warehouse'] ?? ''), soon).toEqual(['last']);
      await expect.poll(async () => await collectionsOf(targets['catalog'] ?? ''), soon).toEqual(['last']);
    });

    async function equalOrSaid(url: string): Promise<void> {
      try {
        expect(await expectSoonEqual(source.url, url, ['live.*', '!live.left_out*'])).toBeGreaterThan(0);
      } catch (error) {
        throw new Error(await product.errors(), { cause: error });
      }
    }
  });
}

async function written(writer: LiveWriter, more: number): Promise<void> {
  const goal = writer.written + more;
  while (writer.written < goal) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function tablesOf(url: string): Promise<string[]> {
  const tables = await onPostgres<{ name: string }>(
    url,
    "SELECT relname AS name FROM pg_class WHERE relnamespace = 'live'::regnamespace AND relkind = 'r'",
  );
  return tables.map(({ name }) => name);
}

async function collectionsOf(url: string): Promise<string[]> {
  const mongo = await MongoClient.connect(url);
  const collections = await mongo.db().listCollections().toArray();
  await mongo.close();
  return collections.map(({ name }) => name);
}
