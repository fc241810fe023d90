import { LockstepError, unreachable } from '../../core/errors.ts';
import { tableSchema, type Column, type ColumnType, type TableSchema } from '../../core/table.ts';
import { columnName, parametersOf } from './envelope.ts';
import { semantic } from './fieldtype.ts';
import type { AvroField, AvroRecord, AvroType } from './parse.ts';
import { scaleOf, unitsPerSecond } from './wire.ts';

/**
 * A table as a Debezium topic's schemas tell it. The wire form decides a column's kind; the parameters of
 * `column.propagate.source.type`, where they are, add sizes and signs. KAFKA_MESSAGE for a field that cannot be read.
 */
export function foreignTable(envelope: AvroRecord, value: AvroRecord, key: AvroType | null): TableSchema {
  const { database, name } = tableName(envelope.name);
  const origin = `${database}.${name}`;
  const columns = value.fields.map((field) => foreignColumn(field, origin));
  const keyed =
    key?.type === 'record'
      ? key.fields.map((field) => columns.findIndex((column) => column.name === columnName(field)))
      : [];
  return tableSchema({ database, name, origin, columns, key: keyed.filter((index) => index >= 0) });
}

/** `prefix.database.table.Envelope`; a topic with fewer parts keeps what there is. */
function tableName(envelope: string): { database: string; name: string } {
  const parts = envelope.split('.').slice(0, -1);
  const name = parts.at(-1) ?? envelope;
  return { database: parts.at(-2) ?? name, name };
}

function foreignColumn(field: AvroField, origin: string): Column {
  const parameters = parametersOf(field);
  const branches = field.type.type === 'union' ? field.type.branches : [field.type];
  const types = branches.filter((branch) => branch.type !== 'null');
  const [type] = types;
  const name = columnName(field);
  const declared = declaredType(parameters);
  const kind = type === undefined || types.length > 1 ? null : kindOf(type, declared);
  if (kind === null || type === undefined) {
    throw new LockstepError(
      'KAFKA_MESSAGE',
      `${origin}: field ${field.name} is Avro ${type?.type ?? 'null'} ${type?.semantic ?? ''}, which is not understood`,
      {
        fix: 'leave the table out, or let its producer use one of the types that docs/04-kafka lists',
      },
    );
  }
  return {
    name,
    type: kind,
    declared: declaredText(kind, declared),
    nullable: types.length < branches.length,
    charset: null,
    generated: null,
    default: null,
    autoIncrement: false,
  };
}

function kindOf(type: AvroType, declared: Declared): ColumnType | null {
  switch (type.type) {
    case 'boolean':
      return { kind: 'boolean' };
    case 'int':
    case 'long':
      return wholeKind(type, declared);
    case 'float':
    case 'double':
      return { kind: type.type };
    case 'bytes':
    case 'fixed':
      return bytesKind(type, declared);
    case 'string':
      return textKind(type, declared);
    case 'enum':
      return { kind: 'enum', labels: type.symbols };
    case 'record':
      return type.fields.some((field) => field.name === 'wkb')
        ? { kind: 'geometry', shape: declared.name.toLowerCase() || 'geometry' }
        : null;
    case 'array':
      return type.items.type === 'float' ? { kind: 'vector', dimension: declared.length ?? 0 } : null;
    case 'map':
    case 'null':
    case 'union':
      return null;
    default:
      return unreachable(type);
  }
}

const intBits: Readonly<Record<string, 8 | 16 | 24 | 32>> = {
  TINYINT: 8,
  SMALLINT: 16,
  MEDIUMINT: 24,
  INT: 32,
  INTEGER: 32,
};

function wholeKind(type: AvroType, declared: Declared): ColumnType | null {
  if (type.semantic === semantic.year) return { kind: 'year' };
  if (
    type.semantic === semantic.date ||
    type.semantic === 'org.apache.kafka.connect.data.Date' ||
    type.logicalType === 'date'
  )
    return { kind: 'date' };
  const perSecond = unitsPerSecond(type);
  if (perSecond !== null) {
    const digits = declared.name === '' ? Math.min(6, Math.log10(perSecond)) : (declared.length ?? 0);
    return {
      kind: /\.(Micro|Nano)?Time$|^time-/.test(type.semantic || type.logicalType) ? 'time' : 'datetime',
      digits,
    };
  }
  const bits = intBits[declared.name];
  if (bits !== undefined) return { kind: 'int', bits, unsigned: declared.unsigned };
  if (type.type === 'long') return { kind: 'bigint', unsigned: declared.unsigned };
  return {
    kind: 'int',
    bits: type.connectType === 'int8' ? 8 : type.connectType === 'int16' ? 16 : 32,
    unsigned: false,
  };
}

function bytesKind(type: AvroType, declared: Declared): ColumnType {
  const scale = scaleOf(type);
  if (scale !== null) {
    if (scale === 0 && declared.name === 'BIGINT') return { kind: 'bigint', unsigned: declared.unsigned };
    const precision =
      type.precision > 0
        ? type.precision
        : Number(type.parameters['connect.decimal.precision'] ?? declared.length ?? 65);
    return { kind: 'decimal', precision, scale };
  }
  if (type.semantic === semantic.bits) return { kind: 'bit', length: Number(type.parameters['length'] ?? 64) };
  if (declared.name === 'BINARY' || declared.name === 'VARBINARY') {
    return { kind: declared.name === 'BINARY' ? 'binary' : 'varbinary', length: declared.length ?? 255 };
  }
  return { kind: 'blob' };
}

function textKind(type: AvroType, declared: Declared): ColumnType {
  if (type.semantic === semantic.zoned)
    return { kind: 'timestamp', digits: declared.name === '' ? 6 : (declared.length ?? 0) };
  if (type.semantic === semantic.json) return { kind: 'json' };
  const allowed = type.parameters['allowed'];
  if (allowed !== undefined && type.semantic === semantic.enum) return { kind: 'enum', labels: allowed.split(',') };
  if (allowed !== undefined && type.semantic === semantic.set) return { kind: 'set', labels: allowed.split(',') };
  if ((declared.name === 'CHAR' || declared.name === 'VARCHAR') && declared.length !== null) {
    return { kind: declared.name === 'CHAR' ? 'char' : 'varchar', length: declared.length };
  }
  return { kind: 'text' };
}

/** Labels are told with the type, their number of bytes with the column. */
function declaredText(type: ColumnType, declared: Declared): string {
  if (type.kind === 'enum' || type.kind === 'set') {
    return `${type.kind}(${type.labels.map((label) => `'${label.replaceAll("'", "''")}'`).join(',')})`;
  }
  return declared.text === '' ? type.kind : declared.text;
}

/** The column's type at its source, as far as the parameters tell; all empty where they do not. */
interface Declared {
  /** In capitals, without its sign and size. */
  readonly name: string;
  readonly unsigned: boolean;
  readonly length: number | null;
  readonly text: string;
}

function declaredType(parameters: Readonly<Record<string, string>>): Declared {
  const prefix = '__debezium.source.column.';
  const type = (parameters[`${prefix}type`] ?? '').toUpperCase();
  const length = parameters[`${prefix}length`];
  const scale = parameters[`${prefix}scale`];
  const unsigned = type.includes(' UNSIGNED');
  const name = type.split(' ')[0] ?? '';
  const size = length === undefined ? '' : `(${length}${scale === undefined ? '' : `,${scale}`})`;
  return {
    name,
    unsigned,
    length: length === undefined ? null : Number(length),
    text: `${name}${size}${unsigned ? ' unsigned' : ''}`.toLowerCase(),
  };
}
