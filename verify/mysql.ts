import { createConnection, type Connection, type ConnectionOptions } from 'mysql2';
import { LockstepError, unreachable, type Code } from '../core/errors.ts';
import { Bell } from '../core/signals.ts';
import type { Column, TableSchema } from '../core/table.ts';
import { defaultPolicies, type PoliciesOf, sentinelOf, type ValuePolicies, withoutNul } from '../core/value-policy.ts';
import { catalogTables } from './catalog.ts';
import { canonicalJson } from './json.ts';
import { doubleText, plainDecimal } from './number.ts';
import { BATCH_ROWS, hasIntegerKey, keyColumns, keyOf, type ComparedRow, type SourceReader, type Text } from './row.ts';
import { microseconds, realDate, realDatetime } from './time.ts';
import { float32s } from './bytes.ts';

/**
 * Reads the rows of a MySQL or MariaDB server for comparison. Shares no code with the connector, so that it can bear witness about
 * it: the server itself turns values into text. Errors: SOURCE_UNREACHABLE, SOURCE_HOST_UNKNOWN, SOURCE_AUTH, SOURCE_QUERY and others.
 */
export async function openMysqlReader(
  url: string,
  signal: AbortSignal,
  policiesOf: PoliciesOf = () => defaultPolicies,
): Promise<SourceReader> {
  const connection = createConnection({ uri: url.replace(/^mariadb:/, 'mysql:'), ...SESSION });
  const end = (): void => connection.destroy();
  signal.addEventListener('abort', end, { once: true });
  connection.on('error', () => undefined); // what was waiting for an answer is told as well
  const query = async (sql: string, values: readonly unknown[] = []): Promise<unknown[][]> => {
    const rows: unknown[][] = [];
    for await (const batch of stream(connection, sql, values, signal)) for (const row of batch) rows.push(row);
    return rows;
  };
  await query("SET time_zone = '+00:00', sql_mode = ''");
  return {
    tables: async (patterns) => await catalogTables(query, patterns),
    rows: (table, signal) => readRows(connection, table, policiesOf(table), signal),
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', end);
      await Promise.resolve(connection.destroy());
    },
  };
}

const SESSION: ConnectionOptions = {
  charset: 'utf8mb4_bin',
  supportBigNumbers: true,
  bigNumberStrings: true,
  dateStrings: true,
  rowsAsArray: true,
  connectTimeout: 10_000,
};

async function* readRows(
  connection: Connection,
  table: TableSchema,
  policies: ValuePolicies,
  signal: AbortSignal,
): AsyncGenerator<readonly ComparedRow[]> {
  const columns = table.columns.map(selected).join(', ');
  const order = hasIntegerKey(table)
    ? ` ORDER BY ${keyColumns(table)
        .map((column) => quoted(column.name))
        .join()}`
    : '';
  const sql = `SELECT ${columns} FROM ${quoted(table.database)}.${quoted(table.name)}${order}`;
  const converters = table.columns.map((column, index) =>
    table.key.includes(index) ? compared(column) : mended(column, policies),
  );
  for await (const rows of stream(connection, sql, [], signal)) {
    yield rows.map((row) => {
      const values = converters.map((convert, i) => toText(row[i], convert));
      return { key: keyOf(table, values), values, surplus: null };
    });
  }
}

function toText(value: unknown, convert: (value: string) => Text): Text {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return convert(value.toString('latin1'));
  return convert(typeof value === 'string' ? value : JSON.stringify(value));
}

/** The column so that the driver has nothing left to convert but text in UTF-8 and bytes. */
function selected(column: Column): string {
  const name = quoted(column.name);
  switch (column.type.kind) {
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit':
    case 'boolean':
      return `CONCAT('', ${name} + 0)`; // + 0 leaves out what ZEROFILL adds
    case 'float':
      return `CONCAT('', CAST(${name} AS DOUBLE))`; // as text a FLOAT has six digits only
    case 'double':
      return `CONCAT('', ${name})`;
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return `CAST(${name} AS CHAR CHARACTER SET utf8mb4)`;
    case 'geometry':
    case 'vector':
      return `CAST(${name} AS BINARY)`;
    case 'decimal':
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
      return name;
    default:
      return unreachable(column.type);
  }
}

