import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../../dev/product.ts';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { expectSoonEqual } from '../support/equal.ts';
import { SchemaChanger } from '../support/schema-changer.ts';
import { createRandomTables, type RandomTable } from '../support/tables.ts';
import { RandomWriter } from '../support/writer.ts';
import { inDatabase, onPostgres } from './scene.ts';
import { seed } from '../support/seed.ts';

/** `LOCKSTEP_TEST_TRANSACTIONS=10000 LOCKSTEP_TEST_TABLES=20` is the full size. */
const transactions = Number(process.env['LOCKSTEP_TEST_TRANSACTIONS'] ?? 500);
const tableCount = Number(process.env['LOCKSTEP_TEST_TABLES'] ?? 10);
const TABLES = ['chaos.*'];

describe.each(['mysql', 'mariadb'] as const)(
  `random transactions and schema changes of %s, seed ${String(seed)}`,
  (flavour) => {
    const stack = new AsyncDisposableStack();
    let source: Server;
    let postgres: Server;
    let mongodb: Server;
    let tables: readonly RandomTable[];

    beforeAll(async () => {
      const start = async (kind: 'mysql' | 'mariadb' | 'postgres' | 'mongodb'): Promise<Server> =>
        stack.use(await startServer(kind, { own: true, fast: true }));
      [source, postgres, mongodb] = await Promise.all([start(flavour), start('postgres'), start('mongodb')]);
      tables = await createRandomTables(source.url, { database: 'chaos', seed, tables: tableCount, rows: 60 });
    });
    afterAll(async () => await stack.disposeAsync());

    it('end equal in what followed them and in what began with a copy in the middle', async () => {
      const targets = [await pipeline('live')];
      await using live = await Product.start(targets[0] ?? (await pipeline('live')));
      await using changer = await SchemaChanger.open(source.url, tables, seeded(seed + 1));
      await written(changer, seed * 2);
      const second = await pipeline('late');
      targets.push(second);
      await using late = await Product.start(second);
      await written(changer, seed * 2 + 1);
      for (const { targets: urls } of targets) {
        for (const url of Object.values(urls)) {
          await expectSoonEqual(source.url, url, TABLES, 60_000 + 20 * transactions).catch(async (cause: unknown) => {
            const said = [await live.errors(), await late.errors()].join('\n');
            throw new Error(`seed ${String(seed)}\n${said}\n${changer.statements.join('\n')}`, { cause });
          });
        }
      }
      expect([live.exit, late.exit]).toEqual([null, null]);
      expect(changer.statements.length).toBeGreaterThan(10);
    }, 1_200_000);

    async function pipeline(name: string): Promise<Parameters<typeof Product.start>[0]> {
      await onPostgres(postgres.url, `CREATE DATABASE ${name}`);
      const urls = { warehouse: inDatabase(postgres.url, name), catalog: inDatabase(mongodb.url, name) };
      return { name, source: source.url, tables: TABLES, kafka: null, registry: null, targets: urls, listen: null };
    }

    /** Half of the transactions, with a schema change after every 12th. */
    async function written(changer: SchemaChanger, number: number): Promise<void> {
      const writer = new RandomWriter(source.url, tables, {
        seed: number,
        transactions: transactions / 2,
        changing: true,
      });
      const changing = async (): Promise<void> => {
        for (let next = 12; next < transactions / 2; next += 12) {
          while (writer.transactions < next) await new Promise((resolve) => setTimeout(resolve, 2));
          await changer.change();
        }
      };
      await Promise.all([writer.finished(), changing()]);
    }
  },
);
