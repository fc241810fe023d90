import type { Value, Values } from '../../core/contracts.ts';
import { PackedRow, type PackedColumn } from '../../core/row.ts';
import type { ColumnType, TableSchema } from '../../core/table.ts';

/** The kinds whose values sources print. */
const textual = new Set<ColumnType['kind']>([
  ...(['int', 'bigint', 'year', 'double', 'decimal', 'char', 'varchar', 'text', 'json', 'enum'] as const),
  ...(['date', 'datetime', 'timestamp', 'time', 'uuid', 'inet4', 'inet6', 'set'] as const),
]);

/** The row as a source would hand it on that keeps it in its bytes: as text where its kind has one, else as a place that stands for the value. */
export function packed(table: TableSchema, row: Values): PackedRow {
  const pieces: Buffer[] = [];
  const fields = new Int32Array(2 * row.length + 2).fill(-1);
  let at = 0;
  const columns = row.map((value, i): PackedColumn => {
    const kind = table.columns[i]?.type.kind;
    const isText = kind !== undefined && textual.has(kind);
    if (value !== null) {
      const bytes = Buffer.from(isText ? textOf(value) : '?');
      pieces.push(bytes);
      fields[2 * i + 2] = at;
      at += bytes.length;
      fields[2 * i + 3] = at;
    }
    return {
      decode: () => value,
      print: isText ? (out, bytes, start, end) => out.copy(bytes, start, end) : null,
    };
  });
  return new PackedRow(columns, Buffer.concat(pieces), fields, 2, { file: 'binlog.000001', offset: 4 });
}

function textOf(value: Value): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
