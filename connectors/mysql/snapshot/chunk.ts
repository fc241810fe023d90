import type { Row } from '../../../core/contracts.ts';
import { FieldRoom, PackedRow, type PackedColumn, type RowPlace } from '../../../core/row.ts';
import type { TableSchema } from '../../../core/table.ts';
import type { Cursor } from '../binlog/cursor.ts';
import { readLength, requireEnd } from '../connection/text-connection.ts';
import type { Range } from './ranges.ts';
import { selectExpression, textColumn } from './text-column.ts';

/** What a row takes in memory beside its bytes, about. */
const bytesPerRow = 200;

/** The rows of one chunk as they are read. */
export class Chunk {
  readonly table: TableSchema;
  readonly select: string;
  rows = 0;
  bytes = 0;
  last: Row | null = null;
  after: Range | null = null;
  readonly #columns: readonly PackedColumn[];
  readonly #room = new FieldRoom();
  #untaken = 0;
  #begunMs = 0;
  #first: { readonly ms: number; readonly rows: number } | null = null;

  constructor(table: TableSchema) {
    this.table = table;
    this.select = table.columns.map(selectExpression).join(', ');
    this.#columns = table.columns.map(textColumn);
  }

  read(cursor: Cursor, place: RowPlace): Row {
    const start = cursor.at;
    const count = this.#columns.length;
    const first = this.#room.take(count);
    const { fields } = this.#room;
    for (let i = 0; i < count; i += 1) {
      const length = readLength(cursor);
      const field = first + 2 * i;
      fields[field] = length < 0 ? -1 : cursor.at;
      if (length > 0) cursor.at += length;
      fields[field + 1] = cursor.at;
    }
    requireEnd(cursor, this.table.origin);
    this.rows += 1;
    this.#untaken += bytesPerRow + cursor.end - start;
    this.last = new PackedRow(this.#columns, cursor.bytes, fields, first, place);
    return this.last;
  }

  /** Its statement goes to the server. */
  begin(): void {
    this.#begunMs = performance.now();
  }

  /** Rows have come, or the end. */
  arrived(): void {
    this.#first ??= { ms: performance.now() - this.#begunMs, rows: this.rows };
  }

  /** How long the first rows took, and how many came with them. */
  get first(): { readonly ms: number; readonly rows: number } {
    return this.#first ?? { ms: 0, rows: 0 };
  }

  /** Bytes in memory since it was last asked. */
  takeBytes(): number {
    const bytes = this.#untaken;
    this.bytes += bytes;
    this.#untaken = 0;
    return bytes;
  }
}
