import { LockstepError } from '../../../core/errors.ts';
import { sleep } from '../../../core/signals.ts';
import type { Column, TableSchema } from '../../../core/table.ts';
import { tableSchema } from '../../../core/table.ts';
import type { Asker, TextRow } from '../connection/session.ts';
import { parseDeclaredType } from './declared-type.ts';
import type { TableFilter } from './patterns.ts';
import type { Server } from '../connection/server.ts';

/** A captured table with what the catalog knows beyond its schema. */
export interface CatalogTable {
  readonly schema: TableSchema;
  /** True where the key is a unique key in place of a primary one. */
  readonly standIn: boolean;
  /** The engine's estimate; exact for none of them. */
  readonly estimatedRows: number;
  readonly dataBytes: number;
  readonly engine: string;
}

/**
 * Reads the base tables that `captured` lets through from information_schema, as they are now. That takes several statements, between which a
 * table can become another one, and to each of them MariaDB shows a table that is being truncated or altered without its columns, its keys or
 * its checks: it is asked until it says the same twice. Errors: SOURCE_TYPE_UNSUPPORTED.
 */
export async function readCatalog(
  session: Asker,
  server: Server,
  captured: TableFilter,
  signal: AbortSignal,
): Promise<CatalogTable[]> {
  for (let before = ''; ;) {
    const tables = await readOnce(session, server, captured, signal);
    const complete = tables.every(({ schema }) => schema.columns.length > 0);
    const definitions = JSON.stringify(tables.map(({ schema, standIn }) => [schema, standIn]));
    if (complete && definitions === before) return tables;
    if (before !== '') await sleep(20, signal);
    before = definitions;
  }
}

async function readOnce(
  session: Asker,
  server: Server,
  captured: TableFilter,
  signal: AbortSignal,
): Promise<CatalogTable[]> {
  const rows = await session.query(
    "SELECT table_schema AS db, table_name AS tbl, table_type AS type, engine, table_rows, data_length FROM information_schema.tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY table_schema, table_name",
    signal,
  );
  const tables = rows.filter((row) => captured(text(row, 'db'), text(row, 'tbl')));
  if (tables.length === 0) return [];
  const versioned = tables.find((row) => row['type'] === 'SYSTEM VERSIONED');
  if (versioned !== undefined) throw systemVersioned(originOf(versioned));
  const databases = [...new Set(tables.map((row) => text(row, 'db')))];
  const columns = groupByTable(await session.query(columnsQuery, signal, [databases]));
  const keys = groupByTable(await session.query(keysQuery, signal, [databases]));
  const jsonChecks =
    server.flavour === 'mariadb' ? await readJsonChecks(session, databases, signal) : new Set<string>();
  return tables.map((row) => {
    const origin = originOf(row);
    return {
      schema: buildSchema(
        text(row, 'db'),
        text(row, 'tbl'),
        columns.get(origin) ?? [],
        keys.get(origin) ?? [],
        jsonChecks,
        server.flavour,
      ),
      standIn: !(keys.get(origin) ?? []).some((key) => key['idx'] === 'PRIMARY'),
      estimatedRows: Number(row['table_rows'] ?? 0),
      dataBytes: Number(row['data_length'] ?? 0),
      engine: row['engine'] ?? '',
    };
  });
}

/** Left out in silence it would be missing (G5); followed, the rows of its history would come as rows of today. */
function systemVersioned(origin: string): LockstepError {
  return new LockstepError(
    'SOURCE_TYPE_UNSUPPORTED',
    `${origin} is a system-versioned table, whose history cannot be followed`,
    {
      fix: `leave it out of source.tables with '!${origin}'`,
    },
  );
}

const columnsQuery = `SELECT table_schema AS db, table_name AS tbl, column_name AS name, column_type AS type, is_nullable, character_set_name AS charset,
  column_default AS dflt, extra, generation_expression AS generation
  FROM information_schema.columns WHERE table_schema IN (?) ORDER BY table_schema, table_name, ordinal_position`;

const keysQuery = `SELECT s.table_schema AS db, s.table_name AS tbl, s.index_name AS idx, s.column_name AS name, s.nullable, s.sub_part
  FROM information_schema.statistics s WHERE s.table_schema IN (?) AND s.non_unique = 0 ORDER BY s.table_schema, s.table_name, s.index_name, s.seq_in_index`;

