import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../../dev/product.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { expectEqual, expectSoonEqual } from '../support/equal.ts';
import { createRandomTables, type RandomTable } from '../support/tables.ts';
import { RandomWriter } from '../support/writer.ts';

const DATABASE = 'random';
const TABLES = [`${DATABASE}.*`];

describe.each(['mysql', 'mariadb'] as const)('a %s server and its targets', (flavour) => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let tables: readonly RandomTable[];
  let targets: Record<string, string>;

  beforeAll(async () => {
    const started = await Promise.all(
      ([flavour, 'postgres', 'mongodb'] as const).map(async (kind) =>
        stack.use(await startServer(kind, { own: true, fast: true })),
      ),
    );
    const [first, postgres, mongodb] = started;
    if (first === undefined || postgres === undefined || mongodb === undefined) throw new Error('a server is missing');
    source = first;
    targets = { postgres: postgres.url, mongodb: mongodb.url.replace('/?', `/${DATABASE}?`) };
    tables = await createRandomTables(source.url, { database: DATABASE, seed: 7, tables: 12, withoutKey: true });
  });
  afterAll(async () => await stack.disposeAsync());

  const config = (): Parameters<typeof Product.start>[0] => ({
    name: 'random',
    source: source.url,
    tables: TABLES,
    kafka: null,
    registry: null,
    targets,
    listen: null,
  });

  it('hold the same after a copy under concurrent writes of every type', async () => {
    const product = await Product.start(config());
    try {
      await new RandomWriter(source.url, tables, { seed: 1, transactions: 600 }).finished();
      for (const url of Object.values(targets))
        expect(await expectSoonEqual(source.url, url, TABLES)).toBeGreaterThan(0);
      expect(product.exit).toBeNull();
    } finally {
      await product[Symbol.asyncDispose]();
    }
  });

  it('hold the same after a backlog that was written while Lockstep was stopped', async () => {
    await new RandomWriter(source.url, tables, { seed: 2, transactions: 400 }).finished();
    const product = await Product.start(config(), ['--until', 'caught-up', '--json']);
    const exit = await product.ended();
    expect(exit === 0 ? '' : await product.errors()).toBe('');
    await product[Symbol.asyncDispose]();
    for (const url of Object.values(targets)) expect(await expectEqual(source.url, url, TABLES)).toBeGreaterThan(0);
  });
});
