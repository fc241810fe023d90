import { LockstepError } from '../../../core/errors.ts';
import type { Cursor } from './cursor.ts';

/** Column types as TABLE_MAP writes them. Source: include/field_types.h; MariaDB: sql/sql_const types 140, 141. */
export const wire = {
  decimal: 0,
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  timestamp: 7,
  longlong: 8,
  int24: 9,
  date: 10,
  time: 11,
  datetime: 12,
  year: 13,
  newdate: 14,
  varchar: 15,
  bit: 16,
  timestamp2: 17,
  datetime2: 18,
  time2: 19,
  blobCompressed: 140,
  varcharCompressed: 141,
  vector: 242,
  json: 245,
  newdecimal: 246,
  enum: 247,
  set: 248,
  tinyBlob: 249,
  mediumBlob: 250,
  longBlob: 251,
  blob: 252,
  varString: 253,
  string: 254,
  geometry: 255,
} as const;

/** One column as it lies in the rows events that follow. */
export interface WireColumn {
  /** The real type: a STRING that holds an ENUM or SET is given as such. */
  readonly type: number;
  /** Two bytes of metadata, least significant first; a STRING's is its length in bytes. */
  readonly meta: number;
}

export interface TableMap {
  readonly id: number;
  readonly database: string;
  readonly table: string;
  readonly columns: readonly WireColumn[];
  /** Column names where binlog_row_metadata=FULL, else null. */
  readonly names: readonly string[] | null;
}

/** Reads the body of a TABLE_MAP_EVENT. Source: libbinlogevents rows_event.h, Table_map_event. */
export function readTableMap(cursor: Cursor): TableMap {
  const id = cursor.u48();
  cursor.skip(2);
  const database = cursor.text(cursor.u8());
  cursor.skip(1);
  const table = cursor.text(cursor.u8());
  cursor.skip(1);
  const count = cursor.lenenc();
  const types = Array.from({ length: count }, () => cursor.u8());
  cursor.lenenc();
  const columns = types.map((type) => readMeta(cursor, type, `${database}.${table}`));
  cursor.skip((count + 7) >> 3);
  return { id, database, table, columns, names: readNames(cursor) };
}

function readMeta(cursor: Cursor, type: number, where: string): WireColumn {
  switch (type) {
    case wire.float:
    case wire.double:
    case wire.blob:
    case wire.tinyBlob:
    case wire.mediumBlob:
    case wire.longBlob:
    case wire.geometry:
    case wire.json:
    case wire.vector:
    case wire.timestamp2:
    case wire.datetime2:
    case wire.time2:
    case wire.blobCompressed:
      return { type, meta: cursor.u8() };
    case wire.varchar:
    case wire.varString:
    case wire.bit:
    case wire.newdecimal:
    case wire.varcharCompressed:
      return { type, meta: cursor.u16() };
    case wire.string:
    case wire.enum:
    case wire.set:
      return stringColumn(cursor.u8(), cursor.u8());
    case wire.tiny:
    case wire.short:
    case wire.long:
    case wire.longlong:
    case wire.int24:
    case wire.year:
    case wire.date:
    case wire.newdate:
    case wire.time:
    case wire.datetime:
    case wire.timestamp:
      return { type, meta: 0 };
    default:
      throw new LockstepError(
        'SOURCE_TYPE_UNSUPPORTED',
        `${where}: the binlog has a column of type ${type}, which is not known`,
        {
          fix: 'leave the table out of source.tables, or report the type',
        },
      );
  }
}

/** The real type stands in the first byte; two inverted bits of it are the length's bits 8 and 9. Source: sql/log_event.cc, read_str metadata. */
function stringColumn(first: number, second: number): WireColumn {
  if (first === wire.enum || first === wire.set) return { type: first, meta: second };
  const length = (first & 0x30) === 0x30 ? second : second | (((first & 0x30) ^ 0x30) << 4);
  const type = (first & 0x30) === 0x30 ? first : first | 0x30;
  return type === wire.enum || type === wire.set ? { type, meta: second } : { type, meta: length };
}

const columnNameField = 4;

function readNames(cursor: Cursor): string[] | null {
  while (cursor.at < cursor.end) {
    const field = cursor.u8();
    const length = cursor.lenenc();
    const end = cursor.at + length;
    if (field !== columnNameField) {
      cursor.at = end;
      continue;
    }
    const names: string[] = [];
    while (cursor.at < end) names.push(cursor.text(cursor.lenenc()));
    return names;
  }
  return null;
}
