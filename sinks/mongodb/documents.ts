import type { Document } from 'mongodb';
import { ObjectId } from 'mongodb';
import type { Row, Value } from '../../core/contracts.ts';
import { valueAt } from '../../core/row.ts';
import type { TableSchema } from '../../core/table.ts';
import type { OnChanged, ValuePolicies } from '../../core/value-policy.ts';
import { needsMap } from './json.ts';
import { type Convert, converter } from './values.ts';

/** Tells rows apart by key inside one batch; equal exactly where the `_id`s are. */
export type RowKey = number | bigint | string | boolean;

/** A table's rows as documents, compiled once per schema and target. */
export interface Documents {
  readonly table: TableSchema;
  /** False for a table without a key: its rows have an `_id` made up by us and are found by all their values. */
  readonly keyed: boolean;
  /** A name begins with `$`: such documents cannot be written as replacements, only by a pipeline (manual, "Dollar-Prefixed Fields"). */
  readonly dollar: boolean;
  key(row: Row): RowKey;
  id(row: Row): unknown;
  /** `_id` first, then every column under its name in their order. */
  document(row: Row, onChanged?: OnChanged): Document;
  /** The columns without `_id`. */
  values(row: Row, onChanged?: OnChanged): Document;
  /** Finds documents with exactly these values in all columns. */
  matching(row: Row): Document;
  /** One column's value as its field holds it. */
  convert(index: number, value: Value): unknown;
}

export function documentsOf(table: TableSchema, policies: ValuePolicies): Documents {
  const names = table.columns.map(({ name }) => name);
  const converts = table.columns.map((column, index) =>
    converter(column, `${table.origin}.${column.name}`, table.key.includes(index) ? null : policies),
  );
  const keyed = table.key.length > 0;
  const id = keyed ? compileId(table, names, converts) : () => new ObjectId();
  const fields = names.map((name, index) => [name, index] as const).filter(([name]) => name !== '_id' || !keyed);
  return {
    table,
    keyed,
    dollar: names.some((name) => name.startsWith('$')),
    key: compileKey(table.key),
    id,
    document: names.some(needsMap)
      ? (row, onChanged) => fillMap(new Map([['_id', id(row)]]), row, fields, converts, onChanged)
      : (row, onChanged) => fillObject({ _id: id(row) }, row, fields, converts, onChanged),
    values: names.some(needsMap)
      ? (row, onChanged) => fillMap(new Map(), row, fields, converts, onChanged)
      : (row, onChanged) => fillObject({}, row, fields, converts, onChanged),
    matching: (row) => matchAll(row, fields, converts),
    convert: (index, value) => (value === null ? null : (converts[index]?.(value) ?? null)),
  };
}

type Fields = readonly (readonly [name: string, index: number])[];

function convertAt(row: Row, index: number, converts: readonly Convert[], onChanged?: OnChanged): unknown {
  const value = valueAt(row, index);
  const convert = converts[index];
  return value === null || convert === undefined ? null : convert(value, onChanged);
}

function fillObject(
  document: Document,
  row: Row,
  fields: Fields,
  converts: readonly Convert[],
  onChanged?: OnChanged,
): Document {
  for (const [name, index] of fields) document[name] = convertAt(row, index, converts, onChanged);
  return document;
}

/** Keeps columns named `1` or `__proto__` in their place; the driver writes a Map as a document. */
function fillMap(
  document: Map<string, unknown>,
  row: Row,
  fields: Fields,
  converts: readonly Convert[],
  onChanged?: OnChanged,
): Document {
  for (const [name, index] of fields) document.set(name, convertAt(row, index, converts, onChanged));
  return document;
}

/** Whether a query can name the field as it is. */
export function isPlainName(name: string): boolean {
  return !/^\$|\./.test(name) && !needsMap(name);
}

export function columnName({ columns }: TableSchema, index: number): string {
  return columns[index]?.name ?? '';
}

function matchAll(row: Row, fields: Fields, converts: readonly Convert[]): Document {
  return {
    $and: fields.map(([name, index]) => {
      const value = convertAt(row, index, converts);
      if (isPlainName(name)) return { [name]: { $eq: value } };
      const field = { $ifNull: [{ $getField: { field: { $literal: name }, input: '$$ROOT' } }, null] };
      return { $expr: { $eq: [field, { $literal: value }] } };
    }),
  };
}

/** One column: its value; several: a sub-document of them in the key's order. A SET is its labels' text, for an `_id` cannot be an array. */
function compileId(table: TableSchema, names: readonly string[], converts: readonly Convert[]): (row: Row) => unknown {
  const parts = table.key.map((index) => {
    const text = table.columns[index]?.type.kind === 'set';
    return {
      name: names[index] ?? '',
      convert: (row: Row) => (text ? valueAt(row, index) : convertAt(row, index, converts)),
    };
  });
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first.convert;
  if (parts.some(({ name }) => needsMap(name)))
    return (row) => new Map(parts.map(({ name, convert }) => [name, convert(row)]));
  return (row) => {
    const id: Document = {};
    for (const { name, convert } of parts) id[name] = convert(row);
    return id;
  };
}

function compileKey(key: readonly number[]): (row: Row) => RowKey {
  const [only] = key;
  if (key.length === 1 && only !== undefined) return (row) => keyPart(valueAt(row, only));
  return (row) => {
    let text = '';
    for (const index of key) {
      const part = String(keyPart(valueAt(row, index)));
      text += `${String(part.length)}:${part}`;
    }
    return text;
  };
}

function keyPart(value: Value): RowKey {
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
  return value ?? '';
}
