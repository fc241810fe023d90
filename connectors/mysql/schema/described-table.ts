import { unreachable } from '../../../core/errors.ts';
import { tableSchema, type Column, type ColumnType, type TableSchema } from '../../../core/table.ts';
import { wire, type TableMap, type WireColumn } from '../binlog/table-map.ts';
import type { Collations } from './collations.ts';
import { readMetadata, type Metadata } from './metadata.ts';

/** What is needed to understand a TABLE_MAP beyond itself. */
export interface Understanding {
  readonly flavour: 'mysql' | 'mariadb';
  readonly collations: Collations;
}

/**
 * The table as the log itself describes it right before its rows, where that goes beyond or against what is known: types, lengths, NULLs,
 * and, as far as binlog_row_metadata goes, signs, character sets, labels, the order of names, the primary key. What the log never says
 * (defaults, what is generated) stays as it is known. The same object where nothing is new; also where the two contradict each other so
 * far that rows cannot be read, which is found when they are.
 */
export function describedTable(map: TableMap, known: TableSchema, understanding: Understanding): TableSchema {
  const ordered = inLoggedOrder(map, known);
  if (ordered === null) return known;
  const metadata = readMetadata(map, understanding.flavour, understanding.collations);
  const columns = ordered.map((column, i) => {
    const laid = map.columns[i];
    return laid === undefined ? column : describedColumn(laid, i, column, map, metadata, understanding.collations);
  });
  const key = describedKey(columns, known, metadata);
  const same = columns.every((column, i) => column === known.columns[i]) && key.join() === known.key.join();
  return same ? known : tableSchema({ ...known, columns, key });
}

/** The known columns in the log's order; null where it has others. */
function inLoggedOrder({ columns, names }: TableMap, known: TableSchema): readonly Column[] | null {
  if (columns.length !== known.columns.length) return null;
  if (names === null || known.columns.every(({ name }, i) => name === names[i])) return known.columns;
  const byName = new Map(known.columns.map((column) => [column.name, column]));
  const found = names.flatMap((name) => byName.get(name) ?? []);
  return found.length === columns.length ? found : null;
}

/** The primary key where the log names one; else what stands in for it, unless that may be NULL now. */
function describedKey(columns: readonly Column[], known: TableSchema, { primaryKey }: Metadata): readonly number[] {
  if (primaryKey !== null) return primaryKey;
  const key = known.key.map((index) => columns.findIndex(({ name }) => name === known.columns[index]?.name));
  return key.some((index) => columns[index]?.nullable !== false) ? [] : key;
}

function describedColumn(
  laid: WireColumn,
  at: number,
  known: Column,
  map: TableMap,
  metadata: Metadata,
  collations: Collations,
): Column {
  const logged = metadata.charsets[at] ?? null;
  const charset = logged ?? known.charset ?? (isText(known.type) ? null : 'binary');
  const nullable = map.nullable[at] ?? known.nullable;
  const type = typeOf(laid, known, {
    charset,
    longest: charset === null ? null : collations.longest(charset),
    unsigned: metadata.unsigned[at] ?? null,
    labels: metadata.labels[at] ?? null,
    shape: metadata.shapes[at] ?? null,
  });
  const retyped = type !== null && !agree(known.type, type, laid);
  const recoded = logged !== null && known.charset !== null && logged !== known.charset && logged !== 'binary';
  if (!retyped && !recoded && nullable === known.nullable) return known;
  if (!retyped) return { ...known, nullable, charset: recoded ? logged : known.charset };
  return { ...known, nullable, type, declared: declarationOf(type), charset: isText(type) ? charset : null };
}

interface Extra {
  /** `binary` for bytes; null where nothing says. */
  readonly charset: string | null;
  readonly longest: number | null;
  readonly unsigned: boolean | null;
  readonly labels: readonly string[] | null;
  readonly shape: string | null;
}

