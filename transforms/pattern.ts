import { z } from 'zod';
import type { TableSchema } from '../core/table.ts';

/** One pattern of the config. With `column` null it is about whole tables. */
export interface Pattern {
  readonly text: string;
  readonly table: (table: TableSchema) => boolean;
  readonly column: ((name: string) => boolean) | null;
}

/** `table` or `database.table`; `*` stands for any characters. */
export const tablePatternSchema = z
  .string()
  .regex(/^[^.]+(\.[^.]+)?$/, 'expected table or database.table, where * stands for any characters')
  .meta({ description: 'table or database.table; * stands for any characters' });

/** `table.column` or `database.table.column`; `*` stands for any characters. */
export const columnPatternSchema = z
  .string()
  .regex(
    /^[^.]+\.[^.]+(\.[^.]+)?$/,
    'expected table.column or database.table.column, where * stands for any characters',
  )
  .meta({ description: 'table.column or database.table.column; * stands for any characters' });

/** A pattern over tables: it matches the name a table has at the source and the one that earlier transforms gave it. */
export function tablePattern(text: string): Pattern {
  return { text, table: tableTest(text.split('.')), column: null };
}

/** A pattern over columns: the table as in `tablePattern`, the column by the name it has at this place of the list. */
export function columnPattern(text: string): Pattern {
  const parts = text.split('.');
  return { text, table: tableTest(parts.slice(0, -1)), column: nameTest(parts.at(-1) ?? '*') };
}

/** Whether one of the patterns names the column `name` of the table. */
export function matchesColumn(patterns: readonly Pattern[], table: TableSchema, name: string): boolean {
  return patterns.some((pattern) => pattern.table(table) && pattern.column?.(name) === true);
}

function tableTest(parts: readonly string[]): (table: TableSchema) => boolean {
  const name = nameTest(parts.at(-1) ?? '*');
  const database = nameTest(parts.length > 1 ? (parts[0] ?? '*') : '*');
  return (table) => {
    if (database(table.database) && name(table.name)) return true;
    const dot = table.origin.indexOf('.');
    return database(table.origin.slice(0, dot)) && name(table.origin.slice(dot + 1));
  };
}

function nameTest(glob: string): (name: string) => boolean {
  if (!glob.includes('*')) return (name) => name === glob;
  const pattern = glob
    .split('*')
    .map((text) => RegExp.escape(text))
    .join('.*');
  const expression = new RegExp(`^${pattern}$`, 's');
  return (name) => expression.test(name);
}
