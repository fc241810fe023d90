import type { Connection, RowDataPacket } from 'mysql2/promise';
import { seeded, type Random } from '../dev/random.ts';
import { literal, tuple } from '../dev/sql.ts';
import { BENCH_DATABASE, mixedRow, connectionOf } from './data.ts';

export type Keys = 'uniform' | 'zipf';

export interface BacklogShape {
  /** Row changes in all. */
  readonly changes: number;
  readonly keys: Keys;
  readonly changesPerTransaction: 1 | 1000;
  readonly seed: number;
}

export const BACKLOG_TABLES = ['t1', 't2', 't3', 't4'] as const;
const WRITERS_PER_TABLE = 2;
const STATEMENTS_PER_PACKET = 200;

/**
 * Writes a backlog: 50 % updates, 35 % inserts, 15 % deletes over four tables, each a change of one row that is there. Several
 * connections write side by side, each to keys of its own, so that none waits for another.
 */
export async function buildBacklog(url: string, shape: BacklogShape): Promise<void> {
  const writers = BACKLOG_TABLES.length * WRITERS_PER_TABLE;
  const share = Math.floor(shape.changes / writers);
  await Promise.all(
    Array.from({ length: writers }, async (_, i) => {
      const table = BACKLOG_TABLES[i % BACKLOG_TABLES.length] ?? BACKLOG_TABLES[0];
      const part = Math.floor(i / BACKLOG_TABLES.length);
      const extra = i === 0 ? shape.changes - share * writers : 0;
      const connection = await connectionOf(url);
      await connection.query(`USE ${BENCH_DATABASE}`);
      await write(
        connection,
        table,
        await keysOf(connection, table, part),
        share + extra,
        seeded(shape.seed * 100 + i),
        shape,
      );
      await connection.end();
    }),
  );
}

/** The keys of one writer: those that are there, and the next one that is not. */
interface OwnKeys {
  readonly alive: number[];
  next: number;
}

async function keysOf(connection: Connection, table: string, part: number): Promise<OwnKeys> {
  const own = `id % ${String(WRITERS_PER_TABLE)} = ${String(part)}`;
  const [rows] = await connection.query<RowDataPacket[]>(`SELECT id FROM ${table} WHERE ${own} ORDER BY id`);
  const alive = rows.map((row) => Number(row['id']));
  const last = alive.at(-1) ?? part;
  return { alive, next: last + WRITERS_PER_TABLE };
}

async function write(
  connection: Connection,
  table: string,
  keys: OwnKeys,
  changes: number,
  random: Random,
  shape: BacklogShape,
): Promise<void> {
  const { changesPerTransaction: size } = shape;
  for (let done = 0; done < changes;) {
    const count = Math.min(changes - done, size === 1 ? STATEMENTS_PER_PACKET : size);
    const statements = Array.from({ length: count }, () => change(table, keys, random, shape.keys));
    await connection.query((size === 1 ? statements : ['BEGIN', ...statements, 'COMMIT']).join(';'));
    done += count;
  }
}

function change(table: string, keys: OwnKeys, random: Random, distribution: Keys): string {
  const dice = random.next();
  const at = distribution === 'uniform' ? random.int(keys.alive.length) : logUniform(random, keys.alive.length);
  const id = keys.alive[at];
  if (dice < 0.35 || id === undefined) {
    const fresh = keys.next;
    keys.next += WRITERS_PER_TABLE;
    keys.alive.push(fresh);
    return `INSERT INTO ${table} VALUES ${tuple(mixedRow(random, fresh))}`;
  }
  if (dice < 0.5) {
    const last = keys.alive.pop();
    if (last !== undefined && last !== id) keys.alive[at] = last;
    return `DELETE FROM ${table} WHERE id = ${String(id)}`;
  }
  const [, amount = 0, title = ''] = mixedRow(random, id);
  return `UPDATE ${table} SET amount = ${literal(amount)}, title = ${literal(title)}, ratio = ratio + 1 WHERE id = ${String(id)}`;
}

/** Rank k with a probability proportional to 1/k: Zipf's law with exponent 1. */
function logUniform(random: Random, count: number): number {
  return Math.min(count - 1, Math.floor(count ** random.next()) - 1);
}
