import { LockstepError } from '../../../core/errors.ts';
import type { KeyAction } from '../../../core/foreign-key.ts';
import type { Asker, TextRow } from '../connection/session.ts';
import type { NamedTable } from '../schema/ddl.ts';
import { actionOf, readWrittenKeys } from './written-keys.ts';
import { quote, type Server } from '../connection/server.ts';

/** A foreign key as a table declares it. */
export interface DeclaredKey {
  readonly name: string;
  readonly child: NamedTable;
  readonly columns: readonly string[];
  readonly parent: NamedTable;
  readonly references: readonly string[];
  readonly onDelete: KeyAction;
  readonly onUpdate: KeyAction;
}

/** Whether a key changes rows, and does not only refuse changes. */
export function changesRows({ onDelete, onUpdate }: Pick<DeclaredKey, 'onDelete' | 'onUpdate'>): boolean {
  return onDelete !== 'none' || onUpdate !== 'none';
}

const keysQuery = `SELECT r.constraint_schema AS db, r.table_name AS tbl, r.constraint_name AS name, r.delete_rule AS on_delete, r.update_rule AS on_update,
  k.column_name AS col, k.referenced_table_schema AS parent_db, k.referenced_table_name AS parent_tbl, k.referenced_column_name AS parent_col
  FROM information_schema.referential_constraints r
  JOIN information_schema.key_column_usage k ON k.constraint_schema = r.constraint_schema AND k.table_name = r.table_name AND k.constraint_name = r.constraint_name
  WHERE k.referenced_table_name IS NOT NULL ORDER BY r.constraint_schema, r.table_name, r.constraint_name, k.ordinal_position`;

/**
 * The foreign keys of these tables as they are now; null: of all tables that the account may see. MariaDB's information_schema has them only for
 * accounts that may write, so there they are read where any account sees them.
 */
export async function readDeclaredKeys(
  session: Asker,
  { flavour }: Pick<Server, 'flavour'>,
  tables: readonly NamedTable[] | null,
  signal: AbortSignal,
): Promise<DeclaredKey[]> {
  if (flavour === 'mariadb') return readShownKeys(session, tables ?? (await readTables(session, signal)), signal);
  const wanted = tables && new Set(tables.map(({ database, table }) => JSON.stringify([database, table])));
  const rows = await session.query(keysQuery, signal);
  const byName = Map.groupBy(rows, (row) => JSON.stringify([row['db'], row['tbl'], row['name']]));
  return [...byName.values()].flatMap((columns): DeclaredKey[] => {
    const [first] = columns;
    const isWanted = first !== undefined && wanted?.has(JSON.stringify([first['db'], first['tbl']])) !== false;
    return isWanted ? [declared(first, columns)] : [];
  });
}

async function readTables(session: Asker, signal: AbortSignal): Promise<NamedTable[]> {
  const rows = await session.query(
    "SELECT table_schema AS db, table_name AS tbl FROM information_schema.tables WHERE engine = 'InnoDB' AND table_schema NOT IN ('mysql', 'sys')",
    signal,
  );
  return rows.map((row) => ({ database: text(row, 'db'), table: text(row, 'tbl') }));
}

async function readShownKeys(
  session: Asker,
  tables: readonly NamedTable[],
  signal: AbortSignal,
): Promise<DeclaredKey[]> {
  const found: DeclaredKey[] = [];
  for (const named of tables) {
    const shown = await session
      .query(`SHOW CREATE TABLE ${quote(named.database)}.${quote(named.table)}`, signal)
      .catch(noneIfHidden);
    const statement = shown[0]?.['create table'] ?? '';
    found.push(...readWrittenKeys(named, [], { database: named.database, statement }).added);
  }
  return found;
}

/** A table that somebody has dropped in the meantime, or that is not to be read, shows no keys. */
function noneIfHidden(error: unknown): TextRow[] {
  if (error instanceof LockstepError && ['SOURCE_NO_TABLES', 'SOURCE_SCHEMA', 'SOURCE_GRANT'].includes(error.code))
    return [];
  throw error;
}

function declared(first: TextRow, columns: readonly TextRow[]): DeclaredKey {
  return {
    name: text(first, 'name'),
    child: { database: text(first, 'db'), table: text(first, 'tbl') },
    columns: columns.map((row) => text(row, 'col')),
    parent: { database: text(first, 'parent_db'), table: text(first, 'parent_tbl') },
    references: columns.map((row) => text(row, 'parent_col')),
    onDelete: actionOf(text(first, 'on_delete')),
    onUpdate: actionOf(text(first, 'on_update')),
  };
}

function text(row: TextRow, name: string): string {
  return row[name] ?? '';
}

/** The columns of keys, as `database.table.column`, that the server compares by a collation, so that values that differ can be equal to it. */
export async function readCollated(
  session: Asker,
  keys: readonly DeclaredKey[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const tables = [...new Map(keys.map(({ child }) => [JSON.stringify(child), [child.database, child.table]])).values()];
  if (tables.length === 0) return new Set();
  const rows = await session.query(
    `SELECT CONCAT(table_schema, '.', table_name, '.', column_name) AS name FROM information_schema.columns
    WHERE (table_schema, table_name) IN (?) AND collation_name <> 'binary' AND collation_name NOT LIKE '%\\\\_bin'`,
    signal,
    [tables],
  );
  return new Set(rows.map((row) => text(row, 'name')));
}
