import { BSON } from 'mongodb';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bytes } from '../../../../core/bytes.ts';
import type { Row, Value, Values } from '../../../../core/contracts.ts';
import { LockstepError } from '../../../../core/errors.ts';
import type { Column, TableSchema } from '../../../../core/table.ts';
import { type ChangedValue, defaultPolicies } from '../../../../core/value-policy.ts';
import { documentsOf } from '../../../../sinks/mongodb/documents.ts';
import { converter } from '../../../../sinks/mongodb/values.ts';
import { column, int, table, text } from '../../../contract/changes.ts';
import { packed } from '../../../support/packed.ts';
import { seed } from '../../../support/seed.ts';
import { samples } from '../../codec/tables.ts';

const json = { kind: 'json' } as const;

/** What the driver makes of the values as they are converted one by one. */
function byDriver(t: TableSchema, row: Values): Buffer {
  const field = (column: Column, i: number): readonly [string, unknown] => {
    const value = row[i] ?? null;
    return [column.name, value === null ? null : converter(column, `shop.t.${column.name}`)(value)];
  };
  const id = row[t.key[0] ?? -1];
  return Buffer.from(BSON.serialize(new Map([['_id', id], ...t.columns.map(field)])));
}

function appended(t: TableSchema, row: Row, changed: ChangedValue[] = []): Buffer {
  const out = new Bytes(1);
  documentsOf(t, defaultPolicies).appendDocument(out, row, (what) => changed.push(what));
  return Buffer.from(out.buffer.subarray(0, out.length));
}

/** Its bytes, or what it is refused for. */
function outcome(make: () => Buffer): string {
  try {
    return make().toString('hex');
  } catch (error) {
    if (error instanceof LockstepError) return error.message;
    throw error;
  }
}

function expectSame(t: TableSchema, row: Values): void {
  const wanted = outcome(() => byDriver(t, row));
  expect(outcome(() => appended(t, row))).toBe(wanted);
  expect(outcome(() => appended(t, packed(t, row)))).toBe(wanted);
}

describe('a document appended to a buffer is the one that the driver would write', () => {
  it.each(samples.map((sample) => [sample.declared, sample] as const))('with a %s', (_, { type, declared, values }) => {
    const t = table('t', [column('id', int), column('v', type, { declared }), column('__proto__', text)], ['id']);
    const row = fc.tuple(fc.integer({ min: -9, max: 9 }), fc.option(values, { nil: null }), fc.constant('z'));
    fc.assert(
      fc.property(row, (values) => expectSame(t, values)),
      { seed, numRuns: 300 },
    );
  });

  it.each(['0000-00-00', '2024-00-10', '2023-02-29', '0000-01-01', '0001-01-01', '9999-12-31'])(
    'with the date %s',
    (day) => {
      const types = [{ kind: 'date' } as const, ...[0, 3, 6].map((digits) => ({ kind: 'datetime', digits }) as const)];
      for (const nullable of [true, false]) {
        const columns = types.map((type, i) => column(`c${String(i)}`, type, { nullable }));
        const t = table('t', [column('id', int), ...columns], ['id']);
        expectSame(t, [1, day, `${day} 10:20:30`, `${day} 10:20:30.123`, `${day} 10:20:30.123456`]);
      }
    },
  );

  it.each([
    '-0',
    '0.0',
    '-0.0',
    '1.0',
    '-1.50',
    '1e3',
    '-12E-3',
    '2147483648',
    '999999999',
    '1000000000',
    '0.1234567890123456',
    '123456789012345.5',
    '9223372036854775808',
    '1e400',
    '0.000000000000001',
    '007',
    '1.',
    '.5',
    '-',
    '1 2',
    '1e',
    '[1,2.5,-3,[],{}]',
    ' { "a" : [ 1 , null ] } ',
    '{"a":1,"a":2}',
    '{"b":1,"10":2,"9":3,"__proto__":{"x":1},"_bsontype":"Long"}',
    '{"a\\u0000":1}',
    '{"a\\n":"x"}',
    '"\\ud83d\\ude00\\ud800"',
    '"\\x"',
    '"a\nb"',
    '"a\nb\\n"',
    '{"a":tru}',
    'nul',
    '{"a":1,}',
    '{"a" 1}',
    '[1',
    '"',
    '{"žluť":"日本"}',
    'true',
    '{"a":false}',
    '',
    `${'['.repeat(150)}${']'.repeat(150)}`,
    `${'['.repeat(151)}${']'.repeat(151)}`,
    JSON.stringify(Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${String(i)}`, i]))),
  ])('with the JSON %s', (document) => {
    expectSame(table('t', [column('id', int), column('v', json)], ['id']), [1, document]);
  });
});

it('makes of text that is no UTF-8 what reading it makes of it', () => {
  const t = table('t', [column('id', int), column('v', text)], ['id']);
  const row = packed(t, [1, '??']);
  const broken = Buffer.from([0xed, 0xa0, 0x80]);
  const one = Object.assign(Object.create(row.columns[1] ?? null), {
    decode: (): Value => broken.toString(),
    print: (out: Bytes) => out.copy(broken, 0, broken.length),
  });
  Object.assign(row.columns, { 1: one });
  expect(appended(t, row).equals(byDriver(t, [1, broken.toString()]))).toBe(true);
});

it('counts the values that a policy changes', () => {
  const t = table('t', [column('id', int), column('v', { kind: 'date' })], ['id']);
  const changed: ChangedValue[] = [];
  appended(t, packed(t, [1, '0000-00-00']), changed);
  expect(changed).toEqual(['zero-date-to-null']);
});
