import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../../dev/product.ts';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { expectSoonEqual } from '../support/equal.ts';
import { FamilyWriter, familyTables } from '../support/families.ts';
import { openClient } from '../support/mysql-run.ts';
import { seed } from '../support/seed.ts';
import { inDatabase, onPostgres } from './scene.ts';

/** Registers what foreign keys do at a server and what becomes of it in targets, compared value by value. */
export function registerCascadeEndTests(flavour: 'mysql' | 'mariadb', title: string, args: readonly string[]): void {
  describe(`foreign keys of ${title}, seed ${String(seed)}`, () => {
    const stack = new AsyncDisposableStack();
    let source: Server;
    let postgres: Server;
    let mongodb: Server;

    beforeAll(async () => {
      [source, postgres, mongodb] = await Promise.all([
        startServer(flavour, { own: true, fast: true, args }).then((server) => stack.use(server)),
        startServer('postgres', { own: true, fast: true }).then((server) => stack.use(server)),
        startServer('mongodb', { own: true, fast: true }).then((server) => stack.use(server)),
      ]);
    });
    afterAll(async () => await stack.disposeAsync());

    async function pipeline(name: string, database: string): Promise<Parameters<typeof Product.start>[0]> {
      await onPostgres(postgres.url, `CREATE DATABASE ${name}`);
      const targets = { warehouse: inDatabase(postgres.url, name), catalog: inDatabase(mongodb.url, name) };
      const tables = [`${database}.*`];
      return { name, source: source.url, tables, kafka: null, registry: null, targets, listen: null };
    }

    async function expectAllEqual(product: Product, config: Parameters<typeof Product.start>[0]): Promise<void> {
      for (const url of Object.values(config.targets))
        await expectSoonEqual(source.url, url, config.tables, 60_000).catch(async (cause: unknown) => {
          throw new Error(`seed ${String(seed)}\n${await product.errors()}`, { cause });
        });
    }

    it('are followed over three levels, with SET NULL, new keys, trees, circles and several columns', async () => {
      await using client = await openClient(source.url);
      await client.query('CREATE DATABASE family');
      await client.query('USE family');
      for (const sql of familyTables) await client.query(sql);
      for (const sql of rows) await client.query(sql);
      const config = await pipeline('live', 'family');
      await using product = await Product.start(config);
      await expectAllEqual(product, config);
      for (const sql of [...statements, ...unchecked]) {
        await client.query(sql);
      }
      await expectAllEqual(product, config);
      const [left] = await client.query(
        'SELECT (SELECT count(*) FROM line) AS line, (SELECT count(*) FROM node) AS node',
      );
      expect(left).toEqual([{ line: expect.stringMatching(/^[23]$/), node: '2' }]);
      expect(product.exit).toBeNull();
    });

    it('end equal in what followed random writes and in what was copied in the middle of them', async () => {
      await using client = await openClient(source.url);
      await client.query('CREATE DATABASE random');
      await client.query('USE random');
      for (const sql of familyTables) await client.query(sql);
      const writer = new FamilyWriter(source.url, 'random', seeded(seed));
      await writer.write(150);
      const first = await pipeline('first', 'random');
      await using early = await Product.start(first);
      await writer.write(400);
      const second = await pipeline('second', 'random');
      await using late = await Product.start(second);
      await writer.write(400);
      await expectAllEqual(early, first);
      await expectAllEqual(late, second);
      expect([early.exit, late.exit]).toEqual([null, null]);
      expect(writer.done, 'statements that the server took').toBeGreaterThan(300);
    }, 300_000);

    it('end equal where rows were deleted and got new keys while tables of many chunks were copied', async () => {
      await using client = await openClient(source.url);
      await client.query('CREATE DATABASE large');
      await client.query('USE large');
      for (const sql of familyTables) await client.query(sql);
      const writer = new FamilyWriter(source.url, 'large', seeded(seed), 30_000);
      await writer.fill();
      const config = await pipeline('large', 'large');
      await using product = await Product.start(config);
      await writer.write(700);
      await expectAllEqual(product, config);
      expect(product.exit).toBeNull();
    }, 300_000);
  });
}

const rows = [
  "INSERT INTO customer VALUES (1,'a'),(2,'b'),(3,'c'),(4,'d')",
  'INSERT INTO `order` VALUES (10,1,1),(11,1,2),(20,2,3),(30,3,NULL),(40,4,4)',
  "INSERT INTO line VALUES (10,1,'x'),(10,2,'y'),(11,1,'z'),(20,1,'x'),(30,1,'x'),(40,1,'x')",
  'INSERT INTO note VALUES (1,10,1,1),(2,10,2,2),(3,20,1,3),(4,NULL,1,NULL),(5,40,1,4)',
  'INSERT INTO node VALUES (1,NULL),(2,1),(3,2),(4,3),(5,1),(6,NULL),(7,6)',
  'INSERT INTO left_side VALUES (1,NULL),(2,NULL)',
  'INSERT INTO right_side VALUES (1,2),(2,1)',
  'UPDATE left_side SET right_id = id',
];

const statements = [
  'DELETE FROM customer WHERE id = 1',
  'UPDATE customer SET id = 22 WHERE id = 2',
  'UPDATE `order` SET id = 21 WHERE id = 20',
  'DELETE FROM node WHERE id = 1',
  'DELETE FROM left_side WHERE id = 1',
  'BEGIN',
  "INSERT INTO customer VALUES (5,'e')",
  'INSERT INTO `order` VALUES (50,5,NULL)',
  "INSERT INTO line VALUES (50,1,'e')",
  'DELETE FROM customer WHERE id = 5',
  "INSERT INTO customer VALUES (5,'again')",
  'COMMIT',
  'DELETE FROM customer WHERE id = 3',
];

const unchecked = ['SET foreign_key_checks = 0', 'DELETE FROM customer WHERE id = 4', 'SET foreign_key_checks = 1'];
