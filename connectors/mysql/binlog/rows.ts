import type { Row, Value } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import { qualifiedName, type TableSchema } from '../../../core/table.ts';
import { columnDecoder, type ColumnDecoder } from './column.ts';
import type { Cursor } from './cursor.ts';
import type { TableMap } from './table-map.ts';

/** Reads one row image and moves behind it. */
export type RowDecoder = (cursor: Cursor) => Row;

/** Compiles the decoder of a table's full row images. Errors: SOURCE_SCHEMA where log and table contradict each other. */
export function rowDecoder(map: TableMap, table: TableSchema): RowDecoder {
  const where = qualifiedName(table);
  requireSameColumns(map, table, where);
  const decoders: ColumnDecoder[] = map.columns.map((laid, i) => {
    const column = table.columns[i];
    if (column === undefined) throw new LockstepError('BUG', `${where} has no column ${i}`);
    return columnDecoder(laid, column, where);
  });
  const count = decoders.length;
  const nullBytes = (count + 7) >> 3;
  return (cursor) => {
    const nulls = cursor.at;
    const { bytes } = cursor;
    cursor.at = nulls + nullBytes;
    const row: Value[] = [];
    for (let i = 0; i < count; i += 1) {
      const isNull = ((bytes[nulls + (i >> 3)] ?? 0) >> (i & 7)) & 1;
      const decode = decoders[i];
      row.push(isNull === 1 || decode === undefined ? null : decode(cursor));
    }
    return row;
  };
}

function requireSameColumns(map: TableMap, table: TableSchema, where: string): void {
  const names = map.names?.join(', ') ?? null;
  const known = table.columns.map((column) => column.name).join(', ');
  if (map.columns.length === table.columns.length && (names === null || names === known)) return;
  throw new LockstepError(
    'SOURCE_SCHEMA',
    `${where}: the binlog has ${map.columns.length} columns (${names ?? 'names not logged'}), the table has ${table.columns.length} (${known})`,
    {
      fix: 'the table was altered after this part of the log was written; resync the table',
    },
  );
}

/** Reads the column count and the bitmaps of which columns are present: all must be. Errors: SOURCE_ROW_IMAGE. */
export function requireFullImage(cursor: Cursor, bitmaps: 1 | 2, where: string): void {
  const count = cursor.lenenc();
  for (let bitmap = 0; bitmap < bitmaps; bitmap += 1) {
    for (let i = 0; i < count; i += 8) {
      const expected = count - i >= 8 ? 0xff : (1 << (count - i)) - 1;
      if ((cursor.u8() & expected) !== expected) throw partialImage(where);
    }
  }
}

function partialImage(where: string): LockstepError {
  return new LockstepError(
    'SOURCE_ROW_IMAGE',
    `${where}: a change was logged without all columns (binlog_row_image is not FULL in the session that made it)`,
    {
      fix: "SET GLOBAL binlog_row_image = 'FULL', end the sessions that still have another value, then resync the table",
    },
  );
}
