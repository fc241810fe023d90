import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Values } from '../../../core/contracts.ts';
import { order, orders, table } from '../core/tables.ts';
import { compiled, refusal } from './support.ts';

const where = (expression: string): unknown => ({ filter: { table: 'shop.orders', where: expression } });
const paid: Values = [18446744073709551615n, 'paid', '10.10', 'hello', '0.10', 3];
const bare: Values = [1n, 'draft', '10.00', null, null, -1];

describe('filter', () => {
  test.each([
    ["status != 'draft' && total > 10.0", true, false],
    ['id == 18446744073709551615', true, false],
    ['id > 9223372036854775807', true, false],
    ['items * 2 + 1 > 0', true, false],
    ['total == 10.1', true, false],
    ['total in [10.1, 99.0]', true, false],
    ['total - 10 == 0.10', true, false],
    ["total > decimal('10.099999999999999999999999')", true, false],
    ["total * total == decimal('102.01')", true, false],
    ['-total < -10.05', true, false],
    ['double(total) / 3.0 > 3.35', true, false],
    ['discount == 0.1', true, false],
    ['discount in [0.1]', true, false],
    ['discount != null && discount < 1', true, false],
    ['discount == null || discount > 1', false, true],
    ['discount == null ? items < 0 : discount < 1', true, true],
    ['!(note == null) && note.size() > 2', true, false],
    ["note == 'hello'", true, false],
    ["note != 'hello'", false, true],
    ["status.matches('^p.+d$') || note == null", true, true],
    ["status in ['paid', 'shipped']", true, false],
  ])('%s', async (expression, first, second) => {
    const { row } = await compiled(where(expression), orders);
    expect([row(paid) !== null, row(bare) !== null]).toEqual([first, second]);
  });

  test.each([
    ['status >', 'no CEL expression'],
    ['stat == 1', 'Unknown variable: stat'],
    ['status == 1', 'string == int'],
    ['note == 1', 'string == int'],
    ['total', 'not true or false'],
    ['discount > 1.0', 'discount can be NULL'],
    ['discount > 1.0 && discount != null', 'discount can be NULL'],
    ['discount != null || discount > 1.0', 'discount can be NULL'],
    ['note.startsWith("a")', 'note can be NULL'],
    ["['a', 'b'].exists(x, note.startsWith(x))", 'note can be NULL'],
    ['total > 0.10000000000000000001', 'more digits than a double holds'],
  ])('refuses %s before anything moves', async (expression, problem) => {
    const error = await refusal(() => compiled(where(expression), orders));
    expect(error.code).toBe('TRANSFORM_INVALID');
    expect(error.message).toContain(problem);
    expect(error.fix).not.toBe('');
  });

  test('an expression without a result stops with the table and the reason and no value', async () => {
    const { row } = await compiled(where('id + 1 > 0'), orders);
    const error = await refusal(() => row(paid));
    expect(error.code).toBe('TRANSFORM_FAILED');
    expect(error.message).toBe('transforms[0].filter has no result for a row of shop.orders: numeric_overflow');
  });

  test('other tables pass whole', async () => {
    const lines = table('shop.lines', orders.columns);
    expect((await compiled(where('items > 100'), lines)).row(bare)).toBe(bare);
  });

  test('whatever passes the check has a result for every row, and two filters are one with &&', async () => {
    const terms = [
      "status != 'draft'",
      'total > 10.0',
      'discount == 0.1',
      'discount != null && discount >= total',
      'note == null || note.size() > 3',
      'items % 2 == 0',
      'id > 1000',
    ];
    const term = fc.constantFrom(...terms).chain((a) => fc.constantFrom(a, `!(${a})`));
    await fc.assert(
      fc.asyncProperty(term, term, fc.array(order, { maxLength: 20 }), async (a, b, rows) => {
        const first = await compiled(where(a), orders);
        const second = await compiled(where(b), orders);
        const both = await compiled(where(`(${a}) && (${b})`), orders);
        const inTwo = rows.filter((row) => first.row(row) !== null).filter((row) => second.row(row) !== null);
        expect(rows.filter((row) => both.row(row) !== null)).toEqual(inTwo);
      }),
      { numRuns: 60 },
    );
  });
});
