import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Value } from '../../../core/contracts.ts';
import { bigint, column, int, table, text } from '../core/tables.ts';
import { compiled, refusal } from './support.ts';

const key = 'a key for these tests';
const customers = table('shop.customers', [
  column('id', bigint),
  column('email', text),
  column('phone', text, { nullable: true }),
  column('age', int, { nullable: true }),
  column('level', int),
  column('photo', { kind: 'blob' }, { nullable: true }),
]);
const row = [7n, 'ann@example.com', null, 44, 3, new Uint8Array([1, 2])];

describe('mask', () => {
  test('hash is the HMAC-SHA-256 of the canonical value in hexadecimal, and the column becomes text', async () => {
    const masked = await compiled({ mask: { columns: ['customers.*'], with: 'hash', key } }, customers);
    const hex = (value: string | Uint8Array): string => createHmac('sha256', key).update(value).digest('hex');
    expect(masked.row(row)).toEqual([
      hex('7'),
      hex('ann@example.com'),
      null,
      hex('44'),
      hex('3'),
      hex(new Uint8Array([1, 2])),
    ]);
    expect(masked.table.columns.map((one) => one.declared)).toEqual(Array(6).fill('varchar(64)'));
    expect(masked.table.columns.map((one) => one.nullable)).toEqual(customers.columns.map((one) => one.nullable));
  });

  test('equal values have equal hashes whatever integer type they come from, so joins go on working', async () => {
    await fc.assert(
      fc.asyncProperty(fc.maxSafeNat(), async (n) => {
        const item = { mask: { columns: ['*.id'], with: 'hash', key } };
        const asInt = await compiled(item, table('a.a', [column('id', int)]));
        const asBigint = await compiled(item, table('a.b', [column('id', bigint)]));
        expect(asInt.row([n])).toEqual(asBigint.row([BigInt(n)]));
      }),
      { numRuns: 30 },
    );
  });

  test('a hash is cut to the digits asked for, and the column with it', async () => {
    const masked = await compiled({ mask: { columns: ['*.email'], with: 'hash', key, length: 16 } }, customers);
    expect(masked.row(row)?.[1]).toHaveLength(16);
    expect(masked.table.columns[1]?.type).toEqual({ kind: 'varchar', length: 16 });
  });

  test('redact puts stars where text was and NULL where something else was', async () => {
    const masked = await compiled(
      { mask: { columns: ['*.email', '*.phone', '*.age', '*.photo'], with: 'redact' } },
      customers,
    );
    expect(masked.row(row)).toEqual([7n, '***', null, null, 3, null]);
  });

  test.each([
    ['4111111111111111', '************1111'],
    ['12345', '***45'],
    ['x', '*'],
    ['', ''],
    ['né😀😀', '**😀😀'],
    [null, null],
  ])('partial shows the end of %j as %j', async (value: Value, shown) => {
    const masked = await compiled({ mask: { columns: ['*.phone'], with: 'partial', keep: 4 } }, customers);
    expect(masked.row([1n, '', value, null, 1, null])?.[2]).toBe(shown);
  });

  test.each([
    ['redact of a key', { columns: ['*.id'], with: 'redact' }, 'hash'],
    ['partial of a key', { columns: ['*.id'], with: 'partial', keep: 2 }, 'hash'],
    ['a short hash of a key', { columns: ['*.id'], with: 'hash', key, length: 16 }, '32'],
    ['partial of a number', { columns: ['*.age'], with: 'partial', keep: 2 }, 'redact'],
    ['redact of a number that cannot be NULL', { columns: ['*.level'], with: 'redact' }, 'exclude'],
  ])('refuses %s and says what to do', async (_, mask, fix) => {
    const error = await refusal(() => compiled({ mask }, customers));
    expect(error.code).toBe('TRANSFORM_INVALID');
    expect(error.message).toMatch(/^transforms\[0\]\.mask: shop\.customers\./);
    expect(error.fix).toContain(fix);
    expect(JSON.stringify([error.message, error.fix])).not.toContain(key);
  });

  test('the source neither computes nor fills in what was masked', async () => {
    const odd = table('shop.t', [
      column('id', int),
      column('mail', text, { generated: 'stored', default: "'ann@example.com'" }),
    ]);
    const { table: masked } = await compiled({ mask: { columns: ['*.mail'], with: 'redact' } }, odd);
    expect(masked.columns[1]).toMatchObject({ generated: null, default: null });
  });
});
