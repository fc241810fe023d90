import { LockstepError } from '../../../core/errors.ts';
import type { ColumnType } from '../../../core/table.ts';

const ints: Readonly<Record<string, 8 | 16 | 24 | 32>> = {
  tinyint: 8,
  smallint: 16,
  mediumint: 24,
  int: 32,
  integer: 32,
};
/** By the number that the log has for each. */
export const geometryKinds = [
  'geometry',
  'point',
  'linestring',
  'polygon',
  'multipoint',
  'multilinestring',
  'multipolygon',
  'geometrycollection',
];
const geometries = [...geometryKinds, 'geomcollection'];

/**
 * A type as information_schema.COLUMNS.COLUMN_TYPE writes it (`int(10) unsigned`, `enum('a','b''c')`) as a ColumnType.
 * `charset` is the column's; BINARY-like types have none. Errors: SOURCE_TYPE_UNSUPPORTED.
 */
export function parseDeclaredType(declared: string, where: string): ColumnType {
  const match = /^([a-z0-9_]+)\s*(?:\((.*)\))?(.*)$/is.exec(declared);
  const name = match?.[1]?.toLowerCase() ?? '';
  const args = match?.[2] ?? '';
  const unsigned = /\bunsigned\b/i.test(match?.[3] ?? '');
  const size = (fallback: number): number => (args === '' ? fallback : Number(args.split(',')[0]));
  const bits = ints[name];
  if (bits !== undefined) return { kind: 'int', bits, unsigned };
  if (geometries.includes(name))
    return { kind: 'geometry', shape: name === 'geomcollection' ? 'geometrycollection' : name };
  switch (name) {
    case 'bigint':
      return { kind: 'bigint', unsigned };
    case 'decimal':
    case 'numeric':
      return { kind: 'decimal', precision: size(10), scale: Number(args.split(',')[1] ?? 0) };
    case 'float':
    case 'double':
    case 'date':
    case 'year':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return { kind: name };
    case 'real':
      return { kind: 'double' };
    case 'bit':
      return { kind: 'bit', length: size(1) };
    case 'char':
    case 'varchar':
    case 'binary':
    case 'varbinary':
      return { kind: name, length: size(1) };
    case 'tinytext':
    case 'text':
    case 'mediumtext':
    case 'longtext':
      return { kind: 'text' };
    case 'tinyblob':
    case 'blob':
    case 'mediumblob':
    case 'longblob':
      return { kind: 'blob' };
    case 'datetime':
    case 'timestamp':
    case 'time':
      return { kind: name, digits: size(0) };
    case 'enum':
    case 'set':
      return { kind: name, labels: parseLabels(args) };
    case 'vector':
      return { kind: 'vector', dimension: size(2048) };
    default:
      throw new LockstepError('SOURCE_TYPE_UNSUPPORTED', `${where} has the type ${declared}, which is not known`, {
        fix: 'leave the table out of source.tables, or report the type',
      });
  }
}

const escapes: Readonly<Record<string, string>> = { '0': '\0', n: '\n', r: '\r' };

/**
 * `'a','b''c','d\\'` → a, b'c, d\. Both servers double quotes and write backslash, U+0000 and line breaks with a backslash before them, in
 * every sql_mode. Source: sql/unireg.cc, append_unescaped.
 */
function parseLabels(args: string): string[] {
  return [...args.matchAll(/'((?:[^']|'')*)'/g)].map(([, label = '']) =>
    label.replaceAll("''", "'").replaceAll(/\\(.)/gs, (_, character: string) => escapes[character] ?? character),
  );
}
