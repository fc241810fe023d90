import type { Document } from 'mongodb';
import { ObjectId } from 'mongodb';
import type { Bytes } from '../../core/bytes.ts';
import type { Row, Value } from '../../core/contracts.ts';
import { valueAt } from '../../core/row.ts';
import type { TableSchema } from '../../core/table.ts';
import type { OnChanged, ValuePolicies } from '../../core/value-policy.ts';
import { close, DOCUMENT, headOf, OBJECT_ID, open } from './bson.ts';
import { type Append, appendOf, appendText } from './fields.ts';
import { needsMap } from './json.ts';
import { type Convert, converter } from './values.ts';

/** Tells rows apart by key inside one batch; equal exactly where the `_id`s are. */
export type RowKey = number | bigint | string | boolean;

/** A table's rows as BSON documents, compiled once per schema and target. */
export interface Documents {
  readonly table: TableSchema;
  /** False for a table without a key: its rows have an `_id` made up by us and are found by all their values. */
  readonly keyed: boolean;
  /** A name begins with `$`: such documents cannot be written as replacements, only by a pipeline (manual, "Dollar-Prefixed Fields"). */
  readonly dollar: boolean;
  key(row: Row): RowKey;
  /** Appends a document of `_id` alone. */
  appendId(out: Bytes, row: Row): void;
  /** Appends a document: `_id` first, then every column under its name in their order. Errors: as of `Convert`; TooLarge. */
  appendDocument(out: Bytes, row: Row, onChanged?: OnChanged): void;
  /** Appends a document of the columns without `_id`. Errors: as above. */
  appendValues(out: Bytes, row: Row, onChanged?: OnChanged): void;
  /** Finds documents with exactly these values in all columns. */
  matching(row: Row): Document;
  /** One column's value as its field holds it. */
  convert(index: number, value: Value): unknown;
}

/** Documents hold 16 MiB (manual, "MongoDB Limits and Thresholds"). */
const LARGEST = 16 << 20;

/** Says that a row is larger than a document may be. */
export class TooLarge extends Error {}

/** A part of a document: what stands under a name. */
interface Element {
  readonly name: string;
  readonly index: number;
  readonly append: Append;
}

interface Field extends Element {
  readonly convert: Convert;
}

export function documentsOf(table: TableSchema, policies: ValuePolicies): Documents {
  const columns = table.columns.map((column, index): Field => {
    const isKey = table.key.includes(index);
    const convert = converter(column, `${table.origin}.${column.name}`, isKey ? null : policies);
    return { name: column.name, index, convert, append: appendOf(column.type, convert) };
  });
  const keyed = table.key.length > 0;
  const fields = columns.filter(({ name }) => name !== '_id' || !keyed);
  const id = keyed ? idOf(table, columns) : madeUpId;
  return {
    table,
    keyed,
    dollar: columns.some(({ name }) => name.startsWith('$')),
    key: compileKey(table.key),
    appendId: documentOf([id]),
    appendDocument: documentOf([id, ...fields]),
    appendValues: documentOf(fields),
    matching: (row) => matchAll(row, fields),
    convert: (index, value) => (value === null ? null : (columns[index]?.convert(value) ?? null)),
  };
}

/** Writes documents of these elements. */
function documentOf(elements: readonly Element[]): Documents['appendDocument'] {
  const compiled = elements.map(({ name, index, append }) => ({ head: headOf(name), index, append }));
  return (out, row, onChanged) => {
    const at = open(out);
    for (const { head, append, index } of compiled) {
      const begun = out.length;
      out.copy(head, 0, head.length);
      const type = append(out, row, index, onChanged);
      out.buffer[begun] = type;
    }
    close(out, at);
    if (out.length - at > LARGEST) throw new TooLarge();
  };
}

const madeUpId: Element = {
  name: '_id',
  index: -1,
  append(out) {
    out.copy(new ObjectId().id, 0, 12);
    return OBJECT_ID;
  },
};

/** One column: its value; several: a sub-document of them in the key's order. A SET is its labels' text, for an `_id` cannot be an array. */
function idOf(table: TableSchema, columns: readonly Field[]): Element {
  const parts = table.key.flatMap((index): Element[] => {
    const column = columns[index];
    if (column === undefined) return [];
    const append = table.columns[index]?.type.kind === 'set' ? appendText : column.append;
    return [{ ...column, append }];
  });
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return { ...first, name: '_id' };
  const appendParts = documentOf(parts);
  const append: Append = (out, row) => {
    appendParts(out, row);
    return DOCUMENT;
  };
  return { name: '_id', index: -1, append };
}

function matchAll(row: Row, fields: readonly Field[]): Document {
  return {
    $and: fields.map(({ name, index, convert }) => {
      const found = valueAt(row, index);
      const value = found === null ? null : convert(found);
      if (isPlainName(name)) return { [name]: { $eq: value } };
      const field = { $ifNull: [{ $getField: { field: { $literal: name }, input: '$$ROOT' } }, null] };
      return { $expr: { $eq: [field, { $literal: value }] } };
    }),
  };
}

/** Whether a query can name the field as it is. */
export function isPlainName(name: string): boolean {
  return !/^\$|\./.test(name) && !needsMap(name);
}

export function columnName({ columns }: TableSchema, index: number): string {
  return columns[index]?.name ?? '';
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
