import { LockstepError } from '../../core/errors.ts';
import type { Column, TableSchema } from '../../core/table.ts';
import type { ExistingColumn, ExistingTable, ServerFacts } from './catalog.ts';
import { columnDefinition } from './ddl.ts';
import { keyNames, quoteName, quoteNames, quoteTable } from './sql.ts';
import { targetType } from './types.ts';

/** Why a table of the target cannot take the rows, and the statement that mends it. */
export interface Difference {
  readonly what: string;
  readonly mend: string;
}

/** Empty when every row of `table` fits into what exists. Further nullable columns in the target are fine. */
export function differences(table: TableSchema, existing: ExistingTable, facts: ServerFacts): Difference[] {
  const found = table.columns.flatMap((column) => columnDifferences(table, column, existing, facts));
  const ours = new Set(table.columns.map(({ name }) => name));
  for (const column of existing.columns.values()) {
    if (ours.has(column.name) || !column.notNull || column.hasDefault || column.generated) continue;
    const mend = `ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteName(column.name)} DROP NOT NULL`;
    found.push({ what: `column ${column.name} is NOT NULL, has no default, and is not in the source`, mend });
  }
  const key = keyNames(table);
  if (key.length > 0 && !hasUnique(existing, key)) {
    const mend = `ALTER TABLE ${quoteTable(table)} ADD ${existing.primaryKey === null ? 'PRIMARY KEY' : 'UNIQUE'} (${quoteNames(key)})`;
    found.push({ what: `no unique index on the key (${key.join(', ')})`, mend });
  }
  return found;
}

/** Throws TARGET_SCHEMA with every difference and the statements that mend them. */
export function requireSame(table: TableSchema, existing: ExistingTable, facts: ServerFacts): void {
  const found = differences(table, existing, facts);
  if (found.length === 0) return;
  const message = `table ${quoteTable(table)} cannot take the rows of ${table.origin}: ${found.map(({ what }) => what).join('; ')}`;
  throw new LockstepError('TARGET_SCHEMA', message, { fix: `${found.map(({ mend }) => mend).join('; ')};` });
}

export function hasUnique(existing: ExistingTable, key: readonly string[]): boolean {
  return existing.uniques.some((unique) => unique.length === key.length && key.every((name) => unique.includes(name)));
}

function columnDifferences(
  table: TableSchema,
  column: Column,
  existing: ExistingTable,
  facts: ServerFacts,
): Difference[] {
  const has = existing.columns.get(column.name);
  const alter = `ALTER TABLE ${quoteTable(table)}`;
  if (has === undefined) {
    const mend = `${alter} ADD COLUMN ${columnDefinition(column, facts.geometry)}`;
    return [{ what: `column ${column.name} is missing`, mend }];
  }
  if (has.generated) return [];
  const name = quoteName(column.name);
  const wanted = targetType(column.type, facts.geometry);
  const found: Difference[] = [];
  if (!fits(column, wanted, has)) {
    const mend = `${alter} ALTER COLUMN ${name} TYPE ${wanted} USING ${name}::${wanted}`;
    found.push({ what: `column ${column.name} is ${has.type} and cannot hold every ${wanted}`, mend });
  }
  if (has.notNull && mayBeNull(column) && !has.identity) {
    found.push({
      what: `column ${column.name} is NOT NULL and may be NULL at the source`,
      mend: `${alter} ALTER COLUMN ${name} DROP NOT NULL`,
    });
  }
  return found;
}

function mayBeNull(column: Column): boolean {
  return column.nullable && column.generated === null;
}

const integers = ['smallint', 'integer', 'bigint'];

/** Whether a column of the target's type holds every value of the wanted one, written the same way. */
function fits(column: Column, wanted: string, has: ExistingColumn): boolean {
  const type = unqualified(has.type);
  if (type === unqualified(wanted)) return true;
  if (integers.includes(wanted))
    return integers.indexOf(type) > integers.indexOf(wanted) || holdsDigits(type, wanted === 'bigint' ? 19 : 10, 0);
  const [, precision, scale] = /^numeric\((\d+),(\d+)\)$/.exec(wanted) ?? [];
  if (precision !== undefined) return holdsDigits(type, Number(precision) - Number(scale), Number(scale));
  if (wanted === 'real') return type === 'double precision' || type === 'numeric';
  if (column.type.kind === 'enum' && has.enumerated) return true;
  if (wanted.startsWith('timestamp')) return holdsTime(type, wanted);
  if (wanted.startsWith('character varying')) return type === 'text' || holdsText(type, lengthOf(wanted));
  if (wanted === 'text') return type === 'character varying';
  if (wanted === 'text[]') return type === 'character varying[]';
  if (wanted === 'uuid' || wanted === 'inet' || wanted === 'jsonb')
    return type === 'text' || type === 'character varying';
  return column.type.kind === 'geometry' && (type === 'bytea' || type.startsWith('geometry'));
}

/** A type's name without the schema that search_path makes `format_type()` add. */
export function unqualified(type: string): string {
  return type.replace(/^(?:"[^"]+"|\w+)\./, '');
}

function holdsDigits(type: string, whole: number, scale: number): boolean {
  if (type === 'numeric') return true;
  const [, precision, decimals] = /^numeric\((\d+),(-?\d+)\)$/.exec(type) ?? [];
  return precision !== undefined && Number(decimals) >= scale && Number(precision) - Number(decimals) >= whole;
}

function lengthOf(type: string): number {
  return Number(/\((\d+)\)/.exec(type)?.[1] ?? Infinity);
}

function holdsText(type: string, length: number): boolean {
  return type.startsWith('character varying') && !type.endsWith('[]') && lengthOf(type) >= length;
}

function holdsTime(type: string, wanted: string): boolean {
  return (
    type.startsWith('timestamp') && type.endsWith(wanted.slice(-14)) && Math.min(6, lengthOf(type)) >= lengthOf(wanted)
  );
}
