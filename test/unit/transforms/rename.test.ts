import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { column, int, orders, table, text } from '../core/tables.ts';
import { compiled, refusal } from './support.ts';

describe('rename', () => {
  test('gives tables and columns their new names and keeps origin, key and rows', async () => {
    const { table, row } = await compiled(
      { rename: { tables: { 'shop.orders': 'purchases' }, columns: { 'orders.id': 'purchase_id' } } },
      orders,
    );
    expect(table.name).toBe('purchases');
    expect(table.origin).toBe('shop.orders');
    expect(table.key).toEqual([0]);
    expect(table.columns.map(({ name }) => name)).toEqual([
      'purchase_id',
      'status',
      'total',
      'note',
      'discount',
      'items',
    ]);
    expect(table.fingerprint).not.toBe(orders.fingerprint);
    const values = [1n, 'paid', '1.00', null, null, 2];
    expect(row(values)).toEqual(values);
  });

  test('leaves tables of the same name in another database alone', async () => {
    const { table } = await compiled(
      { rename: { tables: { 'crm.orders': 'x' }, columns: { 'crm.orders.id': 'y' } } },
      orders,
    );
    expect(table).toEqual(orders);
  });

  test.each([
    ['snake', 'customerID', 'customer_id'],
    ['snake', 'HTTPStatusCode', 'http_status_code'],
    ['snake', 'Line 2', 'line_2'],
    ['snake', '_id', '_id'],
    ['camel', 'order_line_2', 'orderLine2'],
    ['camel', 'ORDER_ID', 'orderId'],
    ['camel', 'größe_in_cm', 'größeInCm'],
    ['lower', 'OrderID', 'orderid'],
    ['upper', 'order_id', 'ORDER_ID'],
  ])('writes in %s case: %s as %s', async (style, from, to) => {
    const { table: renamed } = await compiled({ rename: { case: style } }, table(`shop.${from}`, [column(from, int)]));
    expect([renamed.name, renamed.columns[0]?.name]).toEqual([to, to]);
  });

  test('a name given in full wins over the case', async () => {
    const { table: renamed } = await compiled(
      { rename: { case: 'snake', columns: { '*.customerID': 'CustomerKey' } } },
      table('shop.Orders', [column('customerID', int), column('lineNo', int)]),
    );
    expect(renamed.columns.map(({ name }) => name)).toEqual(['CustomerKey', 'line_no']);
  });

  test('refuses two columns that would have one name', async () => {
    const twins = table('shop.t', [column('userId', int), column('user_id', int)]);
    const error = await refusal(() => compiled({ rename: { case: 'snake' } }, twins));
    expect(error.code).toBe('TRANSFORM_INVALID');
    expect(error.message).toBe('transforms[0].rename: userId and user_id of shop.t would both be called user_id');
    expect(error.fix).not.toBe('');
  });

  test('renaming there and back gives the table it was', async () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { minLength: 4, maxLength: 4 }),
        async ([a = '', b = '', c = '', d = '']) => {
          const before = table(`shop.${a}`, [column(b, int), column('other column', text)]);
          const there = await compiled(
            { rename: { tables: { [`shop.${a}`]: c }, columns: { [`${a}.${b}`]: d } } },
            before,
          );
          const back = await compiled(
            { rename: { tables: { [`shop.${c}`]: a }, columns: { [`${c}.${d}`]: b } } },
            there.table,
          );
          expect(back.table).toEqual(before);
        },
      ),
      { numRuns: 50 },
    );
  });
});
