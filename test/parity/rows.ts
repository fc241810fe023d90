import type { Connection } from 'mysql2/promise';
import { seeded } from '../../dev/random.ts';
import { sqlOf, type ParityColumn } from './column.ts';
import type { ParityTable } from './tables.ts';

/**
 * Each case of a table is four rows, told apart by their ids: copied · inserted in the stream · copied with the next case's values and
 * updated to this one's · copied and deleted.
 */
export const ways = { copied: 0, inserted: 1000, updated: 2000, deleted: 3000 } as const;

const RANDOM_CASES = 40;

/** SQL literals by case, then by column: the edges (the first again where a column has fewer), random values, and a row of NULLs. */
export type Cases = readonly (readonly string[])[];

export function edgeCount({ columns }: ParityTable): number {
  return Math.max(...columns.map(({ edges }) => edges.length));
}

export function casesOf(table: ParityTable, seed: number): Cases {
  const random = seeded(seed);
  const written = writtenColumns(table).map(({ column }) => column);
  const edges = Array.from({ length: edgeCount(table) }, (_, i) => written.map((column) => edge(column, i)));
  const others = Array.from({ length: RANDOM_CASES }, () =>
    written.map((column) => (random.chance(0.2) ? 'NULL' : column.random(random))),
  );
  return [...edges, ...others, written.map(() => 'NULL')];
}

function edge({ edges }: ParityColumn, i: number): string {
  const found = edges[i] ?? edges[0];
  return found === undefined ? 'NULL' : sqlOf(found);
}

function writtenColumns({ columns }: ParityTable): { column: ParityColumn; name: string }[] {
  return columns.map((column, i) => ({ column, name: `c${i}` })).filter(({ column }) => column.computed === undefined);
}

export async function createTable(client: Connection, table: ParityTable): Promise<void> {
  const definitions = table.columns.map(({ sql }, i) => `c${i} ${sql}`);
  const settings = Object.entries(table.settings ?? {});
  for (const [name, { during }] of settings) await client.query(`SET GLOBAL ${name} = ${during}`);
  await client.query(
    `CREATE TABLE ${table.name} (id INT PRIMARY KEY, ${definitions.join()}, touched INT) ROW_FORMAT=DYNAMIC`,
  );
  for (const [name, { after }] of settings) await client.query(`SET GLOBAL ${name} = ${after}`);
}

/** What is there before anybody looks. */
export async function fillCopied(client: Connection, table: ParityTable, cases: Cases): Promise<void> {
  for (const [i, values] of cases.entries()) {
    const next = cases[(i + 1) % cases.length] ?? values;
    await insert(client, table, [
      [ways.copied + i, values],
      [ways.updated + i, next],
      [ways.deleted + i, values],
    ]);
  }
}

/** What happens after the copy. */
export async function changeFollowed(client: Connection, table: ParityTable, cases: Cases): Promise<void> {
  const names = writtenColumns(table).map(({ name }) => name);
  for (const [i, values] of cases.entries()) {
    await insert(client, table, [[ways.inserted + i, values]]);
    const set = names.map((name, at) => `${name} = ${values[at] ?? 'NULL'}`);
    await client.query(`UPDATE ${table.name} SET ${set.join()}, touched = 1 WHERE id = ${ways.updated + i}`);
  }
  await client.query(`DELETE FROM ${table.name} WHERE id >= ${ways.deleted}`);
}

async function insert(
  client: Connection,
  table: ParityTable,
  rows: readonly (readonly [number, readonly string[]])[],
): Promise<void> {
  const names = ['id', ...writtenColumns(table).map(({ name }) => name)];
  const tuples = rows.map(([id, values]) => `(${[id, ...values].join()})`);
  await client.query(`INSERT INTO ${table.name} (${names.join()}) VALUES ${tuples.join()}`);
}
