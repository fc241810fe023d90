import { deletes, referring } from '../../core/cascade.ts';
import type { Cascade } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { keysOnward, type ForeignKey } from '../../core/foreign-key.ts';
import type { TableSchema } from '../../core/table.ts';
import { columnAt, quoteName, quoteTable, quoteText } from './sql.ts';
import type { Transaction } from './transaction.ts';
import { fieldAt, type TableWriter } from './writer.ts';

/** Rows that refer to something by these values, as SQL constants, and the constants that they get; null where the rows go. */
interface Found {
  readonly before: readonly string[];
  readonly after: readonly string[] | null;
}

/** One key's referring rows, and what is to become of them. */
interface Level {
  readonly table: TableSchema;
  readonly columns: readonly number[];
  readonly rows: readonly Found[];
}

export interface CascadeWork {
  readonly transaction: Transaction;
  readonly writer: (table: TableSchema) => Promise<TableWriter>;
  readonly signal: AbortSignal;
}

const NULL = 'NULL';

/** So many levels no server follows: 15 is the most (MySQL manual, "FOREIGN KEY Constraints"). */
const LEVELS = 100;

/** Changes the rows that refer to what is gone or moved, and those that refer to them, and so on; one statement per key and level. */
export async function applyCascade(work: CascadeWork, cascade: Cascade): Promise<void> {
  const { table, columns, rows, keys } = cascade;
  const writer = await work.writer(table);
  const constants = rows.map(({ before, after }): Found => {
    const constant = (values: typeof before): string[] =>
      values.map((value, i) => fieldAt(writer, columns[i] ?? -1).literal(value));
    return { before: constant(before), after: after && constant(after) };
  });
  await follow(work, { table, columns, rows: constants }, keys, 1);
}

async function follow(work: CascadeWork, level: Level, keys: readonly ForeignKey[], depth: number): Promise<void> {
  // What the target has no value for, as a date of zeros, no row of it can refer to.
  const rows = level.rows.filter(({ before }) => !before.includes(NULL));
  if (rows.length === 0) return;
  if (depth > LEVELS) throw endless(level.table);
  const { transaction, signal } = work;
  const writer = await work.writer(level.table);
  const gone = deletes({ rows });
  const onward = keysOnward(keys, level.table, level.columns, gone);
  const statement = gone
    ? deleteText(writer, level.columns, rows, onward)
    : updateText(writer, level.columns, rows, onward);
  if (onward.length === 0) return transaction.add(statement, signal);
  const outcome = await transaction.query(statement, signal);
  let at = 0;
  for (const key of onward) {
    const width = key.references.length;
    const [old, now] = [at, at + width];
    at += gone ? width : 2 * width;
    const constant = (value: string | null): string => (value === null ? NULL : quoteText(value));
    const next = (outcome?.rows ?? []).flatMap((row): Found[] => {
      const before = row.slice(old, now).map(constant);
      const after = gone ? null : row.slice(now, now + width).map(constant);
      if (after !== null && after.join() === before.join()) return [];
      const found = referring(gone ? key.onDelete : key.onUpdate, before, after);
      return found === null ? [] : [{ before, after: found.after && found.after.map((value) => value ?? NULL) }];
    });
    await follow(work, { table: key.child, columns: key.columns, rows: distinct(next) }, keys, depth + 1);
  }
}

function deleteText(
  writer: TableWriter,
  columns: readonly number[],
  rows: readonly Found[],
  onward: readonly ForeignKey[],
): string {
  const returned = onward.flatMap(({ references }) => references.map((index) => named(writer.table, index)));
  return `DELETE FROM ${quoteTable(writer.table)} t USING ${listed(writer, columns, rows)} WHERE ${sameText(writer.table, columns)}${returning(returned)}`;
}

function updateText(
  writer: TableWriter,
  columns: readonly number[],
  rows: readonly Found[],
  onward: readonly ForeignKey[],
): string {
  const set = columns.map((index, i) => `${quoteName(columnAt(writer.table, index).name)} = v.n${String(i)}`);
  const old = (index: number): string =>
    columns.includes(index) ? `v.o${String(columns.indexOf(index))}` : named(writer.table, index);
  const returned = onward.flatMap(({ references }) => [
    ...references.map(old),
    ...references.map((index) => named(writer.table, index)),
  ]);
  return `UPDATE ${quoteTable(writer.table)} t SET ${set.join(', ')} FROM ${listed(writer, columns, rows)} WHERE ${sameText(writer.table, columns)}${returning(returned)}`;
}

const named = (table: TableSchema, index: number): string => `t.${quoteName(columnAt(table, index).name)}`;

function sameText(table: TableSchema, columns: readonly number[]): string {
  return columns.map((index, i) => `${named(table, index)} = v.o${String(i)}`).join(' AND ');
}

function returning(columns: readonly string[]): string {
  return columns.length === 0 ? '' : ` RETURNING ${columns.join(', ')}`;
}

/** The old values and, where there are any, the new ones as a table. The first row's types are those of all. */
function listed(writer: TableWriter, columns: readonly number[], rows: readonly Found[]): string {
  const types = columns.map((index) => plainType(fieldAt(writer, index).type));
  const lines = rows.map(({ before, after }, n) => {
    const typed = (constants: readonly string[]): readonly string[] =>
      n > 0 ? constants : constants.map((constant, i) => `CAST(${constant} AS ${types[i] ?? 'text'})`);
    return `(${[...typed(before), ...typed(after ?? [])].join(', ')})`;
  });
  const olds = columns.map((_, i) => `o${String(i)}`);
  const news = deletes({ rows }) ? [] : columns.map((_, i) => `n${String(i)}`);
  return `(VALUES ${lines.join(', ')}) v (${[...olds, ...news].join(', ')})`;
}

/** Without its length, to which a cast would cut the constant: what does not fit equals no row. */
function plainType(type: string): string {
  const plain = type.replace(/\(\d+(?:,\d+)?\)/, '');
  return plain === 'character' ? 'bpchar' : plain === 'bit' ? 'bit varying' : plain;
}

function distinct(rows: readonly Found[]): Found[] {
  return [...new Map(rows.map((row) => [row.before.join(), row])).values()];
}

function endless(table: TableSchema): LockstepError {
  const message = `foreign keys lead to ${quoteTable(table)} again and again without an end`;
  return new LockstepError('BUG', message, { fix: 'please report this with the foreign keys of the tables' });
}
