import type { CompiledTransform, Values, Value } from '../core/contracts.ts';
import { LockstepError } from '../core/errors.ts';
import { type Column, type TableSchema, tableSchema } from '../core/table.ts';

/** A table or a row left as it is. */
export function unchanged(table: TableSchema): CompiledTransform {
  return { table, row: (row) => row };
}

/** The table with some of its parts replaced and its fingerprint made anew. */
export function reshape(
  table: TableSchema,
  parts: Partial<Pick<TableSchema, 'database' | 'name' | 'columns' | 'key'>>,
): TableSchema {
  const { database, name, origin, columns, key } = table;
  return tableSchema({ database, name, origin, columns, key, ...parts });
}

/** The indexes of the columns that pass `test`, in order. */
export function columnsWhere(table: TableSchema, test: (column: Column) => boolean): number[] {
  return table.columns.flatMap((column, i) => (test(column) ? [i] : []));
}

/** The function that takes the values at `indexes` out of a row, in that order. */
export function pick(indexes: readonly number[]): (row: Values) => Values {
  return (row) => {
    const values: Value[] = [];
    for (const i of indexes) values.push(row[i] ?? null);
    return values;
  };
}

/** TRANSFORM_INVALID, saying which item of the config it comes from (`where`: `transforms[1].mask`). */
export function invalid(where: string, problem: string, fix: string, cause?: unknown): LockstepError {
  return new LockstepError('TRANSFORM_INVALID', `${where}: ${problem}`, { fix, cause });
}

/** How messages name a column: as the operator knows the table. */
export function columnOf(table: TableSchema, column: Pick<Column, 'name'>): string {
  return `${table.origin}.${column.name}`;
}