/** The type that lies in the log like this; null where many could and the known one has to do. */
function typeOf(laid: WireColumn, known: Column, extra: Extra): ColumnType | null {
  const unsigned = extra.unsigned ?? ('unsigned' in known.type && known.type.unsigned);
  const text = extra.charset !== null && extra.charset !== 'binary';
  switch (laid.type) {
    case wire.tiny:
      return { kind: 'int', bits: 8, unsigned };
    case wire.short:
      return { kind: 'int', bits: 16, unsigned };
    case wire.int24:
      return { kind: 'int', bits: 24, unsigned };
    case wire.long:
      return { kind: 'int', bits: 32, unsigned };
    case wire.longlong:
      return { kind: 'bigint', unsigned };
    case wire.newdecimal:
      return { kind: 'decimal', precision: laid.meta & 0xff, scale: laid.meta >> 8 };
    case wire.float:
      return { kind: 'float' };
    case wire.double:
      return { kind: 'double' };
    case wire.year:
      return { kind: 'year' };
    case wire.bit:
      return { kind: 'bit', length: (laid.meta >> 8) * 8 + (laid.meta & 0xff) };
    case wire.date:
    case wire.newdate:
      return { kind: 'date' };
    case wire.time:
    case wire.time2:
      return temporal('time', laid.type === wire.time2 ? laid.meta : null, known.type);
    case wire.datetime:
    case wire.datetime2:
      return temporal('datetime', laid.type === wire.datetime2 ? laid.meta : null, known.type);
    case wire.timestamp:
    case wire.timestamp2:
      return temporal('timestamp', laid.type === wire.timestamp2 ? laid.meta : null, known.type);
    case wire.varchar:
    case wire.varString:
    case wire.varcharCompressed: {
      if (extra.longest === null) return null;
      // A compressed value has a byte of method before it.
      const bytes = laid.type === wire.varcharCompressed ? laid.meta - 1 : laid.meta;
      return text
        ? { kind: 'varchar', length: Math.floor(bytes / extra.longest) }
        : { kind: 'varbinary', length: bytes };
    }
    case wire.string:
      if (extra.longest === null) return null;
      return text
        ? { kind: 'char', length: Math.floor(laid.meta / extra.longest) }
        : { kind: 'binary', length: laid.meta };
    case wire.blob:
    case wire.blobCompressed:
      return extra.charset === null ? null : { kind: text ? 'text' : 'blob' };
    case wire.enum:
    case wire.set: {
      const kind = laid.type === wire.enum ? 'enum' : 'set';
      return extra.labels === null ? null : { kind, labels: extra.labels };
    }
    case wire.json:
      return { kind: 'json' };
    case wire.geometry:
      return extra.shape === null ? null : { kind: 'geometry', shape: extra.shape };
    default:
      return null;
  }
}

/** The log does not say how many digits MariaDB's older format has. */
function temporal(kind: 'time' | 'datetime' | 'timestamp', digits: number | null, known: ColumnType): ColumnType {
  return { kind, digits: digits ?? ('digits' in known ? known.digits : 0) };
}

/** Types that the log cannot tell apart agree. */
function agree(known: ColumnType, logged: ColumnType, laid: WireColumn): boolean {
  if (known.kind === 'uuid' || known.kind === 'inet6') return logged.kind === 'binary' && laid.meta === 16;
  if (known.kind === 'inet4') return logged.kind === 'binary' && laid.meta === 4;
  if (known.kind === 'json') return logged.kind === 'json' || logged.kind === 'text';
  if (known.kind === 'vector') return logged.kind === 'varbinary' || logged.kind === 'blob';
  return JSON.stringify(sorted(known)) === JSON.stringify(sorted(logged));
}

function sorted(type: ColumnType): readonly (readonly [string, unknown])[] {
  return Object.entries(type).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function isText({ kind }: ColumnType): boolean {
  return ['char', 'varchar', 'text', 'enum', 'set'].includes(kind);
}

const integers: Readonly<Record<number, string>> = { 8: 'tinyint', 16: 'smallint', 24: 'mediumint', 32: 'int' };

/** A type as information_schema would write it. */
function declarationOf(type: ColumnType): string {
  switch (type.kind) {
    case 'int':
      return `${integers[type.bits] ?? 'int'}${type.unsigned ? ' unsigned' : ''}`;
    case 'bigint':
      return `bigint${type.unsigned ? ' unsigned' : ''}`;
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`;
    case 'bit':
    case 'char':
    case 'varchar':
    case 'binary':
    case 'varbinary':
      return `${type.kind}(${type.length})`;
    case 'datetime':
    case 'timestamp':
    case 'time':
      return type.digits === 0 ? type.kind : `${type.kind}(${type.digits})`;
    case 'enum':
    case 'set':
      return `${type.kind}(${type.labels.map((label) => `'${label.replaceAll("'", "''")}'`).join(',')})`;
    case 'vector':
      return `vector(${type.dimension})`;
    case 'geometry':
      return type.shape;
    case 'float':
    case 'double':
    case 'boolean':
    case 'text':
    case 'blob':
    case 'date':
    case 'year':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return type.kind;
    default:
      return unreachable(type);
  }
}
