import { LockstepError } from '../../../core/errors.ts';
import type { IndexPart, SecondaryIndex } from '../../../core/secondary-index.ts';
import type { TableSchema } from '../../../core/table.ts';
import type { Asker, TextRow } from '../connection/session.ts';

const indexesQuery = `SELECT table_schema AS db, table_name AS tbl, index_name AS name, column_name AS col, sub_part, collation AS direction, index_type AS type
  FROM information_schema.statistics WHERE table_schema IN (?) ORDER BY table_schema, table_name, index_name, seq_in_index`;

/**
 * The secondary indexes of tables as they are now, by origin; an index of the key's columns alone is none. Errors: SOURCE_BUSY where one is being altered or emptied:
 * MariaDB passes over it then without a word.
 */
export async function readIndexes(
  session: Asker,
  tables: readonly TableSchema[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly SecondaryIndex[]>> {
  if (tables.length === 0) return new Map();
  const databases = [...new Set(tables.map(({ database }) => database))];
  const rows = await session.query(indexesQuery, signal, [databases]);
  const byTable = Map.groupBy(rows, (row) => `${text(row, 'db')}.${text(row, 'tbl')}`);
  const passedOver = tables.find(({ origin, key }) => key.length > 0 && !byTable.has(origin));
  if (passedOver !== undefined)
    throw new LockstepError(
      'SOURCE_BUSY',
      `the source does not show the indexes of ${passedOver.origin} at the moment`,
    );
  return new Map(tables.map((table) => [table.origin, indexesOf(table, byTable.get(table.origin) ?? [])]));
}

function indexesOf(table: TableSchema, rows: readonly TextRow[]): SecondaryIndex[] {
  return [...Map.groupBy(rows, (row) => text(row, 'name'))]
    .filter(([name]) => name !== 'PRIMARY')
    .map(([name, parts]): SecondaryIndex => ({
      name,
      kind: kindOf(parts[0]),
      parts: parts.map((row) => partOf(table, row)),
    }))
    .filter((index) => !isOfKey(table, index));
}

function kindOf(row: TextRow | undefined): SecondaryIndex['kind'] {
  switch (row?.['type']?.toUpperCase()) {
    case 'BTREE':
    case 'HASH':
      return 'ordered';
    case 'FULLTEXT':
      return 'fulltext';
    case 'SPATIAL':
    case 'RTREE':
      return 'spatial';
    case undefined:
    default:
      return 'other';
  }
}

/** The column of an expression has no name, and one of a FULLTEXT index no direction. */
function partOf({ columns }: TableSchema, row: TextRow): IndexPart {
  const column = columns.findIndex(({ name }) => name === row['col']);
  const length = row['sub_part'] ?? null;
  return {
    column: column < 0 ? null : column,
    length: length === null ? null : Number(length),
    descending: row['direction'] === 'D',
  };
}

function isOfKey({ key }: TableSchema, { parts }: SecondaryIndex): boolean {
  return key.length === parts.length && parts.every(({ column, length }, i) => column === key[i] && length === null);
}

function text(row: TextRow, name: string): string {
  return row[name] ?? '';
}
