import { expect, it } from 'vitest';
import { Product } from '../../dev/product.ts';
import { seeded } from '../../dev/random.ts';
import { startServer } from '../../dev/servers/index.ts';
import { expectSoonEqual } from '../support/equal.ts';
import { FamilyWriter, familyTables } from '../support/families.ts';
import { openClient } from '../support/mysql-run.ts';
import { seed } from '../support/seed.ts';
import { inDatabase, onPostgres } from './scene.ts';

it(`what foreign keys change reaches targets through Kafka, in its place among the rows, seed ${String(seed)}`, async () => {
  await using servers = new AsyncDisposableStack();
  const [source, postgres, mongodb, kafka] = await Promise.all(
    (['mariadb', 'postgres', 'mongodb', 'kafka'] as const).map(async (kind) =>
      servers.use(await startServer(kind, { own: true, fast: true })),
    ),
  );
  if (source === undefined || postgres === undefined || mongodb === undefined || kafka === undefined)
    throw new Error('a server is missing');
  await using client = await openClient(source.url);
  await client.query('CREATE DATABASE topics');
  await client.query('USE topics');
  for (const sql of familyTables) await client.query(sql);
  const writer = new FamilyWriter(source.url, 'topics', seeded(seed));
  await writer.write(100);
  // No other statement finds it: a topic without a message may come too late for a target to make its table.
  await client.query('INSERT INTO note VALUES (1000, NULL, 0, NULL)');
  await onPostgres(postgres.url, 'CREATE DATABASE topics');
  const targets = { warehouse: inDatabase(postgres.url, 'topics'), catalog: inDatabase(mongodb.url, 'topics') };
  const tables = ['topics.*'];
  const config = {
    name: 'topics',
    source: source.url,
    tables,
    kafka: kafka.url,
    registry: null,
    targets,
    listen: null,
  };
  await using product = await Product.start(config);
  // First while the tables are copied, or before; then while they are followed.
  for (const transactions of [150, 250]) {
    await writer.write(transactions);
    for (const url of Object.values(targets))
      await expectSoonEqual(source.url, url, tables, 90_000).catch(async (cause: unknown) => {
        throw new Error(`seed ${String(seed)}\n${await product.errors()}`, { cause });
      });
  }
  expect(product.exit).toBeNull();
}, 300_000);