/** MariaDB's JSON is LONGTEXT with a CHECK (json_valid(`column`)). */
async function readJsonChecks(session: Asker, databases: readonly string[], signal: AbortSignal): Promise<Set<string>> {
  const rows = await session.query(
    'SELECT constraint_schema AS db, table_name AS tbl, check_clause AS clause FROM information_schema.check_constraints WHERE constraint_schema IN (?)',
    signal,
    [databases],
  );
  const found = new Set<string>();
  for (const row of rows) {
    const column = /^\(?json_valid\(`((?:[^`]|``)+)`\)\)?$/i.exec(text(row, 'clause'))?.[1];
    if (column !== undefined) found.add(`${originOf(row)}.${column.replaceAll('``', '`')}`);
  }
  return found;
}

function buildSchema(
  database: string,
  name: string,
  columnRows: readonly TextRow[],
  keyRows: readonly TextRow[],
  jsonChecks: ReadonlySet<string>,
  flavour: Server['flavour'],
): TableSchema {
  const origin = `${database}.${name}`;
  const columns = columnRows.map((row) => buildColumn(row, origin, jsonChecks, flavour));
  return tableSchema({ database, name, origin, columns, key: chooseKey(columns, keyRows) });
}

function buildColumn(
  row: TextRow,
  origin: string,
  jsonChecks: ReadonlySet<string>,
  flavour: Server['flavour'],
): Column {
  const name = text(row, 'name');
  const extra = text(row, 'extra').toLowerCase();
  const declared = text(row, 'type');
  const json = jsonChecks.has(`${origin}.${name}`) && declared.toLowerCase() === 'longtext';
  return {
    name,
    type: json ? { kind: 'json' } : parseDeclaredType(declared, `${origin}.${name}`),
    declared: json ? 'json' : declared,
    nullable: text(row, 'is_nullable') === 'YES',
    charset: row['charset'] ?? null,
    generated: extra.includes('virtual generated')
      ? 'virtual'
      : extra.includes('stored generated') || extra.includes('persistent')
        ? 'stored'
        : null,
    default: defaultOf(row['dflt'] ?? null, extra, declared, flavour),
    autoIncrement: extra.includes('auto_increment'),
  };
}

/** A default as a statement would write it. MariaDB prints it so; MySQL prints the bare value of a literal, and marks what is no literal. */
function defaultOf(text: string | null, extra: string, declared: string, flavour: Server['flavour']): string | null {
  if (text === null || flavour === 'mariadb') return text === 'NULL' ? null : text;
  const bare = /^(?:tinyint|smallint|mediumint|int|bigint|decimal|float|double|year|bit)/i.test(declared);
  if (bare || extra.includes('default_generated') || /^current_timestamp/i.test(text)) return text;
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** The primary key, else the unique key with the fewest columns of which none is nullable or a prefix. */
function chooseKey(columns: readonly Column[], keyRows: readonly TextRow[]): number[] {
  const indexes = new Map<string, TextRow[]>();
  for (const row of keyRows) {
    const name = text(row, 'idx');
    indexes.set(name, [...(indexes.get(name) ?? []), row]);
  }
  const positions = (rows: readonly TextRow[]): number[] =>
    rows.map((row) => columns.findIndex((column) => column.name === row['name']));
  const primary = indexes.get('PRIMARY');
  if (primary !== undefined) return positions(primary);
  const usable = [...indexes.values()]
    .filter((rows) => rows.every((row) => row['nullable'] !== 'YES' && row['sub_part'] === null))
    .map(positions)
    .filter((key) => !key.includes(-1))
    .toSorted((a, b) => a.length - b.length);
  return usable[0] ?? [];
}

function groupByTable(rows: readonly TextRow[]): Map<string, TextRow[]> {
  const groups = new Map<string, TextRow[]>();
  for (const row of rows) {
    const origin = originOf(row);
    const group = groups.get(origin);
    if (group === undefined) groups.set(origin, [row]);
    else group.push(row);
  }
  return groups;
}

const originOf = (row: TextRow): string => `${text(row, 'db')}.${text(row, 'tbl')}`;

function text(row: TextRow, column: string): string {
  return row[column] ?? '';
}
