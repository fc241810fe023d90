import { unreachable } from '../../core/errors.ts';
import type { Column, ColumnType } from '../../core/table.ts';
import { quoteText } from './sql.ts';

/**
 * The PostgreSQL type of a column's type, spelled as `format_type()` spells it. Every value of the source's type fits.
 * `geometry` is the quoted name of PostGIS's type, null where the extension is not there.
 */
export function targetType(type: ColumnType, geometry: string | null): string {
  switch (type.kind) {
    case 'int':
      return integerType(type.bits, type.unsigned);
    case 'bigint':
      return type.unsigned ? 'numeric(20,0)' : 'bigint';
    case 'decimal':
      return `numeric(${String(type.precision)},${String(type.scale)})`;
    case 'float':
      return 'real';
    case 'double':
      return 'double precision';
    case 'boolean':
      return 'boolean';
    case 'bit':
      return type.length === 1 ? 'boolean' : `bit(${String(type.length)})`;
    case 'char':
    case 'varchar':
      return `character varying(${String(Math.max(1, type.length))})`;
    case 'text':
    case 'enum':
      return 'text';
    case 'set':
      return 'text[]';
    case 'binary':
    case 'varbinary':
    case 'blob':
      return 'bytea';
    case 'date':
      return 'date';
    case 'year':
      return 'smallint';
    case 'datetime':
      return `timestamp(${String(type.digits)}) without time zone`;
    case 'timestamp':
      return `timestamp(${String(type.digits)}) with time zone`;
    case 'time':
      return 'interval';
    case 'json':
      return 'jsonb';
    case 'geometry':
      return geometry ?? 'bytea';
    case 'vector':
      return 'real[]';
    case 'uuid':
      return 'uuid';
    case 'inet4':
    case 'inet6':
      return 'inet';
    default:
      return unreachable(type);
  }
}

/** The smallest integer type that holds every value. */
function integerType(bits: number, unsigned: boolean): string {
  const needed = unsigned ? bits + 1 : bits;
  if (needed <= 16) return 'smallint';
  return needed <= 32 ? 'integer' : 'bigint';
}

/** The condition that keeps an enum's or a set's column to its labels (`''` is MySQL's enum index 0); null for other types. */
export function labelCheck(column: Column, name: string): string | null {
  if (column.type.kind !== 'enum' && column.type.kind !== 'set') return null;
  const labels = column.type.labels.map(quoteText);
  if (column.type.kind === 'set') return `${name} <@ ARRAY[${labels.join(', ')}]::text[]`;
  return `${name} IN (${[...new Set(["''", ...labels])].join(', ')})`;
}

/** Whether the target's type can be an identity column, which is how AUTO_INCREMENT is kept. */
export function canBeIdentity(type: string): boolean {
  return type === 'smallint' || type === 'integer' || type === 'bigint';
}
