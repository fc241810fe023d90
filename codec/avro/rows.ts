import type { Row } from '../../core/contracts.ts';
import { PackedRow } from '../../core/row.ts';
import type { ColumnWriter } from './encodecolumn.ts';
import type { AvroWriter } from './writer.ts';

/** Appends the rows of a change. What an update left as it was, as most columns are, is copied from the row before to the row after. */
export class RowWriter {
  readonly #columns: readonly ColumnWriter[];
  /** Where each column of `before` begins, and where the last one ends. */
  readonly #places: Int32Array;

  constructor(columns: readonly ColumnWriter[]) {
    this.#columns = columns;
    this.#places = new Int32Array(columns.length + 1);
  }

  write(writer: AvroWriter, before: Row | null, after: Row | null): void {
    this.#whole(writer, before);
    if (before instanceof PackedRow && after instanceof PackedRow) this.#rest(writer, before, after);
    else this.#whole(writer, after);
  }

  #whole(writer: AvroWriter, row: Row | null): void {
    if (row === null) {
      writer.byte(0);
      return;
    }
    writer.byte(2);
    const columns = this.#columns;
    const places = this.#places;
    for (let i = 0; i < columns.length; i++) {
      places[i] = writer.length;
      columns[i]?.(writer, row, i);
    }
    places[columns.length] = writer.length;
  }

  #rest(writer: AvroWriter, before: PackedRow, after: PackedRow): void {
    writer.byte(2);
    const columns = this.#columns;
    const places = this.#places;
    let same = 0;
    for (let i = 0; i <= columns.length; i++) {
      if (i < columns.length && after.liesAs(before, i)) continue;
      if (same < i) writer.raw(writer.buffer, places[same] ?? 0, places[i] ?? 0);
      if (i < columns.length) columns[i]?.(writer, after, i);
      same = i + 1;
    }
  }
}
