import { describe, expect, it, test } from 'vitest';
import { cascadesOf } from '../../../core/cascade.ts';
import type { Change } from '../../../core/contracts.ts';
import type { ForeignKey } from '../../../core/foreign-key.ts';
import { keyWarnings } from '../../../core/key-warnings.ts';
import { Transforms } from '../../../core/transform.ts';
import { column, int, part, remove, table, text } from '../../contract/changes.ts';
import { opened } from './support.ts';

const customer = table('customer', [column('id', int), column('code', text)], ['id']);
const order = table('order', [column('note', text), column('id', int), column('customer_id', int)], ['id']);
const line = table('line', [column('id', int), column('order_id', int)], ['id']);
const key = (child: typeof order, at: number, parent: typeof order, to: number): ForeignKey => ({
  name: `${child.name}_${parent.name}`,
  child,
  columns: [at],
  parent,
  references: [to],
  onDelete: 'cascade',
  onUpdate: 'none',
});
const keys = [key(line, 1, order, 1), key(order, 2, customer, 0)];

/** What a target gets of a customer's end, beside the row itself. */
async function carried(...items: readonly unknown[]): Promise<readonly Change[]> {
  const gone = remove(customer, [7, 'x']);
  const transforms = new Transforms(await opened(...items));
  return transforms
    .batch(part([gone, ...cascadesOf(gone, keys)]))
    .batch.changes.filter(({ kind }) => kind === 'cascade');
}

const hash = { mask: { columns: ['*.id', '*.*_id'], with: 'hash', key: 'sixteen characters' } };

describe('what foreign keys change, seen through transforms', () => {
  it('is named as the target names it', async () => {
    const [cascade] = await carried({ rename: { case: 'upper' } }, { exclude: { columns: ['ORDER.NOTE'] } });
    expect(cascade).toMatchObject({ table: { name: 'ORDER' }, columns: [1], rows: [{ before: [7], after: null }] });
    expect(cascade?.kind === 'cascade' && cascade.keys).toMatchObject([
      { child: { name: 'LINE' }, columns: [1], parent: { name: 'ORDER' }, references: [0] },
      { child: { name: 'ORDER' }, columns: [1], parent: { name: 'CUSTOMER' }, references: [0] },
    ]);
  });

  it('is found under the hash that the rows have, as far as all of the way has it', async () => {
    const [whole] = await carried(hash);
    expect(whole).toMatchObject({ rows: [{ before: [expect.stringMatching(/^[0-9a-f]{64}$/)] }] });
    expect(whole?.kind === 'cascade' && whole.keys.length).toBe(2);
    const [half] = await carried({ mask: { ...hash.mask, columns: ['order.*id', 'customer.id'] } });
    expect(half?.kind === 'cascade' && half.keys.map(({ name }) => name)).toEqual(['order_customer']);
  });

  test.each([
    ['a table that is left out', { exclude: { tables: ['order'] } }],
    ['a column that is left out', { exclude: { columns: ['order.customer_id'] } }],
    ['a column that shows nothing', { mask: { columns: ['order.customer_id'], with: 'redact' } }],
  ])('goes nowhere in %s', async (_, item) => {
    expect(await carried(item)).toEqual([]);
  });

  test.each([
    ['nothing', [{ rename: { case: 'upper' } }, hash], []],
    [
      'a column that is left out',
      [{ exclude: { columns: ['order.customer_id'] } }],
      ['order_customer changes rows of shop.order'],
    ],
    [
      'a table between',
      [{ exclude: { tables: ['order'] } }],
      ['line_order carries changes of shop.order on to shop.line'],
    ],
    [
      'another hash between',
      [{ mask: { ...hash.mask, columns: ['order.id'] } }],
      ['line_order carries changes of shop.order on to shop.line'],
    ],
    [
      'rows left out between',
      [{ filter: { table: 'order', where: 'id > 3' } }],
      ['rows of shop.order that a transform leaves out'],
    ],
  ])('is named where it cannot be followed: %s', async (_, items, expected) => {
    const warnings = keyWarnings(new Transforms(await opened(...items)), keys);
    expect(warnings).toEqual(expected.map((start) => expect.stringContaining(start)));
  });
});
