import type { Bytes } from './bytes.ts';
import { LockstepError } from './errors.ts';

/**
 * A column's value in its one canonical form, decided by `ColumnType.kind` alone, the same from snapshot, stream and Kafka:
 * int, year, float, double: number · bigint: bigint · decimal: exact text, fixed scale · boolean and bit(1): boolean · bit(n): bigint ·
 * text, enum, json, uuid, inet: string · set: labels in definition order joined by `,` · binary, blob, vector: bytes ·
 * geometry: 4 bytes SRID little endian, then WKB · date: `YYYY-MM-DD` · datetime, timestamp (UTC): `YYYY-MM-DD hh:mm:ss[.digits]` ·
 * time: `[-]hh:mm:ss[.digits]`. Zero and partial dates are kept as the source prints them.
 */
export type Value = null | number | bigint | string | Uint8Array | boolean;
export type Values = readonly Value[];

/** One row in the order of its table's columns: values, or the source's bytes in which they still lie. See `valueAt`, `valuesOf`. */
export type Row = Values | PackedRow;

/** How one column lies in a source's bytes, compiled once per schema. `bytes[start, end)` is a value without a length before it. */
export interface PackedColumn {
  /** The canonical value. */
  decode(bytes: Buffer, start: number, end: number): Value;
  /**
   * Appends the value as UTF-8 text: the canonical string, or a number's decimal digits in any notation. Null for the types that
   * have no such text (bytes, bits, booleans, floats) and where it would bring nothing.
   */
  readonly print: ((out: Bytes, bytes: Buffer, start: number, end: number) => void) | null;
}

/** Where a row stands in its source: for messages. */
export interface RowPlace {
  readonly file: string;
  readonly offset: number;
}

/**
 * A row in its source's bytes. A value is made when somebody asks for it, so that what nobody asks for costs nothing and what lives
 * until its batch is applied is bytes, which the garbage collector need not look through. Field `i` is
 * `bytes[fields[first + 2 * i], fields[first + 2 * i + 1])`, NULL where its start is -1.
 */
export class PackedRow {
  readonly columns: readonly PackedColumn[];
  readonly #bytes: Buffer;
  readonly #fields: Int32Array;
  readonly #first: number;
  readonly #place: RowPlace;

  constructor(columns: readonly PackedColumn[], bytes: Buffer, fields: Int32Array, first: number, place: RowPlace) {
    this.columns = columns;
    this.#bytes = bytes;
    this.#fields = fields;
    this.#first = first;
    this.#place = place;
  }

  isNull(column: number): boolean {
    return this.#start(column) < 0;
  }

  /** Errors: those of the source where its bytes are no value, with their place. */
  value(column: number): Value {
    const start = this.#start(column);
    if (start < 0) return null;
    try {
      return this.columns[column]?.decode(this.#bytes, start, this.#end(column)) ?? null;
    } catch (error) {
      throw this.#located(error);
    }
  }

  /** Appends a value that is not NULL as its column's `print` does; false where that has none. Errors: as of `value`. */
  print(column: number, out: Bytes): boolean {
    const print = this.columns[column]?.print ?? null;
    if (print === null) return false;
    try {
      print(out, this.#bytes, this.#start(column), this.#end(column));
      return true;
    } catch (error) {
      throw this.#located(error);
    }
  }

  /** Whether a column has the very bytes that it has in another row of the same columns: then it has the same value. */
  liesAs(other: PackedRow, column: number): boolean {
    const start = this.#start(column);
    const end = this.#end(column);
    const from = other.#start(column);
    if (this.columns !== other.columns || start < 0 || end - start !== other.#end(column) - from) return false;
    for (let i = 0; i < end - start; i += 1) if (this.#bytes[start + i] !== other.#bytes[from + i]) return false;
    return from >= 0;
  }

  values(): Values {
    const values: Value[] = [];
    for (let i = 0; i < this.columns.length; i += 1) values.push(this.value(i));
    return values;
  }

  /** About the bytes that its values take. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.columns.length; i += 1) size += this.#end(i) - this.#start(i) + 8;
    return size;
  }

  #start(column: number): number {
    return this.#fields[this.#first + 2 * column] ?? -1;
  }

  #end(column: number): number {
    return this.#fields[this.#first + 2 * column + 1] ?? -1;
  }

  #located(error: unknown): unknown {
    if (!(error instanceof LockstepError)) return error;
    const { file, offset } = this.#place;
    return new LockstepError(error.code, `${file}:${offset}: ${error.message}`, { fix: error.fix, cause: error });
  }
}

export function valueAt(row: Row, column: number): Value {
  return row instanceof PackedRow ? row.value(column) : (row[column] ?? null);
}

export function isNullAt(row: Row, column: number): boolean {
  return row instanceof PackedRow ? row.isNull(column) : (row[column] ?? null) === null;
}

/** Whether a column certainly has the same value in both rows. */
export function isSameAt(a: Row, b: Row, column: number): boolean {
  if (a instanceof PackedRow && b instanceof PackedRow && a.liesAs(b, column)) return true;
  const one = valueAt(a, column);
  const other = valueAt(b, column);
  return (
    one === other || (one instanceof Uint8Array && other instanceof Uint8Array && Buffer.compare(one, other) === 0)
  );
}

/** Appends a value whose canonical form is a string, in UTF-8; false where it is none. */
export function printAt(row: Row, column: number, out: Bytes): boolean {
  if (row instanceof PackedRow && row.print(column, out)) return true;
  const value = valueAt(row, column);
  if (typeof value !== 'string') return false;
  out.text(value);
  return true;
}

export function valuesOf(row: Row): Values {
  return row instanceof PackedRow ? row.values() : row;
}

/** About the bytes that a row's values take. */
export function sizeOfRow(row: Row): number {
  if (row instanceof PackedRow) return row.size;
  let size = 0;
  for (const value of row) size += typeof value === 'string' || value instanceof Uint8Array ? value.length + 8 : 8;
  return size;
}

/** Room for the fields of many rows, handed out piece by piece: one array of them costs less than one per row. */
export class FieldRoom {
  fields = new Int32Array(0);
  #used = 0;
  readonly #size: number;

  constructor(size = 16 * 1024) {
    this.#size = size;
  }

  /** Where a row of `columns` may write its fields in `fields`, which is a new array when the old one is full. */
  take(columns: number): number {
    const count = 2 * columns;
    if (this.#used + count > this.fields.length) {
      this.fields = new Int32Array(Math.max(this.#size, count));
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += count;
    return at;
  }
}
