import type { Random } from '../../dev/random.ts';
import { seeded } from '../../dev/random.ts';
import { literal } from '../../dev/sql.ts';
import { openClient } from './mysql-run.ts';

/** A table as writers know it: a row's values, the condition for some row, and a new key for it. */
export interface Shape {
  readonly name: string;
  readonly columns: string;
  readonly row: (i: number, random: Random) => string;
  readonly some: (random: Random) => string;
  readonly rekey: (random: Random) => string;
}

const space = 40_000;
const word = (i: number): string => `${['a', 'B', 'č', 'Z', 'é'][i % 5] ?? ''}${i % 997}`;
const day = (i: number): string =>
  `'20${String(i % 90).padStart(2, '0')}-01-01 00:00:00.${String(i).padStart(6, '0')}'`;

/** Tables with every kind of key that sorts otherwise than our own code would. */
export const shapes: readonly Shape[] = [
  {
    name: 'ints',
    columns: 'id INT PRIMARY KEY, v VARCHAR(40), n BIGINT',
    row: (i, random) => `(${i * 3 - 5000}, 'start', ${random.int(99)})`,
    some: (random) => `id = ${random.int(space) - 5000}`,
    rekey: (random) => `id = ${random.int(space) - 5000}`,
  },
  {
    name: 'words',
    columns: 'w VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, i INT, v INT, n INT, PRIMARY KEY (w, i)',
    row: (i, random) => `(${literal(word(i))}, ${i % 50}, ${i}, ${random.int(9)})`,
    some: (random) => `w = ${literal(word(random.int(space)))} AND i = ${random.int(50)}`,
    rekey: (random) => `i = ${random.int(90)}`,
  },
  {
    name: 'bins',
    columns: 'b BINARY(4) PRIMARY KEY, v VARCHAR(20), n INT',
    row: (i) => `(UNHEX('${(i * 7).toString(16).padStart(6, '0')}00'), 'start', 0)`,
    some: (random) =>
      `b = UNHEX('${random
        .int(space * 7)
        .toString(16)
        .padStart(6, '0')}00')`,
    rekey: (random) =>
      `b = UNHEX('${random
        .int(2 ** 24)
        .toString(16)
        .padStart(6, '0')}00')`,
  },
  {
    name: 'decs',
    columns: 'd DECIMAL(20,3), i SMALLINT, v INT, n INT, PRIMARY KEY (d, i DESC)',
    row: (i) => `(${i - 6000}.125, ${i % 3}, 1, 1)`,
    some: (random) => `d = ${random.int(space) - 6000}.125`,
    rekey: (random) => `d = ${random.int(space) - 6000}.250`,
  },
  {
    name: 'days',
    columns: 'at DATETIME(6) PRIMARY KEY, v INT, n INT',
    row: (i) => `(${day(i)}, ${i}, 0)`,
    some: (random) => `at = ${day(random.int(space))}`,
    rekey: (random) => `at = ${day(random.int(space))}`,
  },
  {
    name: 'enums',
    columns: "e ENUM('z','m','a'), i INT, v INT, n INT, PRIMARY KEY (e, i)",
    row: (i) => `(${(i % 3) + 1}, ${i}, 0, 0)`,
    some: (random) => `e = '${random.pick(['z', 'm', 'a'])}' AND i = ${random.int(space)}`,
    rekey: (random) => `e = '${random.pick(['z', 'm', 'a'])}'`,
  },
  {
    name: 'uniques',
    columns: 'v INT, k BIGINT UNSIGNED NOT NULL UNIQUE, n INT',
    row: (i) => `(${i}, ${18_446_744_073_709_551_615n - BigInt(i)}, 0)`,
    some: (random) => `k = ${18_446_744_073_709_551_615n - BigInt(random.int(space))}`,
    rekey: (random) => `k = ${random.int(space)}`,
  },
  {
    name: 'nokey',
    columns: 'a INT, v VARCHAR(10), n INT, INDEX (a)',
    row: (i) => `(${i % 1000}, 'x', 0)`,
    some: (random) => `a = ${random.int(1200)} LIMIT 1`,
    rekey: (random) => `a = ${random.int(1200)}`,
  },
];

/** Several sessions that change rows at random until they are stopped. */
export class Writers {
  written = 0;
  #stopped = false;
  readonly #options: { readonly url: string; readonly database: string; readonly seed: number };
  readonly #running: Promise<unknown>;

  constructor(options: { readonly url: string; readonly database: string; readonly seed: number }) {
    this.#options = options;
    this.#running = Promise.all([1, 2, 3].map((n) => this.#write(seeded(options.seed + n))));
    this.#running.catch(() => undefined);
  }

  /** Rejects with what a writer failed with; resolves when all were stopped. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** Resolves when the last transaction has ended; rejects with what a writer failed with. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #write(random: Random): Promise<void> {
    const { url, database } = this.#options;
    const client = await openClient(url, "sql_mode = '', innodb_lock_wait_timeout = 1");
    try {
      while (!this.#stopped) {
        const statements = Array.from({ length: random.pick([1, 1, 1, 2, 5]) }, () => statement(database, random));
        if (random.chance(0.003)) statements.push(`TRUNCATE ${database}.${random.pick(truncated)}`);
        await client.query('BEGIN');
        for (const sql of statements) await client.query(sql).catch(ignoreConflict);
        await client.query(random.chance(0.05) ? 'ROLLBACK' : 'COMMIT');
        this.written += 1;
      }
    } finally {
      client.destroy();
    }
  }
}

const truncated: [string, ...string[]] = ['days', 'nokey'];

function statement(database: string, random: Random): string {
  const shape = random.pick(shapes as [Shape, ...Shape[]]);
  const table = `${database}.${shape.name}`;
  const where = shape.some(random);
  switch (random.int(5)) {
    case 0:
      return `INSERT IGNORE INTO ${table} VALUES ${shape.row(random.int(space), random)}`;
    case 1:
      return `DELETE FROM ${table} WHERE ${where}`;
    case 2:
      return `UPDATE IGNORE ${table} SET ${shape.rekey(random)} WHERE ${where}`;
    case 3:
      return `REPLACE INTO ${table} VALUES ${shape.row(random.int(space), random)}`;
    default:
      return `UPDATE ${table} SET n = ${random.int(1_000_000)} WHERE ${where}`;
  }
}

/** Deadlocks and lock timeouts are part of the game. */
function ignoreConflict(error: unknown): void {
  const errno = error instanceof Error && 'errno' in error ? error.errno : null;
  if (errno !== 1213 && errno !== 1205) throw error;
}
