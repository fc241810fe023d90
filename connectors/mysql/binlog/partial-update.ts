import { LockstepError } from '../../../core/errors.ts';
import { valueAt, type Row, type Value, type Values } from '../../../core/row.ts';
import { qualifiedName, type TableSchema } from '../../../core/table.ts';
import { Body } from './body.ts';
import { laidColumn, lengthAt, type LaidColumn } from './column.ts';
import type { Cursor } from './cursor.ts';
import { applyJsonDiffs } from './json-diff.ts';
import { MalformedEvent } from './malformed.ts';
import { wire, type TableMap } from './table-map.ts';

/** Reads an after image that may hold differences to the row before, and moves behind it. */
export type PartialRowDecoder = (cursor: Cursor, before: Row) => Values;

/** Bit of the image's value options: a bitmap of the JSON columns that come as diffs follows. */
const partialJson = 1;

/**
 * Compiles the decoder of the after images of PARTIAL_UPDATE_ROWS_EVENT (binlog_row_value_options=PARTIAL_JSON): value options, a bitmap
 * with a bit for each JSON column of the table, the bitmap of NULLs, then the columns. Source: sql/rpl_record.cc, unpack_row.
 * Errors: SOURCE_SCHEMA where log and table contradict each other.
 */
export function partialRowDecoder(map: TableMap, table: TableSchema): PartialRowDecoder {
  const where = qualifiedName(table);
  const columns = map.columns.map((laid, i) => {
    const column = table.columns[i];
    if (column === undefined) throw new LockstepError('BUG', `${where} has no column ${i}`);
    return laidColumn(laid, column, where);
  });
  const jsonIndex = jsonIndexes(map);
  const jsonBytes = (jsonIndex.filter((index) => index >= 0).length + 7) >> 3;
  const nullBytes = (columns.length + 7) >> 3;
  return (cursor, before) => {
    const partials = (cursor.lenenc() & partialJson) === 0 ? null : bitmap(cursor, jsonBytes);
    const nulls = bitmap(cursor, nullBytes);
    return columns.map((column, i): Value => {
      if (nulls(i)) return null;
      const json = jsonIndex[i] ?? -1;
      return json >= 0 && partials?.(json) === true ? patched(cursor, valueAt(before, i)) : whole(cursor, column);
    });
  };
}

/** For each column its number among the JSON columns, -1 for the others. */
function jsonIndexes({ columns }: TableMap): number[] {
  let next = 0;
  return columns.map(({ type }) => {
    if (type !== wire.json) return -1;
    next += 1;
    return next - 1;
  });
}

function bitmap(cursor: Cursor, size: number): (bit: number) => boolean {
  const { bytes, at, end } = cursor;
  if (size > end - at) throw new MalformedEvent('a row that ends in its bitmap');
  cursor.skip(size);
  return (bit) => (((bytes[at + (bit >> 3)] ?? 0) >> (bit & 7)) & 1) === 1;
}

function whole(cursor: Cursor, column: LaidColumn): Value {
  const { width, prefix } = column;
  const { bytes, at, end } = cursor;
  const start = at + prefix;
  const behind = start + (prefix === 0 ? width : lengthAt(bytes, at, prefix));
  if (behind > end) throw new MalformedEvent('a value that is longer than its event');
  cursor.at = behind;
  return column.decode(bytes, start, behind);
}

/** Four bytes of length, then the diffs. */
function patched(cursor: Cursor, before: Value): string {
  const length = cursor.u32();
  if (length > cursor.end - cursor.at) throw new MalformedEvent('JSON diffs that are longer than their event');
  const diffs = new Body(cursor.bytes, cursor.at, cursor.at + length);
  cursor.skip(length);
  if (typeof before !== 'string') throw new MalformedEvent('JSON diffs of a value that was none');
  return applyJsonDiffs(before, diffs);
}
