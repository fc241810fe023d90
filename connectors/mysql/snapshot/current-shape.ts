import type { Column, TableSchema } from '../../../core/table.ts';
import type { Asker, TextRow } from '../connection/session.ts';
import { parseDeclaredType } from '../catalog/declared-type.ts';
import { charsetName } from '../schema/column-type.ts';
import { shapeOf } from '../schema/steps.ts';
import { quote } from '../connection/server.ts';

/**
 * Begins a transaction in which the table keeps its shape, as it would in the one statement of a chunk alone, and says in what it differs from
 * the shape that the stream has come to; null where it does not. If it does, the stream has to go on first: rows of a later shape need not fit. Whoever asks ends the
 * transaction. Errors: SOURCE_SCHEMA where the table is gone.
 */
export async function beginInShape(asker: Asker, schema: TableSchema, signal: AbortSignal): Promise<string | null> {
  await asker.query('START TRANSACTION READ ONLY', signal);
  return await differenceInShape(asker, schema, signal);
}

/** The same in a transaction that is open already. */
export async function differenceInShape(
  asker: Asker,
  schema: TableSchema,
  signal: AbortSignal,
): Promise<string | null> {
  return (await differencesInShape(asker, [schema], signal)).get(schema.origin) ?? null;
}

/** `beginInShape` for several tables: what differs, by origin. */
export async function beginInShapes(
  asker: Asker,
  schemas: readonly TableSchema[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  await asker.query('START TRANSACTION READ ONLY', signal);
  return await differencesInShape(asker, schemas, signal);
}

async function differencesInShape(
  asker: Asker,
  schemas: readonly TableSchema[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const nothing = schemas.map(({ database, name }) => `(SELECT 1 FROM ${quote(database)}.${quote(name)} LIMIT 0)`);
  await asker.query(nothing.join(' UNION ALL '), signal);
  const listed = (of: (schema: TableSchema) => string): string[] => [...new Set(schemas.map(of))];
  const rows = await asker.query(
    'SELECT table_schema AS db, table_name AS tbl, column_name AS name, column_type AS type, character_set_name AS charset FROM information_schema.columns WHERE table_schema IN (?) AND table_name IN (?) ORDER BY table_schema, table_name, ordinal_position',
    signal,
    [listed(({ database }) => database), listed(({ name }) => name)],
  );
  const found = Map.groupBy(rows, (row) => JSON.stringify([row['db'], row['tbl']]));
  const differences = new Map<string, string>();
  for (const schema of schemas) {
    const own = schemas.length === 1 ? rows : found.get(JSON.stringify([schema.database, schema.name]));
    const difference = differenceBetween(schema, own ?? []);
    if (difference !== null) differences.set(schema.origin, difference);
  }
  return differences;
}

function differenceBetween({ columns, origin }: TableSchema, rows: readonly TextRow[]): string | null {
  for (let i = 0; i < Math.max(rows.length, columns.length); i += 1) {
    const [column, row] = [columns[i], rows[i]];
    if (column === undefined || row === undefined || row['name'] !== column.name || !isSame(column, row, origin)) {
      const known = column === undefined ? 'nothing' : `${column.name} ${column.declared}`;
      return `column ${String(i + 1)} is ${row?.['name'] ?? 'nothing'} ${row?.['type'] ?? ''} there and ${known} in the log`;
    }
  }
  return null;
}

function isSame(column: Column, row: TextRow, origin: string): boolean {
  const found = parseDeclaredType(row['type'] ?? '', `${origin}.${column.name}`);
  // MariaDB's JSON is a text, and of labels only their texts matter.
  if (column.type.kind === 'json') return found.kind === 'json' || found.kind === 'text';
  // A set that the log has left open is whatever the server says.
  const open = column.charset === '';
  const charset = column.charset === null || open ? column.charset : charsetName(row['charset'] ?? '');
  return JSON.stringify(shapeOf({ ...column, type: found, charset })) === JSON.stringify(shapeOf(column));
}
