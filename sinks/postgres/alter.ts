import type { Change } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { type Column, type TableSchema, qualifiedName } from '../../core/table.ts';
import { type ExistingTable, type ServerFacts, placeKey } from './catalog.ts';
import { hasUnique, unqualified } from './compare.ts';
import { conversion } from './conversion.ts';
import { checkName, columnDefinition, createSchema, createTable, requireNames } from './ddl.ts';
import { fillOf, translateDefault } from './defaults.ts';
import { keyNames, quoteName, quoteNames, quoteTable } from './sql.ts';
import { labelCheck, targetType } from './types.ts';

export type SchemaChange = Change & { readonly kind: 'schema' };

/** The target as it is before a schema change: tables by `placeKey`. */
export interface Found {
  readonly tables: ReadonlyMap<string, ExistingTable>;
  readonly facts: ServerFacts;
  /** True where the table has no rows, so that nothing in it has to become anything. */
  readonly empty: boolean;
  /** True where a table that has the new name of a renamed one has no rows: it was prepared for it. */
  readonly free: boolean;
}

/**
 * The statements that take the target's table from what it is to what the change made of it at the source; none where it is that
 * already, so that applying a change twice, or after a person did it by hand, is applying it once (G1). Throws TARGET_UNSUPPORTED with the
 * statement to run by hand where the rows that are there would not become what they became at the source.
 */
export function alterStatements(change: SchemaChange, found: Found): string[] {
  const { before, after } = change;
  if (after === null) return before === null ? [] : [`DROP TABLE IF EXISTS ${quoteTable(before)}`];
  requireNames(after);
  const moved = before !== null && qualifiedName(before) !== qualifiedName(after) && found.tables.has(placeKey(before));
  const statements = moved ? moveStatements(before, after, found) : [];
  const existing = found.tables.get(placeKey(moved ? before : after));
  if (existing === undefined) return [createSchema(after.database), createTable(after, found.facts.geometry)];
  return [...statements, ...reshape(change, after, existing, found)];
}

function moveStatements(before: TableSchema, after: TableSchema, found: Found): string[] {
  const taken = found.tables.has(placeKey(after));
  if (taken && !found.free) {
    const message = `${before.origin} is renamed, and the target has both ${quoteTable(before)} and ${quoteTable(after)}`;
    throw new LockstepError('TARGET_UNSUPPORTED', message, { fix: `DROP TABLE the one of the two that is not wanted` });
  }
  const statements: string[] = taken ? [`DROP TABLE ${quoteTable(after)}`] : [];
  if (before.database !== after.database) {
    statements.push(
      createSchema(after.database),
      `ALTER TABLE ${quoteTable(before)} SET SCHEMA ${quoteName(after.database)}`,
    );
  }
  if (before.name !== after.name) {
    statements.push(
      `ALTER TABLE ${quoteTable({ ...before, database: after.database })} RENAME TO ${quoteName(after.name)}`,
    );
  }
  return statements;
}

/** One table's change in the making: renames go first, one ALTER TABLE does the rest with at most one rewrite. */
interface Reshaping {
  readonly change: SchemaChange;
  readonly table: TableSchema;
  readonly existing: ExistingTable;
  readonly facts: ServerFacts;
  readonly empty: boolean;
  readonly first: string[];
  readonly actions: string[];
  readonly last: string[];
}

function reshape(change: SchemaChange, table: TableSchema, existing: ExistingTable, { facts, empty }: Found): string[] {
  const work: Reshaping = { change, table, existing, facts, empty, first: [], actions: [], last: [] };
  const renamed = renamedColumn(change.before, table);
  if (renamed !== null && existing.columns.has(renamed.from.name) && !existing.columns.has(renamed.to.name))
    rename(work, renamed);
  dropKey(work);
  dropColumns(work, renamed?.from.name ?? null);
  for (const [index, column] of table.columns.entries()) {
    const old = renamed !== null && renamed.to === column ? renamed.from : previous(change.before, column.name);
    const has = existing.columns.get(old?.name ?? column.name) ?? existing.columns.get(column.name);
    if (has === undefined) addColumn(work, column);
    else if (!has.generated) changeColumn(work, column, old, has.type, has.notNull, table.key.includes(index));
  }
  addKey(work, renamed);
  const alter = work.actions.length === 0 ? [] : [`ALTER TABLE ${quoteTable(table)} ${work.actions.join(', ')}`];
  return [...work.first, ...alter, ...work.last];
}

