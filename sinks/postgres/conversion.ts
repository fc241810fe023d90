import type { ColumnType } from '../../core/table.ts';

const exact = new Set<ColumnType['kind']>(['int', 'bigint', 'year', 'decimal']);
const floating = new Set<ColumnType['kind']>(['float', 'double']);
const written = new Set<ColumnType['kind']>(['char', 'varchar', 'text', 'enum']);
const binary = new Set<ColumnType['kind']>(['varbinary', 'blob']);

/**
 * The USING expression of ALTER COLUMN TYPE that gives the rows the values MySQL gave them when it changed the type, which the
 * binlog does not show. `name` is the quoted column. Null where PostgreSQL would give others, so that a person must decide.
 */
export function conversion(from: ColumnType, to: ColumnType, name: string): string | null {
  if (exact.has(from.kind)) {
    if (exact.has(to.kind) || floating.has(to.kind)) return name;
    return written.has(to.kind) ? `${name}::text` : null;
  }
  if (floating.has(from.kind)) return floating.has(to.kind) ? name : null;
  if (written.has(from.kind)) return written.has(to.kind) ? name : null;
  if (binary.has(from.kind)) return binary.has(to.kind) ? name : null;
  if (from.kind === 'binary')
    return binary.has(to.kind) || (to.kind === 'binary' && to.length === from.length) ? name : null;
  if (from.kind === 'date') return to.kind === 'datetime' ? name : null;
  if (from.kind === 'bit' && to.kind === 'bit') return bits(from.length, to.length, name);
  return from.kind === to.kind ? name : null;
}

function bits(from: number, to: number, name: string): string | null {
  if (to < from) return null;
  if (from === 1) return to === 1 ? name : `lpad(${name}::int::text, ${String(to)}, '0')::bit(${String(to)})`;
  return `lpad(${name}::text, ${String(to)}, '0')::bit(${String(to)})`;
}
