import type { Row, RowChange } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { valueAt } from '../../core/row.ts';
import type { TableSchema } from '../../core/table.ts';
import { defaultPolicies, type OnChanged } from '../../core/value-policy.ts';
import type { ExistingTable } from './catalog.ts';
import { type Carry, carryOf } from './carry.ts';
import { binaryFormat } from './copy-binary.ts';
import { textFormat } from './copy-text.ts';
import type { CopyFormat } from './copy.ts';
import { type Encoder, encoder } from './encode.ts';
import { type Send, sendOf } from './send.ts';
import { keyNames, quoteName, quoteNames, quoteTable } from './sql.ts';
import { targetType } from './types.ts';

/** One column of a table as it is written. */
export interface Field extends Encoder {
  /** How it becomes a field of COPY's binary format; null where it goes as text only. */
  readonly send: Send | null;
  /** How its text becomes a field of COPY; null where only its value can. */
  readonly carry: Carry | null;
  /** Where the value is in a row. */
  readonly index: number;
  readonly name: string;
  /** The target's own, as `format_type()` spells it. */
  readonly type: string;
  readonly key: boolean;
}

/** What a table's rows are written with, compiled once per schema: statements' fixed parts and one encoder per column. */
export interface TableWriter {
  readonly table: TableSchema;
  readonly fields: readonly Field[];
  readonly keys: readonly Field[];
  /** Whether the key is all that keeps two rows from standing beside each other: then rows of different keys never meet. */
  readonly onlyKeyExcludes: boolean;
  /** Binary where every column can go so, and text else. */
  readonly format: CopyFormat;
  readonly insert: string;
  readonly conflict: string;
  /** COPY straight into the table. */
  readonly copy: string;
  readonly stage: Stage | null;
}

/** A temporary table beside the real one: changes go there by COPY, and from there by one statement per kind. */
export interface Stage {
  readonly name: string;
  readonly create: string;
  readonly copy: string;
  readonly deletes: string;
  readonly upserts: string;
  readonly updates: string;
}

/** Compiles a table. Columns that the target computes itself are left out. */
export function tableWriter(table: TableSchema, existing: ExistingTable, policies = defaultPolicies): TableWriter {
  const fields = table.columns.flatMap((column, index): Field[] => {
    const has = existing.columns.get(column.name);
    if (has === undefined || has.generated) return [];
    const encode = encoder(table, column, has.type, policies);
    return [
      {
        ...encode,
        send: has.type === targetType(column.type, null) ? sendOf(column.type, encode) : null,
        carry: carryOf(column.type.kind),
        index,
        name: quoteName(column.name),
        type: has.type,
        key: table.key.includes(index),
      },
    ];
  });
  const keys = table.key.flatMap((index) => fields.filter((field) => field.index === index));
  const names = fields.map(({ name }) => name).join(', ');
  const target = quoteTable(table);
  const format = fields.every(({ send }) => send !== null) ? binaryFormat : textFormat;
  const conflict = keys.length === 0 ? '' : onConflict(fields, keys);
  return {
    table,
    fields,
    keys,
    onlyKeyExcludes: keys.length > 0 && existing.exclusive === 1,
    format,
    insert: `INSERT INTO ${target} (${names}) OVERRIDING SYSTEM VALUE VALUES `,
    conflict,
    copy: `COPY ${target} (${names}) FROM STDIN${format.clause}`,
    stage: keys.length === 0 ? null : stage(table, fields, keys, conflict, format),
  };
}

function onConflict(fields: readonly Field[], keys: readonly Field[]): string {
  const others = fields.filter(({ key }) => !key).map(({ name }) => `${name} = excluded.${name}`);
  const names = keys.map(({ name }) => name).join(', ');
  return ` ON CONFLICT (${names}) DO ${others.length === 0 ? 'NOTHING' : `UPDATE SET ${others.join(', ')}`}`;
}

/** Its columns are numbered, so that no name of the table can clash with `op`. */
function stage(
  table: TableSchema,
  fields: readonly Field[],
  keys: readonly Field[],
  conflict: string,
  format: CopyFormat,
): Stage {
  const target = quoteTable(table);
  const bare = `lockstep_${table.fingerprint}`;
  const name = `pg_temp.${quoteName(bare)}`;
  const at = new Map(fields.map((field, n) => [field, `c${String(n)}`]));
  const places = [...at.values()].join(', ');
  const same = keys.map((key) => `t.${key.name} = s.${at.get(key) ?? ''}`).join(' AND ');
  const assigned = fields.filter(({ key }) => !key).map((field) => `${field.name} = s.${at.get(field) ?? ''}`);
  const columns = [...at].map(([field, place]) => `${field.name} AS ${place}`).join(', ');
  return {
    name,
    create: `CREATE TEMP TABLE IF NOT EXISTS ${quoteName(bare)} ON COMMIT DELETE ROWS AS SELECT 'u'::"char" AS op, ${columns} FROM ${target} WITH NO DATA`,
    copy: `COPY ${name} (op, ${places}) FROM STDIN${format.clause}`,
    deletes: `DELETE FROM ${target} t USING ${name} s WHERE s.op = 'd' AND ${same}`,
    upserts: `INSERT INTO ${target} (${fields.map((field) => field.name).join(', ')}) OVERRIDING SYSTEM VALUE SELECT ${places} FROM ${name} WHERE op = 'u'${conflict}`,
    updates:
      assigned.length === 0
        ? ''
        : `UPDATE ${target} t SET ${assigned.join(', ')} FROM ${name} s WHERE s.op = 'x' AND ${same}`,
  };
}

