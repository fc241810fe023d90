import { LockstepError } from '../../../core/errors.ts';
import { Body } from './body.ts';
import { MalformedEvent } from './malformed.ts';

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

/** The table that a TABLE_MAP_EVENT announces. */
export interface TableName {
  readonly database: string;
  readonly table: string;
  /** `database.table` */
  readonly origin: string;
}

export interface TableMap extends TableName {
  readonly columns: readonly WireColumn[];
  /** Whether each column may be NULL; always logged. */
  readonly nullable: readonly boolean[];
  /** Column names where binlog_row_metadata=FULL, else null. */
  readonly names: readonly string[] | null;
  /** The optional fields by their type, as they lie in the event; read by `schema/metadata.ts`. */
  readonly metadata: ReadonlyMap<number, Buffer>;
}

/** The most columns a table can have. */
const maxColumns = 4096;

/** Reads the beginning of a TABLE_MAP_EVENT, behind its id; what follows need not be understood where the table is not wanted. Source: libs/mysql/binlog/event/rows_event.h, Table_map_event. */
export function readTableName(body: Body): TableName {
  body.skip(2);
  const database = body.text(body.u8());
  body.skip(1);
  const table = body.text(body.u8());
  body.skip(1);
  return { database, table, origin: `${database}.${table}` };
}

/** Reads the rest. Errors: MalformedEvent, SOURCE_TYPE_UNSUPPORTED. */
export function readTableMap(name: TableName, body: Body): TableMap {
  const count = body.lenenc();
  if (count === 0 || count > maxColumns) throw new MalformedEvent(`a table of ${count} columns`);
  const types = body.view(count);
  const meta = body.part(body.lenenc());
  const columns = Array.from(types, (type) => readMeta(meta, type, name.origin));
  if (meta.left > 0) throw new MalformedEvent('a table whose columns have more to them than is known');
  const nullBits = body.view((count + 7) >> 3);
  const nullable = columns.map((_, i) => (((nullBits[i >> 3] ?? 0) >> (i & 7)) & 1) === 1);
  const metadata = readFields(body);
  const names = metadata.get(metadataField.names);
  return { ...name, columns, nullable, names: names === undefined ? null : readNames(names, count), metadata };
}

function readMeta(meta: Body, type: number, where: string): WireColumn {
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
      return { type, meta: meta.u8() };
    case wire.varchar:
    case wire.varString:
    case wire.bit:
    case wire.newdecimal:
    case wire.varcharCompressed:
      return { type, meta: meta.u16() };
    case wire.string:
    case wire.enum:
    case wire.set:
      return stringColumn(meta.u8(), meta.u8());
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

/** Types of the optional fields. Source: libbinlogevents rows_event.h, Optional_metadata_field_type; the same in MariaDB's log_event.h. */
export const metadataField = {
  signedness: 1,
  defaultCharset: 2,
  charsets: 3,
  names: 4,
  setLabels: 5,
  enumLabels: 6,
  geometries: 7,
  primaryKey: 8,
  primaryKeyWithPrefix: 9,
  enumDefaultCharset: 10,
  enumCharsets: 11,
} as const;

function readFields(body: Body): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  while (body.left > 0) {
    const field = body.u8();
    fields.set(field, Buffer.from(body.view(body.lenenc())));
  }
  return fields;
}

function readNames(bytes: Buffer, count: number): string[] {
  const field = new Body(bytes, 0, bytes.length);
  const names: string[] = [];
  while (field.left > 0) names.push(field.text(field.lenenc()));
  if (names.length !== count) throw new MalformedEvent(`${names.length} names for ${count} columns`);
  return names;
}
