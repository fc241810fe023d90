import type { TableSchema } from '../../core/table.ts';

/** An identifier as PostgreSQL reads it back letter for letter. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteNames(names: readonly string[]): string {
  return names.map(quoteName).join(', ');
}

/** A string constant; sessions run with `standard_conforming_strings`, so a backslash is only a backslash. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteTable(table: Pick<TableSchema, 'database' | 'name'>): string {
  return `${quoteName(table.database)}.${quoteName(table.name)}`;
}

/** The key's column names in key order. */
export function keyNames(table: TableSchema): string[] {
  return table.key.map((index) => columnAt(table, index).name);
}

/** The column a key's index points to. */
export function columnAt(table: TableSchema, index: number): TableSchema['columns'][number] {
  const column = table.columns[index];
  if (column === undefined) throw new RangeError(`${table.origin} has no column number ${String(index)}`);
  return column;
}
