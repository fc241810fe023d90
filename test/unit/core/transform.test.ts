import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change, Values, Transform } from '../../../core/contracts.ts';
import { tableSchema } from '../../../core/table.ts';
import { isRowChange, Transforms } from '../../../core/transform.ts';
import { batch, insert, marker, read, remove, truncate, update } from './memory.ts';
import { order, orders, table } from './tables.ts';

/** Leaves out drafts and the column `note`. */
const noDrafts: Transform = {
  compile(source) {
    if (source.name === 'secret') return null;
    const columns = source.columns.filter(({ name }) => name !== 'note');
    return {
      table: tableSchema({ ...source, columns }),
      row: (row) => (row[1] === 'draft' ? null : [...row.slice(0, 3), ...row.slice(4)]),
    };
  },
};
const draft: Values = [1n, 'draft', '1.00', 'n', null, 1];
const paid: Values = [1n, 'paid', '1.00', 'n', null, 1];
const target: Values = [1n, 'paid', '1.00', null, 1];

const single = (change: Change): Change | undefined =>
  new Transforms([noDrafts]).batch(batch([change])).batch.changes[0];

describe('transforms over a batch', () => {
  test.each([
    ['an update that makes a row visible is an insert', update(draft, paid), 'insert', null, target],
    ['an update that hides a row is a delete', update(paid, draft), 'delete', target, null],
    ['an update of a visible row stays one', update(paid, paid), 'update', target, target],
    ['a delete of a visible row stays one', remove(paid), 'delete', target, null],
    ['a snapshot row stays one', read(paid), 'read', null, target],
  ])('%s', (_, change, kind, before, after) => {
    expect(single(change)).toMatchObject({ kind, before, after });
  });

  test.each([
    ['insert', insert(draft)],
    ['update', update(draft, draft)],
    ['delete', remove(draft)],
    ['read', read(draft)],
    ['truncate of a table left out', truncate(table('shop.secret', orders.columns))],
  ])('a hidden %s goes nowhere', (_, change) => {
    expect(single(change)).toBeUndefined();
  });

  test('the rows read are those that go on and those that were filtered, per table', () => {
    const change = fc.oneof(
      order.map((row) => insert(row)),
      order.map((row) => read(row)),
      order.map((row) => remove(row)),
      fc.tuple(order, order).map(([a, b]) => update(a, b)),
      order.map((row) => insert(row, table('shop.secret', orders.columns))),
      fc.constant(marker('m')),
    );
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const { batch: result, counts } = new Transforms([noDrafts]).batch(batch(changes));
        for (const origin of ['shop.orders', 'shop.secret']) {
          const mine = (all: readonly Change[]): Change[] =>
            all.filter((one) => isRowChange(one) && one.table.origin === origin);
          const count = counts.tables.get(origin) ?? { read: 0, filtered: 0, copied: 0 };
          expect(count.read).toBe(mine(changes).length);
          expect(count.read - count.filtered).toBe(mine(result.changes).length);
          expect(count.copied).toBe(mine(changes).filter(({ kind }) => kind === 'read').length);
        }
        expect(result.changes.filter(({ kind }) => kind === 'marker')).toHaveLength(
          changes.filter(({ kind }) => kind === 'marker').length,
        );
      }),
    );
  });

  test('a schema change reaches the target in the target shape, and one of a table left out does not', () => {
    const wider = table('shop.orders', [
      ...orders.columns,
      ...orders.columns.slice(1, 2).map((c) => ({ ...c, name: 'x' })),
    ]);
    const at = insert(paid).at;
    const changed = single({ kind: 'schema', before: orders, after: wider, statement: 'ALTER', at });
    expect(changed?.kind === 'schema' && changed.after?.columns.map(({ name }) => name)).toEqual([
      'id',
      'status',
      'total',
      'discount',
      'items',
      'x',
    ]);
    const secret = table('shop.secret', orders.columns);
    expect(single({ kind: 'schema', before: secret, after: null, statement: 'DROP', at })).toBeUndefined();
  });

  test('without transforms changes and tables are the very same objects', () => {
    const changes = [insert(paid), marker('m')];
    const none = new Transforms([]);
    expect(none.batch(batch(changes)).batch.changes).toEqual(changes);
    expect(none.table(orders)).toBe(orders);
  });

  test('each transform sees the table the one before it made', () => {
    const seen: string[] = [];
    const suffix: Transform = {
      compile(source) {
        seen.push(source.name);
        return { table: tableSchema({ ...source, name: `${source.name}x` }), row: (row) => row };
      },
    };
    expect(new Transforms([suffix, suffix]).table(orders)?.name).toBe('ordersxx');
    expect(seen).toEqual(['orders', 'ordersx']);
  });

  test('the age of a batch is that of its newest streamed change; snapshot rows have none', () => {
    const none = new Transforms([]);
    expect(none.batch(batch([read(paid)])).counts.newestAtMs).toBeNull();
    expect(none.batch(batch([read(paid), insert(paid)])).counts.newestAtMs).toBe(insert(paid).at.committedAtMs);
  });
});
