import { describe, expect, test } from 'vitest';
import { orders, table } from '../core/tables.ts';
import { compiled, opened, refusal } from './support.ts';

describe('exclude and include', () => {
  const values = [1n, 'paid', '1.00', 'hello', null, 2];

  test('exclude takes columns out of the schema and of every row', async () => {
    const { table, row } = await compiled({ exclude: { columns: ['orders.status', '*.disc*'] } }, orders);
    expect(table.columns.map(({ name }) => name)).toEqual(['id', 'total', 'note', 'items']);
    expect(row(values)).toEqual([1n, '1.00', 'hello', 2]);
  });

  test('include keeps only the named columns, and all of a table nobody names', async () => {
    const item = { include: { columns: ['shop.orders.id', 'shop.orders.items'] } };
    const kept = await compiled(item, orders);
    expect(kept.table.columns.map(({ name }) => name)).toEqual(['id', 'items']);
    expect(kept.row(values)).toEqual([1n, 2]);
    const other = table('shop.lines', orders.columns);
    expect((await compiled(item, other)).table).toBe(other);
  });

  test('the key follows its columns', async () => {
    const late = table('shop.orders', orders.columns, [5, 2]);
    const { table: result } = await compiled({ exclude: { columns: ['orders.id', 'orders.note'] } }, late);
    expect(result.key.map((i) => result.columns[i]?.name)).toEqual(['items', 'total']);
  });

  test.each([
    ['exclude', { tables: ['shop.ord*'] }, true],
    ['exclude', { tables: ['crm.*'] }, false],
    ['include', { tables: ['shop.*'] }, false],
    ['include', { tables: ['customers'] }, true],
  ])('%s %j leaves the table out: %s', async (kind, options, out) => {
    const [transform] = await opened({ [kind]: options });
    expect(transform?.compile(orders) === null).toBe(out);
  });

  test.each(['exclude', 'include'])('%s refuses to take a key column away', async (kind) => {
    const columns = kind === 'exclude' ? ['*.id'] : ['orders.total'];
    const error = await refusal(() => compiled({ [kind]: { columns } }, orders));
    expect(error.code).toBe('TRANSFORM_INVALID');
    expect(error.message).toContain('shop.orders.id');
    expect(error.fix).toContain('mask');
  });

  test('a table still goes by its name at the source after it was renamed', async () => {
    const renamed = await compiled({ rename: { tables: { 'shop.orders': 'purchases' } } }, orders);
    for (const pattern of ['orders.note', 'shop.orders.note', 'purchases.note', 'shop.purchases.note']) {
      const { table } = await compiled({ exclude: { columns: [pattern] } }, renamed.table);
      expect(table.columns.map(({ name }) => name)).not.toContain('note');
    }
  });
});