interface Renamed {
  readonly from: Column;
  readonly to: Column;
}

/** The one column that only changed its name: as many columns as before, and one new name at an old one's place. */
export function renamedColumn(before: TableSchema | null, after: TableSchema): Renamed | null {
  if (before === null || before.columns.length !== after.columns.length) return null;
  const changed = after.columns.flatMap((to, place): Renamed[] => {
    const from = before.columns[place];
    return from === undefined || from.name === to.name ? [] : [{ from, to }];
  });
  const [only] = changed;
  return only !== undefined && changed.length === 1 ? only : null;
}

function previous(before: TableSchema | null, name: string): Column | null {
  return before?.columns.find((column) => column.name === name) ?? null;
}

function rename(work: Reshaping, { from, to }: Renamed): void {
  const alter = `ALTER TABLE ${quoteTable(work.table)}`;
  work.first.push(`${alter} RENAME COLUMN ${quoteName(from.name)} TO ${quoteName(to.name)}`);
  if (labelCheck(from, '') !== null) work.actions.push(`DROP CONSTRAINT IF EXISTS ${quoteName(checkName(from.name))}`);
  addCheck(work, to);
}

/** NOT VALID: MySQL has checked the rows that are there, and a scan would hold the table's lock. */
function addCheck(work: Reshaping, column: Column): void {
  const check = labelCheck(column, quoteName(column.name));
  const name = quoteName(checkName(column.name));
  if (check !== null)
    work.last.push(`ALTER TABLE ${quoteTable(work.table)} ADD CONSTRAINT ${name} CHECK (${check}) NOT VALID`);
}

function dropColumns(work: Reshaping, renamed: string | null): void {
  const kept = new Set(work.table.columns.map(({ name }) => name));
  for (const { name } of work.change.before?.columns ?? []) {
    if (kept.has(name) || name === renamed) continue;
    if (work.existing.columns.has(name)) work.actions.push(`DROP COLUMN ${quoteName(name)}`);
  }
  if (work.change.before !== null) return;
  // A table of an older shape than the one it was prepared with: its rows lack the columns that came later.
  for (const { name, notNull, hasDefault } of work.existing.columns.values()) {
    if (!kept.has(name) && notNull && !hasDefault) work.actions.push(`ALTER COLUMN ${quoteName(name)} DROP NOT NULL`);
  }
}

function addColumn(work: Reshaping, column: Column): void {
  const fill = fillOf(column, work.change.at.committedAtMs);
  const lost = fill === null && !work.empty && !(work.change.before === null && column.nullable);
  const definition = columnDefinition(column, work.facts.geometry, fill ?? undefined);
  if (lost) {
    const what = `adds column ${column.name}, whose values in the rows that are there are not in the binlog`;
    throw unsupported(
      work,
      what,
      `ALTER TABLE ${quoteTable(work.table)} ADD COLUMN ${definition}; then fill it and start again`,
    );
  }
  work.actions.push(`ADD COLUMN ${definition}`);
  const wanted = translateDefault(column);
  if (fill !== null && fill !== wanted) work.last.push(alterDefault(work, column, wanted));
}

function alterDefault(work: Reshaping, column: Column, value: string | null): string {
  const change = value === null ? 'DROP DEFAULT' : `SET DEFAULT ${value}`;
  return `ALTER TABLE ${quoteTable(work.table)} ALTER COLUMN ${quoteName(column.name)} ${change}`;
}

