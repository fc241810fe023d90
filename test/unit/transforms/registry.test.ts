import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CompiledTransform, Values, Transform } from '../../../core/contracts.ts';
import type { TableSchema } from '../../../core/table.ts';
import { Transforms } from '../../../core/transform.ts';
import { openTransforms, transformSchema, unmatched } from '../../../transforms/registry.ts';
import { copyOf, order, orders } from '../core/tables.ts';
import { opened } from './support.ts';

const key = 'a key for these tests';
const items = [
  { rename: { tables: { 'shop.orders': 'purchases' }, columns: { 'orders.items': 'count' } } },
  { rename: { case: 'camel' } },
  { exclude: { columns: ['orders.note'] } },
  { include: { columns: ['purchases.id', 'purchases.total', 'purchases.status', 'purchases.count'] } },
  { filter: { table: 'shop.orders', where: 'total > 10.0' } },
  { mask: { columns: ['orders.id'], with: 'hash', key } },
  { mask: { columns: ['orders.status'], with: 'redact' } },
  { mask: { columns: ['orders.status'], with: 'partial', keep: 2 } },
  { route: { tables: { 'shop.*': 'sales' } } },
  { script: { module: './upper.ts' } },
  { script: { module: './changes-its-row.js' } },
];

describe('transforms', () => {
  test('the list of the documentation works as one', async () => {
    const transforms = new Transforms(await opened(...items.slice(0, 6), { route: { tables: { 'shop.*': 'sales' } } }));
    const table = transforms.table(orders);
    expect(`${table?.database}.${table?.name}`).toBe('sales.purchases');
    expect(table?.columns.map((column) => `${column.name} ${column.declared}`)).toEqual([
      'id varchar(64)',
      'status varchar',
      'total decimal',
      'count int',
    ]);
  });

  test('none ever changes the row it is given, and every row out is as long as its schema', async () => {
    const transforms = await opened(...items);
    fc.assert(
      fc.property(order, fc.shuffledSubarray(transforms), (row, some) => {
        const before = copyOf(row);
        const steps = compileInTurn(some, orders);
        let current: Values | null = row;
        for (const step of steps) {
          current = current === null ? null : step.row(current);
          expect(current?.length ?? step.table.columns.length).toBe(step.table.columns.length);
        }
        expect(row).toEqual(before);
        expect(steps.every(({ table }) => table.origin === 'shop.orders')).toBe(true);
      }),
    );
  });

  test.each([
    [{}, 'one transform per list item'],
    [{ rename: { case: 'snake' }, route: { tables: { a: 'b' } } }, 'one transform per list item'],
    [{ renam: {} }, 'renam'],
    [{ rename: { table: {} } }, 'table'],
    [{ rename: {} }, 'expected tables, columns or case'],
    [{ rename: { tables: { 'shop.*': 'x' } } }, 'without *'],
    [{ rename: { tables: { 'shop.a': 'sales.a' } } }, 'route'],
    [{ exclude: { columns: ['secret'] } }, 'table.column'],
    [{ mask: { columns: ['a.b'], with: 'hash', key: 'short' } }, 'at least 16 characters'],
    [{ mask: { columns: ['a.b'], with: 'shuffle' } }, 'with'],
    [{ script: { module: './x.py' } }, '.ts'],
  ])('the config refuses %j', (item, problem) => {
    const result = transformSchema.safeParse(item);
    expect(result.success).toBe(false);
    expect(JSON.stringify(result.error?.issues)).toContain(problem);
  });

  test('a pattern that matches nothing is reported, one that an earlier rename makes right is not', async () => {
    const list = [
      { rename: { tables: { 'shop.orders': 'purchases' }, columns: { 'orders.items': 'count' } } },
      { exclude: { columns: ['purchases.count', 'orders.item'] } },
      { mask: { columns: ['custmers.email'], with: 'redact' } },
      { route: { tables: { 'crm.*': 'x' } } },
      { filter: { table: 'shop.purchases', where: 'total > 1.0' } },
    ].map((item) => transformSchema.parse(item));
    await openTransforms(list, { baseDir: '.' });
    expect(unmatched(list, [orders])).toEqual([
      'transforms[1].exclude: orders.item matches no column',
      'transforms[2].mask: custmers.email matches no column',
      'transforms[3].route: crm.* matches no table',
    ]);
  });

  test('columns that a script may have made are not reported', () => {
    const list = [{ script: { module: './upper.ts' } }, { exclude: { columns: ['orders.loud'] } }];
    expect(
      unmatched(
        list.map((item) => transformSchema.parse(item)),
        [orders],
      ),
    ).toEqual([]);
  });
});

/** In some orders an earlier transform takes away what a later one needs: that one is left out, for the list would not start. */
function compileInTurn(transforms: readonly Transform[], source: TableSchema): CompiledTransform[] {
  let table = source;
  return transforms.flatMap((transform) => {
    try {
      const compiled = transform.compile(table);
      table = compiled?.table ?? table;
      return compiled ?? [];
    } catch {
      return [];
    }
  });
}