/** How a column is written. Errors: TARGET_SCHEMA where the target computes it itself. */
export function fieldAt({ table, fields }: TableWriter, index: number): Field {
  const field = fields.find((field) => field.index === index);
  if (field !== undefined) return field;
  const name = table.columns[index]?.name ?? '';
  const message = `a foreign key of ${table.origin} needs the column ${name}, which ${quoteTable(table)} computes itself`;
  throw new LockstepError('TARGET_SCHEMA', message, { fix: `make ${name} a plain column in the target` });
}

/** The row a change leaves, or the one it takes away. */
export function rowOf(change: RowChange): Row {
  return change.after ?? change.before;
}

/** One statement that inserts the rows, or replaces those that are there. */
export function insertText(writer: TableWriter, changes: Iterable<RowChange>, onChanged?: OnChanged): string {
  let text = '';
  for (const change of changes)
    text += `${text === '' ? writer.insert : ', '}(${list(writer, writer.fields, rowOf(change), change, onChanged)})`;
  return text + writer.conflict;
}

/** One statement that deletes the rows with the keys that the changes take away. */
export function deleteText(writer: TableWriter, changes: Iterable<RowChange>): string {
  const keys: string[] = [];
  const one = writer.keys.length === 1;
  for (const change of changes) {
    const key = list(writer, writer.keys, change.before ?? rowOf(change), change);
    keys.push(one ? key : `(${key})`);
  }
  return `DELETE FROM ${quoteTable(writer.table)} WHERE (${writer.keys.map(({ name }) => name).join(', ')}) IN (${keys.join(', ')})`;
}

/** One statement that updates the row with the change's key if it is there; empty where there is nothing to set. */
export function updateText(writer: TableWriter, change: RowChange, onChanged?: OnChanged): string {
  const row = rowOf(change);
  const set = writer.fields
    .filter(({ key }) => !key)
    .map((field) => `${field.name} = ${one(writer, field, row, change, onChanged)}`);
  const where = writer.keys.map((field) => `${field.name} = ${one(writer, field, row, change)}`);
  return set.length === 0
    ? ''
    : `UPDATE ${quoteTable(writer.table)} SET ${set.join(', ')} WHERE ${where.join(' AND ')}`;
}

/** For tables without a key: takes away or replaces exactly one of the rows that equal the whole row before the change. */
export function exactText(writer: TableWriter, change: RowChange, onChanged?: OnChanged): string {
  const table = quoteTable(writer.table);
  const before = change.before ?? rowOf(change);
  const same = writer.fields.map((field) => {
    const literal = one(writer, field, before, change);
    return literal === 'NULL' ? `${field.name} IS NULL` : `${field.name} = ${literal}`;
  });
  const where = `WHERE ctid = (SELECT ctid FROM ${table} WHERE ${same.join(' AND ')} LIMIT 1)`;
  if (change.after === null) return `DELETE FROM ${table} ${where}`;
  const { after } = change;
  return `UPDATE ${table} SET ${writer.fields.map((field) => `${field.name} = ${one(writer, field, after, change, onChanged)}`).join(', ')} ${where}`;
}

function list(
  writer: TableWriter,
  fields: readonly Field[],
  row: Row,
  change: RowChange,
  onChanged?: OnChanged,
): string {
  return fields.map((field) => one(writer, field, row, change, onChanged)).join(', ');
}

function one(writer: TableWriter, field: Field, row: Row, change: RowChange, onChanged?: OnChanged): string {
  try {
    return field.literal(valueAt(row, field.index), onChanged);
  } catch (error) {
    throw refusal(writer, change, error);
  }
}

/** The encoder's error with the place of the change. */
export function refusal(writer: TableWriter, change: RowChange, error: unknown): unknown {
  if (!(error instanceof LockstepError)) return error;
  const { at, table } = change;
  const key = writer.keys.length === 0 ? 'no key' : `key (${quoteNames(keyNames(table))})`;
  const place = `${key}, at ${at.file}:${String(at.offset)}${at.gtid === null ? '' : ` ${at.gtid}`}`;
  return new LockstepError(error.code, `${error.message}; ${place}`, { fix: error.fix, cause: error });
}
