import type { Value, Values } from '../../core/contracts.ts';
import { PackedRow, type PackedColumn } from '../../core/row.ts';
import type { ColumnType, TableSchema } from '../../core/table.ts';

/** The kinds whose values sources print. */
const textual = new Set<ColumnType['kind']>([
  ...(['int', 'bigint', 'year', 'double', 'decimal', 'char', 'varchar', 'text', 'json', 'enum'] as const),
  ...(['date', 'datetime', 'timestamp', 'time', 'uuid', 'inet4', 'inet6', 'set'] as const),
]);

/** The row as a source would hand it on that keeps it in its bytes: as text where its kind has one, else as bytes that stand for the value. */
export function packed(table: TableSchema, row: Values): PackedRow {
  const [only] = packedTogether(table, [row]);
  if (only === undefined) throw new Error('no row');
  return only;
}

/** Rows of one table that a source hands on together: equal values lie as equal bytes. */
export function packedTogether(table: TableSchema, rows: readonly Values[]): PackedRow[] {
  const known = table.columns.map(() => new Map<string, Value>());
  const columns = table.columns.map(({ type: { kind } }, i): PackedColumn => ({
    decode: (bytes, start, end) => known[i]?.get(bytes.toString('utf8', start, end)) ?? null,
    print: textual.has(kind) ? (out, bytes, start, end) => out.copy(bytes, start, end) : null,
  }));
  return rows.map((row) => {
    const pieces: Buffer[] = [];
    const fields = new Int32Array(2 * row.length + 2).fill(-1);
    let at = 0;
    for (const [i, value] of row.entries()) {
      if (value === null) continue;
      const text = textOf(value);
      known[i]?.set(text, value);
      pieces.push(Buffer.from(text));
      fields[2 * i + 2] = at;
      at += Buffer.byteLength(text);
      fields[2 * i + 3] = at;
    }
    return new PackedRow(columns, Buffer.concat(pieces), fields, 2, { file: 'binlog.000001', offset: 4 });
  });
}

function textOf(value: Value): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return Object.is(value, -0) ? '-0' : String(value);
}
