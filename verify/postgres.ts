import { Client } from 'pg';
import { LockstepError, unreachable, type Code } from '../core/errors.ts';
import type { Column, ColumnType, TableSchema } from '../core/table.ts';
import { inet6Text } from './address.ts';
import { hexBytes } from './bytes.ts';
import { geometryOfEwkb } from './geometry.ts';
import { canonicalJson } from './json.ts';
import { doubleText, plainDecimal } from './number.ts';
import { BATCH_ROWS, keyColumns, keyOf, type ComparedRow, type TargetReader, type Text } from './row.ts';
import { microseconds, shortFraction } from './time.ts';

/**
 * Reads what PostgreSQL holds of the source's tables: schema = source database, table = table. Shares no code with the sink.
 * Errors: TARGET_UNREACHABLE, TARGET_HOST_UNKNOWN, TARGET_AUTH, TARGET_SCHEMA where a table or column is missing, TARGET_QUERY.
 */
export async function openPostgresReader(url: string, signal: AbortSignal): Promise<TargetReader> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    application_name: 'lockstep/verify',
  });
  client.on('error', () => undefined); // what was waiting for an answer is told as well
  const end = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', end, { once: true });
  const query = async (text: string, values: readonly unknown[] = []): Promise<(string | null)[][]> => {
    signal.throwIfAborted();
    try {
      const config = { text, values: [...values], rowMode: 'array' as const, types: AS_TEXT };
      return (await client.query<(string | null)[]>(config)).rows;
    } catch (error) {
      throw readError(error);
    }
  };
  await client.connect().catch((error: unknown) => {
    throw readError(error);
  });
  await query("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'");
  return {
    rows: (table) => readRows(query, table),
    lookup: async (table, keys) => await lookup(query, table, keys),
    async count(table) {
      const [[count] = []] = await query(`SELECT count(*) FROM ${qualified(table)}`);
      return Number(count);
    },
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', end);
      await client.end().catch(() => undefined);
    },
  };
}

type Query = (text: string, values?: readonly unknown[]) => Promise<(string | null)[][]>;

/** The server's own text for every type: nothing is left to the driver. */
const AS_TEXT = { getTypeParser: () => (value: string) => value };

async function* readRows(query: Query, table: TableSchema): AsyncGenerator<readonly ComparedRow[]> {
  const order = keyColumns(table).map((column) => quoted(column.name));
  const by = order.length > 0 ? ` ORDER BY ${order.join()}` : '';
  const convert = compile(table);
  await query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await query(`DECLARE compared NO SCROLL CURSOR FOR SELECT ${selection(table)} FROM ${qualified(table)} t${by}`);
    for (;;) {
      const rows = await query(`FETCH ${String(BATCH_ROWS)} FROM compared`);
      if (rows.length === 0) break;
      yield rows.map(convert);
    }
  } finally {
    await query('ROLLBACK').catch(() => undefined); // on a lost connection there is nothing to roll back
  }
}

async function lookup(query: Query, table: TableSchema, keys: readonly (readonly string[])[]): Promise<ComparedRow[]> {
  const names = keyColumns(table).map((column) => quoted(column.name));
  const types = await keyTypes(query, table);
  const arrays = names.map((_, i) => keys.map((key) => keyText(keyColumns(table)[i], key[i] ?? '')));
  const wanted = names.map((_, i) => `$${String(i + 1)}::text[]`).join(', ');
  const on = names.map((name, i) => `t.${name} = k.k${String(i)}::${types[i] ?? 'text'}`).join(' AND ');
  const list = names.map((_, i) => `k${String(i)}`).join();
  const sql = `SELECT ${selection(table)} FROM unnest(${wanted}) AS k(${list}) JOIN ${qualified(table)} t ON ${on}`;
  return (await query(sql, arrays)).map(compile(table));
}

