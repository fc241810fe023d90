import fc from 'fast-check';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seeded } from '../../dev/random.ts';
import { startServer } from '../../dev/servers/index.ts';
import { seed } from '../support/seed.ts';
import { rowText } from '../support/memory-table.ts';
import { flavours, openClient } from '../support/mysql-run.ts';
import type { ParityColumn } from './column.ts';
import { askSource } from './oracle.ts';
import { Recorder } from './record.ts';
import { parityTables } from './tables.ts';

const RUNS = 50;

/** A small table and what is written to it, as SQL; so it is also printed where the property fails. */
interface Generated {
  readonly create: string;
  readonly write: readonly string[];
  readonly [fc.toStringMethod]: () => string;
}

/** Shrinks to few columns and few rows. */
function generated(known: readonly ParityColumn[]): fc.Arbitrary<Generated> {
  const value = fc.option(fc.nat(), { freq: 5, nil: null });
  return fc.array(fc.constantFrom(...known), { minLength: 1, maxLength: 20 }).chain((columns) =>
    fc
      .array(fc.array(value, { minLength: columns.length, maxLength: columns.length }), {
        minLength: 1,
        maxLength: 6,
      })
      .map((rows) => statements(columns, rows)),
  );
}

function statements(columns: readonly ParityColumn[], rows: readonly (readonly (number | null)[])[]): Generated {
  const definitions = columns.map(({ sql }, i) => `c${i} ${sql}`).join();
  const names = columns.map((_, i) => `c${i}`);
  const literals = rows.map((row) => columns.map((column, i) => literalOf(column, row[i] ?? null)));
  const turned = names.map((name, i) => `${name} = ${literals[0]?.[i] ?? 'NULL'}`);
  const create = `CREATE TABLE cells (id INT PRIMARY KEY, ${definitions}) ROW_FORMAT=DYNAMIC`;
  const write = [
    ...literals.map(
      (values, id) => `INSERT INTO cells (${['id', ...names].join()}) VALUES (${[id, ...values].join()})`,
    ),
    `UPDATE cells SET ${turned.join()} WHERE id = ${rows.length - 1}`,
  ];
  return { create, write, [fc.toStringMethod]: () => [create, ...write].join(';\n') };
}

describe.each(flavours)('any table of %s', (flavour) => {
  const stack = new AsyncDisposableStack();
  let url: string;
  let client: Connection;

  beforeAll(async () => {
    ({ url } = stack.use(await startServer(flavour, { fast: true, own: true })));
    client = await openClient(url);
    stack.defer(() => client.destroy());
  });
  afterAll(() => stack.disposeAsync());

  it('holds the same after inserts and updates that were followed, after a copy, and in its own words', async () => {
    const known = parityTables(flavour, seed)
      .flatMap(({ columns }) => columns)
      .filter(({ computed }) => computed === undefined);
    let serial = 0;
    const property = fc.asyncProperty(generated(known), async (table) => {
      serial += 1;
      await expectOneTruth(url, client, `generated_${serial}`, table);
    });
    await fc.assert(property, { seed, numRuns: RUNS, interruptAfterTimeLimit: 60_000 });
  });
});

async function expectOneTruth(url: string, client: Connection, database: string, table: Generated): Promise<void> {
  await client.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  await client.query(`USE ${database}`);
  await client.query(table.create);
  const followed = new Recorder(url, database);
  await followed.catchUp();
  for (const sql of table.write) await client.query(sql);
  await followed.catchUp();
  const copied = new Recorder(url, database);
  await copied.catchUp();
  const said = (await askSource(client, database, 'cells', 'id')).map(rowText).toSorted();
  const texts = ({ server }: Recorder): string[] => server.rows({ database, name: 'cells' }).map(rowText).toSorted();
  expect({ followed: texts(followed), copied: texts(copied) }).toEqual({ followed: said, copied: said });
  await client.query(`DROP DATABASE ${database}`);
}

function literalOf(column: ParityColumn, from: number | null): string {
  return from === null ? 'NULL' : column.random(seeded(from));
}
