import type { DeadLetter } from '../core/dead-letter.ts';
import { type Row, type Value, valuesOf } from '../core/row.ts';
import type { TableSchema } from '../core/table.ts';
import { compared } from './mysql.ts';
import { keyOf, type Text } from './row.ts';

/** What a table's dead letters say about its rows, in the texts of the comparison. */
export interface SetAside {
  /** Whether a key is held: its row in the target is not meant to be the source's. */
  holds(key: readonly string[]): boolean;
  readonly keys: readonly (readonly string[])[];
  /** The rows that letters bring and take away, for tables without a key. */
  readonly rows: readonly (readonly Text[])[];
}

/** The letters of one table. They hold the keys of all their rows, before and after. */
export function setAside(table: TableSchema, letters: readonly Pick<DeadLetter, 'origin' | 'change'>[]): SetAside {
  const converters = table.columns.map(compared);
  const rows = letters
    .filter(({ origin }) => origin === table.origin)
    .flatMap(({ change }) => [textsOf(change.table, change.before), textsOf(change.table, change.after)])
    .filter((texts) => texts !== null)
    .map((texts) => table.columns.map(({ name }, index) => converted(texts.get(name) ?? null, converters[index])));
  const keys = new Map(
    table.key.length === 0 ? [] : rows.map((row) => [JSON.stringify(keyOf(table, row)), keyOf(table, row)]),
  );
  return { keys: [...keys.values()], rows, holds: (key) => keys.has(JSON.stringify(key)) };
}

function converted(text: Text, convert: ((text: string) => Text) | undefined): Text {
  return text === null || convert === undefined ? text : convert(text);
}

function textsOf(table: TableSchema, row: Row | null): ReadonlyMap<string, Text> | null {
  if (row === null) return null;
  const values = valuesOf(row);
  return new Map(table.columns.map(({ name }, index) => [name, textOf(values[index] ?? null)]));
}

/** A value in the text that the source itself prints. */
function textOf(value: Value): Text {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? '1' : '0';
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
}
