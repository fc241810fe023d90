import type { Connection, RowDataPacket } from 'mysql2/promise';
import { seeded, type Random } from '../dev/random.ts';
import { literal, tuple } from '../dev/sql.ts';
import { BENCH_DATABASE, connectionOf, MIXED_COLUMNS, mixedRow } from './data.ts';

export type Keys = 'uniform' | 'zipf';

export interface BacklogShape {
  /** Row changes in all. */
  readonly changes: number;
  readonly keys: Keys;
  readonly changesPerTransaction: 1 | 1000;
  readonly seed: number;
}

export const BACKLOG_TABLES = ['t1', 't2', 't3', 't4'] as const;
export type BacklogTable = (typeof BACKLOG_TABLES)[number];

/** One change as it was made. */
export interface BacklogChange {
  readonly table: BacklogTable;
  readonly id: number;
  readonly kind: 'insert' | 'update' | 'delete';
}

interface Statement extends BacklogChange {
  readonly sql: string;
}

export const WRITERS_PER_TABLE = 2;
const STATEMENTS_PER_PACKET = 200;

/**
 * Writes a backlog: 50 % updates, 35 % inserts, 15 % deletes over four tables, each a change of one row that is there. Several
 * connections write side by side, each to keys of its own, so that none waits for another. Gives the changes in an order in which they may have
 * come: those of one key in theirs.
 */
export async function buildBacklog(url: string, shape: BacklogShape): Promise<BacklogChange[]> {
  const writers = BACKLOG_TABLES.length * WRITERS_PER_TABLE;
  const share = Math.floor(shape.changes / writers);
  const written = await Promise.all(
    Array.from({ length: writers }, async (_, i) => {
      const table = BACKLOG_TABLES[i % BACKLOG_TABLES.length] ?? BACKLOG_TABLES[0];
      const part = Math.floor(i / BACKLOG_TABLES.length);
      const extra = i === 0 ? shape.changes - share * writers : 0;
      const connection = await connectionOf(url);
      await connection.query(`USE ${BENCH_DATABASE}`);
      const changes = await write(
        connection,
        table,
        await keysOf(connection, table, part),
        share + extra,
        seeded(shape.seed * 100 + i),
        shape,
      );
      await connection.end();
      return changes;
    }),
  );
  const longest = Math.max(...written.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => written.map((changes) => changes[i]))
    .flat()
    .filter((change) => change !== undefined);
}

/** The keys of one writer: those that are there, and the next one that is not. */
export interface OwnKeys {
  readonly alive: number[];
  next: number;
}

/** The keys of a table's writer number `part`, as they are now. */
export async function keysOf(connection: Connection, table: string, part: number): Promise<OwnKeys> {
  const own = `id % ${String(WRITERS_PER_TABLE)} = ${String(part)}`;
  const [rows] = await connection.query<RowDataPacket[]>(`SELECT id FROM ${table} WHERE ${own} ORDER BY id`);
  const alive = rows.map((row) => Number(row['id']));
  const last = alive.at(-1) ?? part;
  return { alive, next: last + WRITERS_PER_TABLE };
}

async function write(
  connection: Connection,
  table: BacklogTable,
  keys: OwnKeys,
  changes: number,
  random: Random,
  shape: BacklogShape,
): Promise<BacklogChange[]> {
  const { changesPerTransaction: size } = shape;
  const written: BacklogChange[] = [];
  for (let done = 0; done < changes;) {
    const count = Math.min(changes - done, size === 1 ? STATEMENTS_PER_PACKET : size);
    const statements = Array.from({ length: count }, () => change(table, keys, random, shape.keys));
    const sql = statements.map((statement) => statement.sql);
    await connection.query((size === 1 ? sql : ['BEGIN', ...sql, 'COMMIT']).join(';'));
    for (const { id, kind } of statements) written.push({ table, id, kind });
    done += count;
  }
  return written;
}

/** The next change of a writer, which must be made: its keys are then as after it. */
export function change(table: BacklogTable, keys: OwnKeys, random: Random, distribution: Keys): Statement {
  const dice = random.next();
  const at = distribution === 'uniform' ? random.int(keys.alive.length) : logUniform(random, keys.alive.length);
  const id = keys.alive[at];
  if (dice < 0.35 || id === undefined) {
    const fresh = keys.next;
    keys.next += WRITERS_PER_TABLE;
    keys.alive.push(fresh);
    const sql = `INSERT INTO ${table} (${MIXED_COLUMNS}) VALUES ${tuple(mixedRow(random, fresh))}`;
    return { table, id: fresh, kind: 'insert', sql };
  }
  if (dice < 0.5) {
    const last = keys.alive.pop();
    if (last !== undefined && last !== id) keys.alive[at] = last;
    return { table, id, kind: 'delete', sql: `DELETE FROM ${table} WHERE id = ${String(id)}` };
  }
  const [, amount = 0, title = ''] = mixedRow(random, id);
  const set = `amount = ${literal(amount)}, title = ${literal(title)}, ratio = ratio + 1`;
  return { table, id, kind: 'update', sql: `UPDATE ${table} SET ${set} WHERE id = ${String(id)}` };
}

/** Rank k with a probability proportional to 1/k: Zipf's law with exponent 1. */
function logUniform(random: Random, count: number): number {
  return Math.min(count - 1, Math.floor(count ** random.next()) - 1);
}