/** A compared text as the text that PostgreSQL reads. */
function keyText(column: Column | undefined, text: string): string | null {
  if (column === undefined) return null;
  const { type } = column;
  // A NULL is marked so; bytes may begin like that, but are never NULL in a key.
  if (!isBytes(type) && text.startsWith('\u0000')) return null;
  if (type.kind === 'time') return `${text} microseconds`;
  if (type.kind === 'bit' && type.length > 1) return BigInt(text).toString(2).padStart(type.length, '0');
  if (type.kind === 'set') return `{${text.split(',').map(arrayItem).join()}}`;
  return isBytes(type) ? `\\x${Buffer.from(text, 'latin1').toString('hex')}` : text;
}

function arrayItem(label: string): string {
  return `"${label.replaceAll(/["\\]/g, '\\$&')}"`;
}

function isBytes({ kind }: ColumnType): boolean {
  return kind === 'binary' || kind === 'varbinary' || kind === 'blob' || kind === 'geometry';
}

/** The types of the key columns as the target has them, in SQL. */
async function keyTypes(query: Query, table: TableSchema): Promise<string[]> {
  const rows = await query(
    'SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0',
    [qualified(table)],
  );
  const types = new Map(rows.map(([name, type]) => [name, type ?? 'text']));
  return keyColumns(table).map((column) => types.get(column.name) ?? 'text');
}

function compile(table: TableSchema): (row: readonly Text[]) => ComparedRow {
  const converters = table.columns.map(converter);
  return (row) => {
    const values = converters.map((convert, i) => {
      const value = row[i] ?? null;
      return value === null ? null : convert(value);
    });
    return { key: keyOf(table, values), values, surplus: null };
  };
}

function selection(table: TableSchema): string {
  return table.columns.map(selected).join(', ');
}

function selected(column: Column): string {
  const name = `t.${quoted(column.name)}`;
  const { kind } = column.type;
  if (kind === 'set' || kind === 'vector') return `array_to_string(${name}, ',')`;
  return kind === 'inet4' || kind === 'inet6' ? `host(${name})` : name;
}

function converter(column: Column): (value: string) => string {
  switch (column.type.kind) {
    case 'decimal':
      return plainDecimal;
    case 'float':
      return (value) => doubleText(Math.fround(Number(value)));
    case 'double':
      return (value) => doubleText(Number(value));
    case 'bit':
    case 'boolean':
      return (value) => (value === 't' ? '1' : value === 'f' ? '0' : String(BigInt(`0b${value}`)));
    case 'binary':
    case 'varbinary':
    case 'blob':
      return hexBytes;
    case 'geometry':
      return geometryOfEwkb;
    case 'datetime':
      return shortFraction;
    case 'timestamp':
      return (value) => shortFraction(value.endsWith('+00') ? value.slice(0, -3) : `?${value}`);
    case 'time':
      return microseconds;
    case 'vector':
      return (value) =>
        value
          .split(',')
          .map((item) => doubleText(Math.fround(Number(item))))
          .join();
    case 'json':
      return canonicalJson;
    case 'int':
    case 'bigint':
    case 'year':
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'date':
    case 'uuid':
    case 'inet4':
      return (value) => value;
    case 'inet6':
      return inet6Text;
    default:
      return unreachable(column.type);
  }
}

function qualified(table: TableSchema): string {
  return `${quoted(table.database)}.${quoted(table.name)}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const CODES: Readonly<Record<string, Code>> = {
  ENOTFOUND: 'TARGET_HOST_UNKNOWN',
  ECONNREFUSED: 'TARGET_UNREACHABLE',
  ECONNRESET: 'TARGET_CONNECTION_LOST',
  '28P01': 'TARGET_AUTH',
  '28000': 'TARGET_AUTH',
  '3D000': 'TARGET_SCHEMA',
  '3F000': 'TARGET_SCHEMA',
  '42P01': 'TARGET_SCHEMA',
  '42703': 'TARGET_SCHEMA',
  '42501': 'TARGET_GRANT',
};

/** Only the server's own message: its `detail` may hold a row's values. */
function readError(error: unknown): LockstepError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  const text = `reading PostgreSQL for comparison: ${message}`;
  return new LockstepError(CODES[code] ?? 'TARGET_QUERY', text, { cause: error });
}
