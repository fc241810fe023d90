import * as fc from 'fast-check';
import type { Values, Value } from '../../../core/contracts.ts';
import { type Column, type ColumnType, type TableSchema, tableSchema } from '../../../core/table.ts';

export function column(name: string, type: ColumnType, parts: Partial<Column> = {}): Column {
  return {
    name,
    type,
    declared: type.kind,
    nullable: false,
    charset: null,
    generated: null,
    default: null,
    autoIncrement: false,
    ...parts,
  };
}

export const bigint: ColumnType = { kind: 'bigint', unsigned: true };
export const int: ColumnType = { kind: 'int', bits: 32, unsigned: false };
export const text: ColumnType = { kind: 'varchar', length: 40 };
export const money: ColumnType = { kind: 'decimal', precision: 12, scale: 2 };

export function table(origin: string, columns: readonly Column[], key: readonly number[] = [0]): TableSchema {
  const [database = '', name = ''] = origin.split('.');
  return tableSchema({ database, name, origin, columns, key });
}

export const orders = table('shop.orders', [
  column('id', bigint),
  column('status', text),
  column('total', money),
  column('note', { kind: 'text' }, { nullable: true }),
  column('discount', money, { nullable: true }),
  column('items', int),
]);

export const order: fc.Arbitrary<Values> = fc.tuple(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom('draft', 'paid', 'shipped'),
  decimalText(),
  fc.option(fc.string({ maxLength: 12 }), { nil: null }),
  fc.option(decimalText(), { nil: null }),
  fc.integer({ min: -5, max: 5 }),
);

function decimalText(): fc.Arbitrary<string> {
  return fc.integer({ min: -5000, max: 5000 }).map((cents) => {
    const digits = String(Math.abs(cents)).padStart(3, '0');
    return `${cents < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
  });
}

/** A copy that shares nothing, to see whether somebody changed the original. */
export function copyOf(row: Values): Value[] {
  return row.map((value) => (value instanceof Uint8Array ? value.slice() : value));
}
