import { Cursor } from '../binlog/cursor.ts';
import { metadataField, wire, type TableMap } from '../binlog/table-map.ts';
import { textDecoder } from '../values/charset.ts';
import { geometryKinds } from '../catalog/declared-type.ts';
import type { Collations } from './collations.ts';

/** What the log says of a table beyond what lies in each TABLE_MAP. By column; null where it does not say. */
export interface Metadata {
  readonly unsigned: readonly (boolean | null)[];
  /** The character set's name, `binary` for bytes. */
  readonly charsets: readonly (string | null)[];
  readonly labels: readonly (readonly string[] | null)[];
  readonly shapes: readonly (string | null)[];
  /** Indexes of the primary key's columns; null where it has none, or with binlog_row_metadata below FULL. */
  readonly primaryKey: readonly number[] | null;
}

const numeric: readonly number[] = [
  wire.tiny,
  wire.short,
  wire.int24,
  wire.long,
  wire.longlong,
  wire.newdecimal,
  wire.float,
  wire.double,
  wire.year,
];
const character: readonly number[] = [
  wire.varchar,
  wire.varString,
  wire.string,
  wire.blob,
  wire.tinyBlob,
  wire.mediumBlob,
  wire.longBlob,
];
const characterOfMysql = [...character, wire.vector];
/** MariaDB counts every column whose values are bytes. */
const characterOfMariadb = [...character, wire.geometry, wire.blobCompressed, wire.varcharCompressed];
/**
 * Reads a TABLE_MAP's optional fields. Each speaks only of the columns of some types, in their order, and the two servers do not agree on which
 * types. Source: MySQL sql/log_event.cc, Table_map_log_event::init_metadata_fields; MariaDB sql/log_event_server.cc, the same.
 */
export function readMetadata(map: TableMap, flavour: 'mysql' | 'mariadb', collations: Collations): Metadata {
  const { columns, metadata } = map;
  const places = (types: readonly number[]): number[] =>
    columns.flatMap(({ type }, i) => (types.includes(type) ? [i] : []));
  const numbers = places(numeric);
  const characters = places(flavour === 'mariadb' ? characterOfMariadb : characterOfMysql);
  const labelled = places([wire.enum, wire.set]);
  const ids = new Map([
    ...readCharsets(map, characters, metadataField.defaultCharset, metadataField.charsets),
    ...readCharsets(map, labelled, metadataField.enumDefaultCharset, metadataField.enumCharsets),
  ]);
  const charsets = columns.map((_, i) => collations.charset(ids.get(i) ?? null));
  const labels = [
    ...readLabels(map, places([wire.enum]), metadataField.enumLabels, charsets),
    ...readLabels(map, places([wire.set]), metadataField.setLabels, charsets),
  ];
  const kinds = readNumbers(metadata.get(metadataField.geometries));
  return {
    unsigned: byColumn(map, readSigns(metadata.get(metadataField.signedness), numbers)),
    charsets,
    labels: byColumn(map, new Map(labels)),
    shapes: byColumn(
      map,
      new Map(
        places([wire.geometry]).map((column, i): [number, string | null] => [
          column,
          geometryKinds[kinds[i] ?? -1] ?? null,
        ]),
      ),
    ),
    primaryKey: readKey(map),
  };
}

function byColumn<T>({ columns }: TableMap, found: ReadonlyMap<number, T | null>): (T | null)[] {
  return columns.map((_, i) => found.get(i) ?? null);
}

/** One bit for each number, the first one highest. */
function readSigns(bits: Buffer | undefined, numbers: readonly number[]): Map<number, boolean> {
  if (bits === undefined) return new Map();
  return new Map(numbers.map((column, i) => [column, (((bits[i >> 3] ?? 0) << (i & 7)) & 0x80) !== 0]));
}

/** Either one collation for most and pairs for the rest, or one for each. */
function readCharsets(map: TableMap, places: readonly number[], most: number, each: number): [number, number][] {
  const all = map.metadata.get(each);
  if (all !== undefined) {
    const ids = readNumbers(all);
    return places.map((column, i) => [column, ids[i] ?? 0]);
  }
  const [usual, ...pairs] = readNumbers(map.metadata.get(most));
  if (usual === undefined) return [];
  const others = new Map<number, number>();
  for (let i = 0; i + 1 < pairs.length; i += 2) others.set(pairs[i] ?? 0, pairs[i + 1] ?? 0);
  return places.map((column, i) => [column, others.get(i) ?? usual]);
}

function readLabels(
  { metadata }: TableMap,
  places: readonly number[],
  field: number,
  charsets: readonly (string | null)[],
): [number, string[]][] {
  const bytes = metadata.get(field);
  if (bytes === undefined) return [];
  const cursor = over(bytes);
  return places.map((column) => {
    const decode = textDecoder(charsets[column] === 'binary' ? 'utf8mb4' : (charsets[column] ?? 'utf8mb4'), 'a label');
    const labels = Array.from({ length: cursor.lenenc() }, () => {
      const length = cursor.lenenc();
      const at = cursor.at;
      cursor.skip(length);
      return decode(bytes, at, at + length);
    });
    return [column, labels];
  });
}

function readKey({ metadata }: TableMap): number[] | null {
  const plain = metadata.get(metadataField.primaryKey);
  if (plain !== undefined) return readNumbers(plain);
  const prefixed = metadata.get(metadataField.primaryKeyWithPrefix);
  return prefixed === undefined ? null : readNumbers(prefixed).filter((_, i) => i % 2 === 0);
}

function readNumbers(bytes: Buffer | undefined): number[] {
  if (bytes === undefined) return [];
  const cursor = over(bytes);
  const numbers: number[] = [];
  while (cursor.at < cursor.end) numbers.push(cursor.lenenc());
  return numbers;
}

function over(bytes: Buffer): Cursor {
  const cursor = new Cursor();
  cursor.set(bytes, 0, bytes.length);
  return cursor;
}
