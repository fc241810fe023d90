import { LockstepError } from '../../../core/errors.ts';
import { PackedRow, type FieldRoom, type RowPlace } from '../../../core/row.ts';
import { qualifiedName, type TableSchema } from '../../../core/table.ts';
import { laidColumn, lengthAt } from './column.ts';
import type { Cursor } from './cursor.ts';
import { wire, type TableMap } from './table-map.ts';

/** Finds the fields of one row image and moves behind it, which is behind the event's end where that is damaged; no value is read. */
export type RowScanner = (cursor: Cursor, room: FieldRoom, place: RowPlace) => PackedRow;

/** Compiles the scanner of a table's full row images. Errors: SOURCE_SCHEMA where log and table contradict each other. */
export function rowScanner(map: TableMap, table: TableSchema): RowScanner {
  const where = qualifiedName(table);
  const hidden = hiddenColumns(map);
  requireSameColumns(map, table, hidden, where);
  const columns = table.columns.map((column, i) => {
    const laid = map.columns[i];
    if (laid === undefined) throw new LockstepError('BUG', `${where} has no column ${i}`);
    return laidColumn(laid, column, where);
  });
  const count = columns.length;
  const logged = count + hidden;
  const nullBytes = (logged + 7) >> 3;
  const widths = Int32Array.from(columns, ({ width }) => width);
  const prefixes = Int32Array.from(columns, ({ prefix }) => prefix);
  return (cursor, room, place) => {
    const { bytes, at: nulls } = cursor;
    const first = room.take(count);
    const { fields } = room;
    let at = nulls + nullBytes;
    for (let i = 0; i < count; i += 1) {
      const field = first + 2 * i;
      if (isNull(bytes, nulls, i)) {
        fields[field] = -1;
        fields[field + 1] = -1;
        continue;
      }
      let width = widths[i] ?? 0;
      const prefix = prefixes[i] ?? 0;
      if (prefix > 0) {
        width = lengthAt(bytes, at, prefix);
        at += prefix;
      }
      fields[field] = at;
      at += width;
      fields[field + 1] = at;
    }
    for (let i = count; i < logged; i += 1) if (!isNull(bytes, nulls, i)) at += HASH_BYTES;
    cursor.at = at;
    return new PackedRow(columns, bytes, fields, first, place);
  };
}

function isNull(bytes: Buffer, bitmap: number, column: number): boolean {
  return (((bytes[bitmap + (column >> 3)] ?? 0) >> (column & 7)) & 1) === 1;
}

const HASH_BYTES = 8;

/** How many columns at the end MariaDB made for itself: the hash of each unique key over a BLOB or TEXT. Source: sql/table.cc, DB_ROW_HASH_. */
function hiddenColumns({ names, columns }: TableMap): number {
  if (names === null) return 0;
  const isHidden = (name: string, i: number): boolean =>
    /^DB_ROW_HASH_\d+$/.test(name) && columns[i]?.type === wire.longlong;
  return names.length - 1 - names.findLastIndex((name, i) => !isHidden(name, i));
}

function requireSameColumns(map: TableMap, table: TableSchema, hidden: number, where: string): void {
  const names = map.names?.slice(0, map.names.length - hidden).join(', ') ?? null;
  const known = table.columns.map((column) => column.name).join(', ');
  if (map.columns.length - hidden === table.columns.length && (names === null || names === known)) return;
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
