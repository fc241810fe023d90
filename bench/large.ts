import type { Connection } from 'mysql2/promise';
import { BENCH_DATABASE, fillMixedTable, MIXED_COLUMNS, mixedTable } from './data.ts';

const SEED = 'large_seed';
const SEED_ROWS = 10_000;

/** A pattern that leaves out what large transactions are made of. */
export const WITHOUT_SEED = `!${BENCH_DATABASE}.${SEED}`;

/** Makes an empty table, and what `insertLarge` fills it from. */
export async function makeLargeTable(connection: Connection, table: string): Promise<void> {
  await connection.query(mixedTable(table));
  await fillMixedTable(connection, SEED, SEED_ROWS, 7);
}

/** Inserts so many rows of ten mixed columns, 10 million at most, in one transaction, with ids from 1. */
export async function insertLarge(connection: Connection, table: string, rows: number): Promise<void> {
  const times = Math.ceil(rows / SEED_ROWS);
  const id = `seed.id + times.n * ${String(SEED_ROWS)}`;
  await connection.query(
    `INSERT INTO ${BENCH_DATABASE}.${table} (${MIXED_COLUMNS}) SELECT ${id}${MIXED_COLUMNS.slice('id'.length)}
      FROM (WITH RECURSIVE times (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM times WHERE n < ${String(times - 1)}) SELECT n FROM times)
        AS times CROSS JOIN ${BENCH_DATABASE}.${SEED} AS seed
      WHERE ${id} <= ${String(rows)}`,
  );
}
