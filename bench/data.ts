import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import type { Random } from '../dev/random.ts';
import { seeded } from '../dev/random.ts';
import { tuple, type SqlValue } from '../dev/sql.ts';

export const BENCH_DATABASE = 'bench';

/** 10 mixed columns, about 200 bytes a row. No NULLs and nothing that COPY's text format escapes: so a plain pipe can carry it. */
export function mixedTable(name: string): string {
  return `CREATE TABLE ${name} (
    id BIGINT NOT NULL PRIMARY KEY,
    amount INT NOT NULL,
    title VARCHAR(60) NOT NULL,
    price DECIMAL(12,4) NOT NULL,
    made DATETIME(3) NOT NULL,
    seen TIMESTAMP NOT NULL,
    document JSON NOT NULL,
    body TEXT NOT NULL,
    ratio DOUBLE NOT NULL,
    grade TINYINT NOT NULL
  )`;
}

export const MIXED_COLUMNS = 'id, amount, title, price, made, seen, document, body, ratio, grade';

export const POSTGRES_TABLE = `(
  id bigint PRIMARY KEY, amount integer NOT NULL, title varchar(60) NOT NULL, price numeric(12,4) NOT NULL,
  made timestamp(3) NOT NULL, seen timestamptz(0) NOT NULL, document jsonb NOT NULL, body text NOT NULL,
  ratio double precision NOT NULL, grade smallint NOT NULL)`;

/** The columns of two secondary indexes, as both servers write them. */
export const INDEXES = ['(amount)', '(title, made)'] as const;

const WORDS = [
  'river',
  'stone',
  'lantern',
  'žluť',
  'copper',
  'meadow',
  'harbour',
  '日本',
  'winter',
  'orchard',
] as const;

export function mixedRow(random: Random, id: number): SqlValue[] {
  const word = (): string => random.pick(WORDS);
  const day = String(random.between(10, 28));
  return [
    id,
    random.int(1_000_000),
    `${word()} ${word()} ${String(random.int(10_000))}`,
    `${String(random.int(100_000))}.${String(random.int(10_000)).padStart(4, '0')}`,
    `2024-0${String(random.between(1, 9))}-${day} 10:20:30.${String(random.int(1000)).padStart(3, '0')}`,
    `2023-0${String(random.between(1, 9))}-${day} 04:05:06`,
    `{"k": ${String(random.int(1000))}, "w": "${word()}", "list": [1, 2.5, null], "on": true}`,
    `${word()} ${word()} ${word()} ${word()} and ${word()} ${word()} ${word()} then ${word()} ${word()} ${word()}`,
    random.next() * 1e6,
    random.between(-128, 127),
  ];
}

const ROWS_PER_STATEMENT = 1000;

/** Opens a connection that takes several statements in one packet. */
export async function connectionOf(url: string): Promise<Connection> {
  const connection = await createConnection({ uri: url, charset: 'utf8mb4_bin', multipleStatements: true });
  await connection.query("SET time_zone = '+00:00'");
  return connection;
}

/** Makes the database anew. */
export async function createBenchDatabase(connection: Connection): Promise<void> {
  await connection.query(`DROP DATABASE IF EXISTS ${BENCH_DATABASE}`);
  await connection.query(`CREATE DATABASE ${BENCH_DATABASE} CHARACTER SET utf8mb4`);
  await connection.query(`USE ${BENCH_DATABASE}`);
}

/** Makes a table of `rows` rows with ids from 1. */
export async function fillMixedTable(connection: Connection, name: string, rows: number, seed: number): Promise<void> {
  await connection.query(mixedTable(name));
  const random = seeded(seed);
  for (let first = 1; first <= rows; first += ROWS_PER_STATEMENT) {
    const count = Math.min(ROWS_PER_STATEMENT, rows - first + 1);
    const tuples = Array.from({ length: count }, (_, i) => tuple(mixedRow(random, first + i)));
    await connection.query(`INSERT INTO ${name} VALUES ${tuples.join()}`);
  }
}

/** Runs `build` while the source does not wait for its disk, and makes it durable again afterwards. */
export async function withoutSync(connection: Connection, build: () => Promise<void>): Promise<void> {
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT @@sync_binlog AS binlog, @@innodb_flush_log_at_trx_commit AS redo',
  );
  const set = async (binlog: unknown, redo: unknown): Promise<void> => {
    const [first, second] = [String(Number(binlog)), String(Number(redo))];
    await connection.query(`SET GLOBAL sync_binlog = ${first}, GLOBAL innodb_flush_log_at_trx_commit = ${second}`);
  };
  await set(0, 2);
  try {
    await build();
  } finally {
    await set(rows[0]?.['binlog'], rows[0]?.['redo']);
  }
}
