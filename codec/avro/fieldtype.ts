import { unreachable } from '../../core/errors.ts';
import type { Column, ColumnType } from '../../core/table.ts';

/** An Avro type as JSON, with the attributes by which Connect's AvroConverter keeps what Avro itself cannot say. */
export type TypeJson = string | { readonly [attribute: string]: unknown };

/** Semantic types of Debezium and Connect (`connect.name`), by what a column of ours becomes. */
export const semantic = {
  date: 'io.debezium.time.Date',
  millis: 'io.debezium.time.Timestamp',
  micros: 'io.debezium.time.MicroTimestamp',
  zoned: 'io.debezium.time.ZonedTimestamp',
  time: 'io.debezium.time.MicroTime',
  year: 'io.debezium.time.Year',
  json: 'io.debezium.data.Json',
  enum: 'io.debezium.data.Enum',
  set: 'io.debezium.data.EnumSet',
  bits: 'io.debezium.data.Bits',
  vector: 'io.debezium.data.FloatVector',
  geometry: 'io.debezium.data.geometry.Geometry',
  decimal: 'org.apache.kafka.connect.data.Decimal',
} as const;

/** The type of a column's values, without its nullability. Sources: Debezium's MySQL connector, "Data type mappings"; Confluent's AvroData. */
export function typeOf(column: Column): { readonly [attribute: string]: unknown } {
  const parameters = sourceParameters(column);
  const { type } = column;
  const plain = (avro: string, connectType?: string): TypeJson & object => ({
    type: avro,
    'connect.parameters': parameters,
    ...(connectType === undefined ? {} : { 'connect.type': connectType }),
  });
  const named = (avro: string, name: string, own: Record<string, string> = {}): TypeJson & object => ({
    type: avro,
    'connect.version': 1,
    'connect.parameters': { ...own, ...parameters },
    'connect.name': name,
  });
  switch (type.kind) {
    case 'int':
      if (type.unsigned && type.bits === 32) return plain('long');
      return type.bits < 16 || (type.bits === 16 && !type.unsigned) ? plain('int', 'int16') : plain('int');
    case 'bigint':
      return type.unsigned ? decimal(20, 0, parameters) : plain('long');
    case 'decimal':
      return decimal(type.precision, type.scale, parameters);
    case 'float':
    case 'double':
    case 'boolean':
      return plain(type.kind);
    case 'bit':
      return type.length === 1 ? plain('boolean') : named('bytes', semantic.bits, { length: String(type.length) });
    case 'char':
    case 'varchar':
    case 'text':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return plain('string');
    case 'binary':
    case 'varbinary':
    case 'blob':
      return plain('bytes');
    case 'date':
      return named('int', semantic.date);
    case 'year':
      return named('int', semantic.year);
    case 'datetime':
      return named('long', type.digits > 3 ? semantic.micros : semantic.millis);
    case 'timestamp':
      return named('string', semantic.zoned);
    case 'time':
      return named('long', semantic.time);
    case 'enum':
      return named('string', semantic.enum, { allowed: type.labels.join(',') });
    case 'set':
      return named('string', semantic.set, { allowed: type.labels.join(',') });
    case 'json':
      return named('string', semantic.json);
    case 'geometry':
      return geometry;
    case 'vector':
      return {
        type: 'array',
        items: 'float',
        'connect.version': 1,
        'connect.parameters': parameters,
        'connect.name': semantic.vector,
      };
    default:
      return unreachable(type);
  }
}

/** A record has its name once in a schema, so that no column's parameters can be part of it: they stand at the field. */
const geometry = {
  type: 'record',
  name: 'Geometry',
  namespace: 'io.debezium.data.geometry',
  fields: [
    { name: 'wkb', type: 'bytes' },
    { name: 'srid', type: ['null', 'int'], default: null },
  ],
  'connect.doc': 'Geometry',
  'connect.version': 1,
  'connect.name': semantic.geometry,
};

function decimal(precision: number, scale: number, parameters: Readonly<Record<string, string>>): TypeJson & object {
  return {
    type: 'bytes',
    scale,
    precision,
    'connect.version': 1,
    'connect.parameters': { scale: String(scale), 'connect.decimal.precision': String(precision), ...parameters },
    'connect.name': semantic.decimal,
    logicalType: 'decimal',
  };
}

/** What Debezium's `column.propagate.source.type` adds: the declared type in parts, and the column's own name. */
export function sourceParameters(column: Column): Readonly<Record<string, string>> {
  const [, name = '', args = '', rest = ''] =
    /^\s*([A-Za-z0-9_ ]*[A-Za-z0-9_])\s*(?:\((.*)\))?(.*)$/s.exec(column.declared) ?? [];
  const [length, scale] = listLength(column.type) ?? args.split(',');
  const prefix = '__debezium.source.column.';
  return {
    [`${prefix}type`]: `${name}${/\bunsigned\b/i.test(rest) ? ' UNSIGNED' : ''}`.toUpperCase(),
    ...(length === undefined || length === '' ? {} : { [`${prefix}length`]: length.trim() }),
    ...(scale === undefined ? {} : { [`${prefix}scale`]: scale.trim() }),
    [`${prefix}name`]: column.name,
  };
}

/** Debezium counts the characters of the indexes: 1 for an enum, one and a comma for each label of a set. */
function listLength(type: ColumnType): readonly [string] | null {
  if (type.kind === 'enum') return ['1'];
  return type.kind === 'set' ? [String(Math.max(0, type.labels.length * 2 - 1))] : null;
}