function changeColumn(
  work: Reshaping,
  column: Column,
  old: Column | null,
  type: string,
  notNull: boolean,
  key: boolean,
): void {
  const name = quoteName(column.name);
  const wanted = targetType(column.type, work.facts.geometry);
  const sameBefore = old !== null && targetType(old.type, work.facts.geometry) === wanted;
  const retype = unqualified(type) !== unqualified(wanted) && !sameBefore && old !== null;
  const redefault =
    old !== null && (retype || translateDefault(old) !== translateDefault(column)) && !column.autoIncrement;
  if (old !== null && labelCheck(old, name) !== labelCheck(column, name) && old.name === column.name) {
    work.actions.push(`DROP CONSTRAINT IF EXISTS ${quoteName(checkName(column.name))}`);
    addCheck(work, column);
  }
  if (redefault && translateDefault(old) !== null) work.actions.push(`ALTER COLUMN ${name} DROP DEFAULT`);
  if (retype) work.actions.push(`ALTER COLUMN ${name} TYPE ${wanted} USING ${convert(work, old, column, wanted)}`);
  if (redefault && translateDefault(column) !== null)
    work.last.push(alterDefault(work, column, translateDefault(column)));
  if (column.nullable && notNull && !key) work.actions.push(`ALTER COLUMN ${name} DROP NOT NULL`);
  if (!column.nullable && !notNull) setNotNull(work, column, old);
}

function convert(work: Reshaping, old: Column, column: Column, wanted: string): string {
  const name = quoteName(column.name);
  const using = conversion(old.type, column.type, name);
  if (using !== null) return using;
  if (work.empty) return `NULL::${wanted}`;
  const statement = `ALTER TABLE ${quoteTable(work.table)} ALTER COLUMN ${name} TYPE ${wanted} USING ${name}::text::${wanted}`;
  throw unsupported(work, `changes column ${column.name} from ${old.declared} to ${column.declared}`, statement);
}

/** The rows may have NULL only where the column came to the target ahead of the stream: MySQL filled it with its default. */
function setNotNull(work: Reshaping, column: Column, old: Column | null): void {
  const name = quoteName(column.name);
  const fill = old === null ? fillOf(column, work.change.at.committedAtMs) : null;
  if (fill !== null) work.last.push(`UPDATE ${quoteTable(work.table)} SET ${name} = ${fill} WHERE ${name} IS NULL`);
  work.last.push(`ALTER TABLE ${quoteTable(work.table)} ALTER COLUMN ${name} SET NOT NULL`);
}

/** A primary key that the source no longer has would refuse rows the source takes. */
function dropKey(work: Reshaping): void {
  const { primaryKey } = work.existing;
  const { before } = work.change;
  if (primaryKey === null || before === null) return;
  const [was, is] = [keyNames(before).join(), keyNames(work.table).join()];
  if (was !== is && primaryKey.columns.join() === was && !samePlaces(before, work.table)) {
    work.actions.push(`DROP CONSTRAINT ${quoteName(primaryKey.name)}`);
  }
}

/** Whether the keys are the same columns, if under another name. */
function samePlaces(before: TableSchema, after: TableSchema): boolean {
  return (
    before.columns.length === after.columns.length &&
    before.key.join() === after.key.join() &&
    renamedColumn(before, after) !== null
  );
}

function addKey(work: Reshaping, renamed: Renamed | null): void {
  const key = keyNames(work.table);
  const named = key.map((name) => (name === renamed?.to.name ? renamed.from.name : name));
  if (key.length === 0 || hasUnique(work.existing, key) || hasUnique(work.existing, named)) return;
  const dropped = work.actions.some((action) => action.startsWith('DROP CONSTRAINT') && !action.includes('IF EXISTS'));
  const kind = dropped || work.existing.primaryKey === null ? 'PRIMARY KEY' : 'UNIQUE';
  work.last.push(`ALTER TABLE ${quoteTable(work.table)} ADD ${kind} (${quoteNames(key)})`);
}

function unsupported(work: Reshaping, what: string, statement: string): LockstepError {
  const { offset, file } = work.change.at;
  const message = `a schema change of ${work.table.origin} at ${file}:${String(offset)} ${what}`;
  return new LockstepError('TARGET_UNSUPPORTED', message, {
    fix: `run by hand on the target and start again: ${statement}`,
  });
}
