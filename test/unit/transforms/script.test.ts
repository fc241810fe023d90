import { describe, expect, test } from 'vitest';
import { orders, table } from '../core/tables.ts';
import { compiled, opened, refusal } from './support.ts';

const values = [1n, 'paid', '1.00', null, null, 2];

describe('script', () => {
  test('a TypeScript module changes tables and rows, and filters', async () => {
    const { table: loud, row } = await compiled({ script: { module: './upper.ts' } }, orders);
    expect(loud.columns.at(-1)?.name).toBe('loud');
    expect(loud.origin).toBe('shop.orders');
    expect(loud.fingerprint).not.toBe(orders.fingerprint);
    expect(row(values)).toEqual([...values, 'PAID']);
    expect(row([2n, 'draft', '1.00', null, null, 2])).toBeNull();
  });

  test('null for a table leaves the table out', async () => {
    const [transform] = await opened({ script: { module: './upper.ts' } });
    expect(transform?.compile(table('shop.hidden', orders.columns))).toBeNull();
  });

  test('only the tables it is for go through it', async () => {
    const { table: same } = await compiled({ script: { module: './upper.ts', tables: ['crm.*'] } }, orders);
    expect(same).toBe(orders);
  });

  test('a script that changes its row changes nobody else', async () => {
    const { row } = await compiled({ script: { module: './changes-its-row.js' } }, orders);
    const before = Object.freeze([...values]);
    expect(row(before)?.[1]).toBe('changed');
    expect(before).toEqual(values);
  });

  test('a script that throws is named with its line, and what it said about the row is not repeated', async () => {
    const { row } = await compiled({ script: { module: './throws.js' } }, orders);
    const error = await refusal(() => row(values));
    expect(error.code).toBe('TRANSFORM_FAILED');
    expect(error.message).toBe('row() of ./throws.js threw RangeError at throws.js:2 for a row of shop.orders');
    expect(error.message + error.fix).not.toContain('paid');
    expect(error.cause).toBeInstanceOf(RangeError);
  });

  test.each([
    ['./promises.js', 'it is no array'],
    ['./wrong-type.js', 'the value of id is not a bigint'],
  ])('what %s gives for a row is refused: %s', async (module, problem) => {
    const { row } = await compiled({ script: { module } }, orders);
    const error = await refusal(() => row(values));
    expect(error.code).toBe('TRANSFORM_FAILED');
    expect(error.message).toBe(`row() of ${module} gave no row for shop.orders: ${problem}`);
  });

  test.each([
    ['./missing.ts', 'cannot be loaded'],
    ['./broken.js', 'cannot be loaded (Error)'],
    ['./no-row.js', 'does not export'],
    ['./loses-key.js', 'lost its key'],
  ])('%s stops before anything moves', async (module, problem) => {
    const error = await refusal(() => compiled({ script: { module } }, orders));
    expect(error.code).toBe('TRANSFORM_INVALID');
    expect(error.message).toContain(problem);
    expect(error.fix).not.toBe('');
  });
});
