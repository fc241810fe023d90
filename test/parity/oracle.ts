import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { Values, Value } from '../../core/contracts.ts';

/** What information_schema says about a column. */
interface Described {
  readonly name: string;
  readonly type: string;
  readonly precision: string;
  readonly scale: string;
}

interface Oracle {
  readonly sql: (name: string, column: Described) => string;
  readonly value: (text: string, column: Described) => Value;
}

const plain = (name: string): string => `CONCAT('', ${name})`;
const number = (name: string): string => `CONCAT('', ${name} + 0)`;
const hex = (name: string): string => `HEX(${name})`;
const bytes = (text: string): Buffer => Buffer.from(text, 'hex');

const integer: Oracle = { sql: number, value: Number };
const text: Oracle = {
  sql: (name) => `HEX(CONVERT(${name} USING utf8mb4))`,
  value: (value) => bytes(value).toString(),
};
const binary: Oracle = { sql: hex, value: (value) => Uint8Array.from(bytes(value)) };
const printed: Oracle = { sql: (name) => `CAST(${name} AS CHAR)`, value: (value) => value };

/** How each type is asked for so that the server says the canonical value itself, and nothing of the connector is needed to read it. */
const oracles: Readonly<Record<string, Oracle>> = {
  ...Object.fromEntries(['tinyint', 'smallint', 'mediumint', 'int', 'year'].map((type) => [type, integer])),
  bigint: { sql: number, value: BigInt },
  bit: { sql: number, value: (value, { precision }) => (precision === '1' ? value === '1' : BigInt(value)) },
  decimal: {
    sql: (name, { precision, scale }) => `CONCAT('', CAST(${name} AS DECIMAL(${precision},${scale})))`,
    value: (value) => value,
  },
  float: {
    sql: (name) => `CONCAT('', CAST(${name} AS DOUBLE))`,
    value: (value) => shortest(Math.fround(Number(value))),
  },
  double: { sql: plain, value: Number },
  ...Object.fromEntries(
    ['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'enum', 'set'].map((type) => [type, text]),
  ),
  json: { sql: (name) => `HEX(CAST(${name} AS CHAR CHARACTER SET utf8mb4))`, value: text.value },
  ...Object.fromEntries(
    ['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'vector'].map((type) => [type, binary]),
  ),
  ...Object.fromEntries(
    [
      'geometry',
      'point',
      'linestring',
      'polygon',
      'multipoint',
      'multilinestring',
      'multipolygon',
      'geometrycollection',
      'geomcollection',
    ].map((type) => [type, binary]),
  ),
  ...Object.fromEntries(
    ['date', 'datetime', 'timestamp', 'time', 'uuid', 'inet4', 'inet6'].map((type) => [type, printed]),
  ),
};

/** Of the numbers with so many digits that are this float32, the first. At least six, as far as a float32 always carries. */
function shortest(single: number): number {
  const found = [6, 7, 8, 9].map((digits) => Number(single.toPrecision(digits)));
  return found.find((candidate) => Math.fround(candidate) === single) ?? single;
}

/** A table's rows in canonical values, as SQL on the source tells them, in the order of `by`. */
export async function askSource(client: Connection, database: string, table: string, by: string): Promise<Values[]> {
  const columns = await described(client, database, table);
  const selected = columns.map((column) => oracleOf(column).sql(`\`${column.name}\``, column));
  const [rows] = await client.query<RowDataPacket[][]>({
    sql: `SELECT ${selected.join()} FROM ${database}.\`${table}\` ORDER BY ${by}`,
    rowsAsArray: true,
  });
  return rows.map((row) =>
    columns.map((column, i) => {
      const said: unknown = row[i];
      return typeof said === 'string' ? oracleOf(column).value(said, column) : null;
    }),
  );
}

function oracleOf(column: Described): Oracle {
  const oracle = oracles[column.type];
  if (oracle === undefined) throw new Error(`nobody knows how to ask for a ${column.type}`);
  return oracle;
}

async function described(client: Connection, database: string, table: string): Promise<Described[]> {
  const [rows] = await client.query<RowDataPacket[]>(
    `SELECT COLUMN_NAME AS name, DATA_TYPE AS type, NUMERIC_PRECISION AS numbers, NUMERIC_SCALE AS scale
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    [database, table],
  );
  return rows.map(({ name, type, numbers, scale }) => ({
    name: String(name),
    type: String(type),
    precision: String(numbers),
    scale: String(scale ?? 0),
  }));
}