/** What a policy makes of a value that a target cannot hold; of other values what `compared` does. */
function mended(column: Column, policies: ValuePolicies): (value: string) => Text {
  const convert = compared(column);
  const sentinel = sentinelOf(policies);
  const { nulCharacters } = policies;
  switch (column.type.kind) {
    case 'date':
      return (value) => convert(value) ?? sentinel;
    case 'datetime':
    case 'timestamp':
      return (value) => convert(value) ?? (sentinel === null ? null : `${sentinel} 00:00:00`);
    case 'char':
    case 'varchar':
    case 'text':
      return nulCharacters === 'dead-letter' ? convert : (value) => withoutNul(value, nulCharacters);
    case 'json':
      return nulCharacters === 'dead-letter' ? convert : (value) => convert(withoutNulEscape(value, nulCharacters));
    default:
      return convert;
  }
}

/** Escapes are taken one by one, so that a backslash that is one itself hides what follows it. */
function withoutNulEscape(json: string, policy: 'strip' | 'replace'): string {
  const instead = policy === 'strip' ? '' : '\uFFFD';
  return json.replaceAll(/\\(?:u[0-9a-f]{4}|[^u])/gi, (escape) => (escape === '\\u0000' ? instead : escape));
}

/** How the source's text of a value becomes the one that is compared. */
export function compared(column: Column): (value: string) => Text {
  switch (column.type.kind) {
    case 'decimal':
      return plainDecimal;
    case 'float':
      return (value) => doubleText(Math.fround(Number(value)));
    case 'double':
      return (value) => doubleText(Number(value));
    case 'json':
      return canonicalJson;
    case 'date':
      return realDate;
    case 'datetime':
    case 'timestamp':
      return realDatetime;
    case 'time':
      return microseconds;
    case 'vector':
      return float32s;
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit':
    case 'boolean':
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return (value) => value;
    default:
      return unreachable(column.type);
  }
}

/** The rows of a statement in batches; the socket is paused while nobody wants them. */
async function* stream(
  connection: Connection,
  sql: string,
  values: readonly unknown[],
  signal: AbortSignal,
): AsyncGenerator<unknown[][]> {
  const ready: unknown[][][] = [];
  const changed = new Bell();
  let batch: unknown[][] = [];
  let state: { readonly failure: unknown } | null = null;
  const finish = (failure: unknown): void => {
    state ??= { failure };
    if (batch.length > 0) ready.push(batch);
    changed.notify();
  };
  const query = connection.query({ sql, values: [...values], rowsAsArray: true });
  query.on('result', (row: unknown) => {
    if (!Array.isArray(row)) return; // the header of a statement that gives no rows
    batch.push(row);
    if (batch.length < BATCH_ROWS) return;
    ready.push(batch);
    batch = [];
    connection.pause();
    changed.notify();
  });
  query.on('error', finish);
  query.on('end', () => finish(null));
  try {
    for (;;) {
      const next = ready.shift();
      if (next !== undefined) yield next;
      else if (state !== null) break;
      else {
        connection.resume(); // may hand over what it holds at once
        if (ready.length === 0 && state === null) await changed.wait(signal);
      }
    }
    const ended = state as { readonly failure: unknown };
    if (ended.failure !== null) throw readError(ended.failure);
  } finally {
    connection.resume(); // whoever stops early lets the rest run out, or destroys the connection
  }
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

const CODES: Readonly<Record<string, Code>> = {
  ENOTFOUND: 'SOURCE_HOST_UNKNOWN',
  ECONNREFUSED: 'SOURCE_UNREACHABLE',
  ETIMEDOUT: 'SOURCE_UNREACHABLE',
  ECONNRESET: 'SOURCE_CONNECTION_LOST',
  EPIPE: 'SOURCE_CONNECTION_LOST',
  PROTOCOL_CONNECTION_LOST: 'SOURCE_CONNECTION_LOST',
  ER_ACCESS_DENIED_ERROR: 'SOURCE_AUTH',
  ER_DBACCESS_DENIED_ERROR: 'SOURCE_GRANT',
  ER_TABLEACCESS_DENIED_ERROR: 'SOURCE_GRANT',
  ER_NO_SUCH_TABLE: 'SOURCE_SCHEMA',
  ER_BAD_FIELD_ERROR: 'SOURCE_SCHEMA',
};

function readError(error: unknown): LockstepError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  return new LockstepError(CODES[code] ?? 'SOURCE_QUERY', `reading the source for comparison: ${message}`, {
    cause: error,
  });
}
