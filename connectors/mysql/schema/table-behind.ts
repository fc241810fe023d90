import { LockstepError } from '../../../core/errors.ts';
import { tableSchema, type TableSchema } from '../../../core/table.ts';
import type { CatalogTable } from '../catalog/catalog.ts';
import type { Operation } from './alter-table.ts';
import { inherited } from './column-definition.ts';
import { originOf, type NamedTable } from './ddl.ts';
import { evolve, type Evolved } from './evolve.ts';
import { keyOf, renamedTable, shapeOf } from './steps.ts';

/** A table as it is now, and whether its key only stands in for a primary one. */
export type TableNow = Pick<CatalogTable, 'schema' | 'standIn'>;

/** What the server says of its tables now, which at a place of a backlog may be something else. */
export interface CatalogAtPlace {
  /** The named tables as they are now; a table that is gone is missing. `atPlace`: nothing came behind the statement yet. */
  read(named: readonly NamedTable[]): Promise<{
    readonly tables: ReadonlyMap<string, TableNow>;
    readonly atPlace: boolean;
  }>;
  /** The character set of a table of the database that names none. */
  charset(database: string): Promise<string | null>;
}

/** What an ALTER TABLE does to a table that is known. */
export interface Alteration {
  readonly before: TableSchema;
  /** Whether its key stands in for a primary one. */
  readonly standIn: boolean;
  readonly operations: readonly Operation[];
  /** Its name by then. */
  readonly named: NamedTable;
}

/** The table behind an ALTER TABLE. Errors: SOURCE_SCHEMA_CHANGE on doubt. */
export async function tableBehind(
  { before, standIn, operations, named }: Alteration,
  statement: string,
  catalog: CatalogAtPlace,
): Promise<Evolved> {
  const { tables, atPlace } = await catalog.read([named]);
  const found = tables.get(originOf(named));
  const now = found === undefined ? null : renamedTable(found.schema, before.database, before.name);
  const applied = evolve(before, standIn, operations);
  if (applied === null) {
    if (now !== null && atPlace && isPlain(before, now)) return plainly(before, now, found?.standIn ?? false);
    throw notUnderstood(statement, before);
  }
  const table = await withCharsets(applied.table, before, now, catalog);
  // Without the key that it maybe was a row is told by all its columns, which is never wrong.
  const sure = applied.keyInDoubt ? tableSchema({ ...table, key: [] }) : table;
  if (now === null || !sameNames(sure, now)) return { ...applied, table: sure };
  if (atPlace) return { ...applied, table: now, standIn: found?.standIn ?? false };
  return { ...applied, table: areAlike(sure, now) ? now : sure };
}

/**
 * Gives columns that stand without a character set the one they have: as the server says now, else the one that all signs agree on. Where
 * they do not agree it stays open until the log tells beside the rows.
 */
export async function withCharsets(
  table: TableSchema,
  before: TableSchema | null,
  now: TableSchema | null,
  catalog: Pick<CatalogAtPlace, 'charset'>,
): Promise<TableSchema> {
  if (table.columns.every(({ charset }) => charset !== inherited)) return table;
  const siblings = (before?.columns ?? []).flatMap(({ charset, type }) =>
    charset === null || type.kind === 'json' ? [] : [charset],
  );
  const signs = new Set([...siblings, (await catalog.charset(table.database)) ?? inherited]);
  const sign = signs.size === 1 ? ([...signs][0] ?? inherited) : inherited;
  const columns = table.columns.map((column) => {
    if (column.charset !== inherited) return column;
    return { ...column, charset: now?.columns.find(({ name }) => name === column.name)?.charset ?? sign };
  });
  return tableSchema({ ...table, columns });
}

function sameNames(a: TableSchema, b: TableSchema): boolean {
  return a.columns.length === b.columns.length && a.columns.every(({ name }, i) => name === b.columns[i]?.name);
}

/** Whether a target would make no difference between them. */
export function areAlike(a: TableSchema, b: TableSchema): boolean {
  return JSON.stringify([a.columns.map(shapeOf), keyOf(a)]) === JSON.stringify([b.columns.map(shapeOf), keyOf(b)]);
}

/** Whether columns only came, or only went, or only changed: then none can have another name. */
function isPlain(before: TableSchema, now: TableSchema): boolean {
  const old = new Set(before.columns.map(({ name }) => name));
  const fresh = new Set(now.columns.map(({ name }) => name));
  return old.isSubsetOf(fresh) || fresh.isSubsetOf(old);
}

function plainly(before: TableSchema, now: TableSchema, standIn: boolean): Evolved {
  const names = new Set(now.columns.map(({ name }) => name));
  const dropped = new Set(before.columns.flatMap(({ name }) => (names.has(name) ? [] : [name])));
  return { table: now, dropped, renamed: new Map(), standIn, keyInDoubt: false };
}

function notUnderstood(statement: string, { origin }: TableSchema): LockstepError {
  const message = `a statement changes in a way that is not understood a table that is captured (${origin}): ${statement.slice(0, 200)}`;
  return new LockstepError('SOURCE_SCHEMA_CHANGE', message, {
    fix: 'make the same change in the target, then resync the table',
  });
}
