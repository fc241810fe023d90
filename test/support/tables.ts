import { createHash } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { seeded, type Random } from '../../dev/random.ts';
import { identifier, literal } from '../../dev/sql.ts';
import { RANDOM_TYPES, type RandomType } from './types.ts';

/** A table whose rows are known by a number, whatever its key is made of. */
export interface RandomTable {
  readonly database: string;
  readonly name: string;
  readonly columns: readonly RandomColumn[];
  /** The key columns' names; empty for a table without a key. */
  readonly keyColumns: readonly string[];
  /** The key columns' literals of the row with this number. */
  readonly key: (row: number) => readonly string[];
  /** Rows have been given numbers below this one. */
  next: number;
}

export interface RandomColumn {
  readonly name: string;
  readonly type: RandomType;
  readonly nullable: boolean;
}

export interface RandomTablesOptions {
  readonly database: string;
  readonly seed: number;
  /** How many tables; they take turns in their kinds of key. Default: 6. */
  readonly tables?: number;
  /** Rows in each table to begin with. Default: 200. */
  readonly rows?: number;
  /** One more table, without a key. Default: false. */
  readonly withoutKey?: boolean;
}

interface KeyKind {
  readonly definition: string;
  readonly columns: readonly string[];
  readonly key: (row: number) => readonly string[];
}

const digest = (row: number): Buffer => createHash('md5').update(String(row)).digest();

const KEYS: readonly [KeyKind, ...KeyKind[]] = [
  { definition: 'id INT NOT NULL, PRIMARY KEY (id)', columns: ['id'], key: (row) => [String(row)] },
  {
    definition: 'id VARCHAR(20) NOT NULL, PRIMARY KEY (id)',
    columns: ['id'],
    key: (row) => [literal(`ké${row.toString(36)}`)],
  },
  {
    definition: 'id BIGINT UNSIGNED NOT NULL, PRIMARY KEY (id)',
    columns: ['id'],
    key: (row) => [String(2n ** 63n - 100n + BigInt(row))],
  },
  {
    definition: 'region SMALLINT NOT NULL, code CHAR(8) CHARACTER SET ascii NOT NULL, PRIMARY KEY (region, code)',
    columns: ['region', 'code'],
    key: (row) => [String(row % 5), literal(row.toString(16))],
  },
  { definition: 'id BINARY(16) NOT NULL, PRIMARY KEY (id)', columns: ['id'], key: (row) => [literal(digest(row))] },
  {
    definition: 'a INT NOT NULL, b TINYINT UNSIGNED NOT NULL, UNIQUE KEY only_key (b, a)',
    columns: ['b', 'a'],
    key: (row) => [String(row % 200), String(-row)],
  },
];

/** Makes a database of tables with random columns of every type, filled with random rows: the same for the same seed. */
export async function createRandomTables(url: string, options: RandomTablesOptions): Promise<readonly RandomTable[]> {
  const random = seeded(options.seed);
  const kinds = Array.from({ length: options.tables ?? KEYS.length }, (_, i) => KEYS[i % KEYS.length] ?? KEYS[0]);
  if (options.withoutKey === true)
    kinds.push({ definition: 'number INT NOT NULL', columns: [], key: (row) => [String(row)] });
  const connection = await createConnection({ uri: url, charset: 'utf8mb4_bin' });
  try {
    await connection.query("SET time_zone = '+00:00'");
    await connection.query(`CREATE DATABASE IF NOT EXISTS ${identifier(options.database)} CHARACTER SET utf8mb4`);
    await connection.query(`USE ${identifier(options.database)}`);
    const tables = kinds.map((kind, i) => ({
      kind,
      table: randomTable(random, options.database, `r${String(i)}`, kind),
    }));
    for (const { kind, table } of tables) {
      const columns = table.columns.map(
        ({ name, type, nullable }) => `${name} ${type.declared} ${nullable ? 'NULL' : 'NOT NULL'}`,
      );
      await connection.query(`CREATE TABLE ${table.name} (${[...columns, kind.definition].join(', ')})`);
      await connection.query(insertOf(table, random, newRows(table, options.rows ?? 200)));
    }
    return tables.map(({ table }) => table);
  } finally {
    await connection.end();
  }
}

function randomTable(random: Random, database: string, name: string, kind: KeyKind): RandomTable {
  const columns = Array.from({ length: random.between(3, 14) }, (_, i) => ({
    name: `c${String(i)}`,
    type: random.pick(RANDOM_TYPES),
    nullable: random.chance(0.7),
  }));
  return { database, name, columns, keyColumns: kind.columns, key: kind.key, next: 1 };
}

export function newRows(table: RandomTable, count: number): number[] {
  const first = table.next;
  table.next += count;
  return Array.from({ length: count }, (_, i) => first + i);
}

/** An INSERT of these rows. */
export function insertOf(table: RandomTable, random: Random, rows: readonly number[]): string {
  const keys = table.keyColumns.length > 0 ? table.keyColumns : ['number'];
  const names = [...keys, ...table.columns.map(({ name }) => name)];
  const tuples = rows.map(
    (row) => `(${[...table.key(row), ...table.columns.map((column) => valueOf(column, random))].join()})`,
  );
  return `INSERT INTO ${qualified(table)} (${names.join()}) VALUES ${tuples.join()}`;
}

export function valueOf({ type, nullable }: RandomColumn, random: Random): string {
  return nullable && random.chance(0.2) ? 'NULL' : type.literal(random);
}

export function qualified(table: RandomTable): string {
  return `${identifier(table.database)}.${table.name}`;
}

/** A condition that holds for this row alone. */
export function whereRow(table: RandomTable, row: number): string {
  const keys = table.keyColumns.length > 0 ? table.keyColumns : ['number'];
  const values = table.key(row);
  return keys.map((name, i) => `${name} = ${values[i] ?? 'NULL'}`).join(' AND ');
}
