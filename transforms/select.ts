import { z } from 'zod';
import type { CompiledTransform, Transform } from '../core/contracts.ts';
import type { TableSchema } from '../core/table.ts';
import {
  columnPattern,
  columnPatternSchema,
  matchesColumn,
  type Pattern,
  tablePattern,
  tablePatternSchema,
} from './pattern.ts';
import { columnOf, columnsWhere, invalid, pick, reshape, unchanged } from './shape.ts';

export const selectSchema = z
  .strictObject({
    tables: z.array(tablePatternSchema).min(1).optional(),
    columns: z.array(columnPatternSchema).min(1).optional(),
  })
  .refine((options) => Object.keys(options).length > 0, 'expected tables or columns');
export type SelectOptions = z.infer<typeof selectSchema>;

/** Leaves out the tables and columns that are named. Errors: TRANSFORM_INVALID where a key column would go. */
export function exclude(options: SelectOptions, where: string): Transform {
  const tables = options.tables?.map(tablePattern) ?? [];
  const columns = options.columns?.map(columnPattern) ?? [];
  return {
    compile(table) {
      if (tables.some((pattern) => pattern.table(table))) return null;
      return keepColumns(table, (name) => !matchesColumn(columns, table, name), where);
    },
  };
}

/**
 * Keeps only the tables that are named, and of tables that a column pattern is about only the columns that are named; a table that no
 * column pattern is about keeps all of its columns. Errors: TRANSFORM_INVALID where a key column would go.
 */
export function include(options: SelectOptions, where: string): Transform {
  const tables = options.tables?.map(tablePattern) ?? null;
  const columns = options.columns?.map(columnPattern) ?? [];
  return {
    compile(table) {
      if (tables !== null && !tables.some((pattern) => pattern.table(table))) return null;
      if (!columns.some((pattern) => pattern.table(table))) return unchanged(table);
      return keepColumns(table, (name) => matchesColumn(columns, table, name), where);
    },
  };
}

export function selectPatterns(options: SelectOptions): Pattern[] {
  return [...(options.tables?.map(tablePattern) ?? []), ...(options.columns?.map(columnPattern) ?? [])];
}

function keepColumns(table: TableSchema, keep: (name: string) => boolean, where: string): CompiledTransform {
  const kept = columnsWhere(table, (column) => keep(column.name));
  if (kept.length === table.columns.length) return unchanged(table);
  const lost = table.key.find((i) => !kept.includes(i));
  const column = table.columns[lost ?? -1];
  if (column !== undefined) {
    throw invalid(
      where,
      `${columnOf(table, column)} is part of the table's key; without it rows cannot be told apart`,
      'keep the column; where its value must not be seen, use mask with: hash',
    );
  }
  if (kept.length === 0) {
    throw invalid(
      where,
      `no column of ${table.origin} is left`,
      'to leave the whole table out, use exclude with tables',
    );
  }
  const columns = table.columns.filter((_, i) => kept.includes(i));
  const key = table.key.map((i) => kept.indexOf(i));
  const origins = kept.map((from) => ({ from, form: null, value: null }));
  return { table: reshape(table, { columns, key }), columns: origins, row: pick(kept) };
}
