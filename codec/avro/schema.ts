import type { Column, TableSchema } from '../../core/table.ts';
import { avroDefault } from './defaults.ts';
import { semantic, sourceParameters, typeOf, type TypeJson } from './fieldtype.ts';
import { avroNamespace, fieldNames } from './names.ts';

interface FieldJson {
  readonly name: string;
  readonly type: unknown;
  readonly [attribute: string]: unknown;
}

/** The Avro schema (JSON text) of a table's keys on `topic`: `<topic>.Key` of the key columns; null for a table without a key. */
export function keySchema(table: TableSchema, topic: string): string | null {
  if (table.key.length === 0) return null;
  const fields = columnFields(table);
  const namespace = avroNamespace(topic);
  return JSON.stringify({
    type: 'record',
    name: 'Key',
    namespace,
    fields: table.key.map((index) => keyField(fields[index])),
    'connect.name': `${namespace}.Key`,
  });
}

/**
 * The Avro schema (JSON text) of a table's values on `topic`: Debezium's envelope `<topic>.Envelope` as Connect's AvroConverter writes
 * it. Its record `Value` carries the attribute `lockstep`, the whole TableSchema.
 */
export function valueSchema(table: TableSchema, topic: string): string {
  const namespace = avroNamespace(topic);
  const value = {
    type: 'record',
    name: 'Value',
    fields: columnFields(table),
    lockstep: table,
    'connect.name': `${namespace}.Value`,
  };
  return JSON.stringify({
    type: 'record',
    name: 'Envelope',
    namespace,
    fields: [
      optional('before', value),
      optional('after', 'Value'),
      { name: 'source', type: source },
      optional('transaction', transaction),
      { name: 'op', type: 'string' },
      optional('ts_ms', 'long'),
      optional('ts_us', 'long'),
      optional('ts_ns', 'long'),
    ],
    'connect.version': 2,
    'connect.name': `${namespace}.Envelope`,
  });
}

/** The Avro schema (JSON text) of the keys of markers, truncates and schema changes, which have no row's key. */
export function markerKeySchema(): string {
  return JSON.stringify({ type: 'record', name: 'LockstepMarker', fields: [{ name: 'token', type: 'string' }] });
}

function optional(name: string, type: TypeJson): FieldJson {
  return { name, type: ['null', type], default: null };
}

function columnFields(table: TableSchema): FieldJson[] {
  const names = fieldNames(table.columns);
  let hasGeometry = false;
  return table.columns.map((column, index) => {
    const field = columnField(column, names[index] ?? column.name, hasGeometry, table.key.includes(index));
    hasGeometry ||= column.type.kind === 'geometry';
    return field;
  });
}

/** A name that Avro forbids is kept in `lockstep`; a geometry's parameters stand at the field, for its type is shared. */
function columnField(column: Column, name: string, geometryKnown: boolean, inKey: boolean): FieldJson {
  const isGeometry = column.type.kind === 'geometry';
  const type = isGeometry && geometryKnown ? semantic.geometry : typeOf(column);
  const attributes = {
    ...(name === column.name ? {} : { lockstep: { name: column.name } }),
    ...(isGeometry ? { 'connect.parameters': sourceParameters(column) } : {}),
  };
  if (column.nullable) return { ...optional(name, type), ...attributes };
  const fallback = inKey ? undefined : avroDefault(column);
  return { name, type, ...(fallback === undefined ? {} : { default: fallback }), ...attributes };
}

function keyField(field: FieldJson | undefined): FieldJson {
  return field ?? { name: 'missing', type: 'null' };
}

/** The source block of Debezium 3.x's MySQL connector. */
const source = {
  type: 'record',
  name: 'Source',
  namespace: 'io.debezium.connector.mysql',
  fields: [
    { name: 'version', type: 'string' },
    { name: 'connector', type: 'string' },
    { name: 'name', type: 'string' },
    { name: 'ts_ms', type: 'long' },
    {
      name: 'snapshot',
      type: [
        {
          type: 'string',
          'connect.version': 1,
          'connect.parameters': {
            allowed: 'true,first,first_in_data_collection,last_in_data_collection,last,false,incremental',
          },
          'connect.default': 'false',
          'connect.name': semantic.enum,
        },
        'null',
      ],
      default: 'false',
    },
    { name: 'db', type: 'string' },
    optional('sequence', 'string'),
    optional('ts_us', 'long'),
    optional('ts_ns', 'long'),
    optional('table', 'string'),
    { name: 'server_id', type: 'long' },
    optional('gtid', 'string'),
    { name: 'file', type: 'string' },
    { name: 'pos', type: 'long' },
    { name: 'row', type: 'int' },
    optional('thread', 'long'),
    optional('query', 'string'),
  ],
  'connect.version': 1,
  'connect.name': 'io.debezium.connector.mysql.Source',
};

const transaction = {
  type: 'record',
  name: 'block',
  namespace: 'event',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'total_order', type: 'long' },
    { name: 'data_collection_order', type: 'long' },
  ],
  'connect.version': 1,
  'connect.name': 'event.block',
};
