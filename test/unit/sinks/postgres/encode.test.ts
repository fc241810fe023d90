import { describe, expect, it } from 'vitest';
import type { Value } from '../../../../core/contracts.ts';
import type { ColumnType } from '../../../../core/table.ts';
import type { ChangedValue, ValuePolicies } from '../../../../core/value-policy.ts';
import { encoder, isZeroDate } from '../../../../sinks/postgres/encode.ts';
import { translateDefault } from '../../../../sinks/postgres/defaults.ts';
import { targetType } from '../../../../sinks/postgres/types.ts';
import { column, int, table, text } from '../../../contract/changes.ts';
import { point } from '../../../contract/target-types.ts';

function written(type: ColumnType, value: Value, as = targetType(type, null)): [string, string] {
  const { copy, literal } = encoder(table('t', [], []), column('c', type), as);
  return [copy(value), literal(value)];
}

it('writes NULL', () => {
  expect(written(int, null)).toEqual(['\\N', 'NULL']);
  expect(written({ kind: 'blob' }, null)).toEqual(['\\N', 'NULL']);
  expect(written({ kind: 'date' }, '0000-00-00')).toEqual(['\\N', 'NULL']);
});

it('escapes what COPY and what a constant need', () => {
  expect(written({ kind: 'text' }, "a\tb\nc\rd\\e'f")).toEqual(["a\\tb\\nc\\rd\\\\e'f", "'a\tb\nc\rd\\e''f'"]);
  expect(written({ kind: 'blob' }, Uint8Array.of(0, 92, 255))).toEqual(['\\\\x005cff', "'\\x005cff'"]);
  expect(written({ kind: 'set', labels: ['a"b', 'c'] }, 'a"b,c')).toEqual(['{"a\\\\"b","c"}', '\'{"a\\"b","c"}\'']);
});

it('keeps the sign of zero and every digit of floats', () => {
  expect(written({ kind: 'double' }, -0)[0]).toBe('-0');
  expect(written({ kind: 'float' }, 1.1)[0]).toBe('1.1');
  expect(written({ kind: 'double' }, 5e-324)[0]).toBe('5e-324');
});

it('writes geometries as EWKB, plain into bytea and bare for PostGIS', () => {
  const wkb = '0101000000000000000000f03f0000000000000040';
  const ewkb = '0101000020e6100000000000000000f03f0000000000000040';
  const type: ColumnType = { kind: 'geometry', shape: 'point' };
  expect(written(type, point(0, 1, 2))[1]).toBe(`'\\x${wkb}'`);
  expect(written(type, point(4326, 1, 2))[1]).toBe(`'\\x${ewkb}'`);
  expect(written(type, point(4326, 1, 2), 'public.geometry')).toEqual([ewkb, `'${ewkb}'`]);
});

it.each([
  ['0000-00-00', true],
  ['2020-00-10', true],
  ['2020-10-00', true],
  ['0000-10-10 00:00:00', true],
  ['2000-01-01 00:00:00', false],
  ['1000-10-10', false],
])('knows whether %s is a zero or partial date', (date, zero) => {
  expect(isZeroDate(date)).toBe(zero);
});

it.each<[ColumnType, string, string | null]>([
  [int, '5', '5'],
  [int, "'5'", '5'],
  [int, 'NULL', null],
  [{ kind: 'text' }, "'it''s \\'\\n'", "'it''s ''\n'"],
  [{ kind: 'varchar', length: 5 }, '(uuid())', null],
  [{ kind: 'datetime', digits: 3 }, 'current_timestamp(3)', 'LOCALTIMESTAMP(3)'],
  [{ kind: 'timestamp', digits: 0 }, 'CURRENT_TIMESTAMP', 'CURRENT_TIMESTAMP(0)'],
  [{ kind: 'date' }, "'0000-00-00'", null],
  [{ kind: 'bit', length: 4 }, "b'101'", "'0101'"],
  [{ kind: 'bit', length: 1 }, "b'1'", 'true'],
  [{ kind: 'set', labels: ['a', 'b'] }, "'a,b'", `'{"a","b"}'`],
])('translates the default of %j', (type, source, target) => {
  expect(translateDefault(column('c', type, { default: source }))).toBe(target);
});

describe('a policy', () => {
  const policies = { zeroDates: '1970-01-01', nulCharacters: 'strip' } as const;

  function encoded(type: ColumnType, value: Value, more: Partial<ValuePolicies> = {}, nullable = true) {
    const of = column('c', type, { nullable });
    const t = table('t', [column('id', { kind: 'date' }), of], ['id']);
    const changed: ChangedValue[] = [];
    const { copy, literal } = encoder(t, of, 'text', { ...policies, ...more });
    const texts = [copy(value, (what) => changed.push(what)), literal(value, (what) => changed.push(what))];
    return [...texts, ...new Set(changed)];
  }

  it('puts a date in the place of zero dates, or NULL where it may', () => {
    const zero = '2020-00-10 01:02:03.5';
    expect(encoded({ kind: 'date' }, '0000-00-00')).toEqual(['1970-01-01', "'1970-01-01'", 'zero-date-to-sentinel']);
    expect(encoded({ kind: 'datetime', digits: 1 }, zero)[0]).toBe('1970-01-01 00:00:00');
    expect(encoded({ kind: 'timestamp', digits: 1 }, zero)[0]).toBe('1970-01-01 00:00:00+00');
    expect(encoded({ kind: 'date' }, '2020-01-10')).toEqual(['2020-01-10', "'2020-01-10'"]);
    const toNull = { zeroDates: 'set-null' };
    expect(encoded({ kind: 'date' }, '0000-00-00', toNull)).toEqual(['\\N', 'NULL', 'zero-date-to-null']);
    expect(() => encoded({ kind: 'date' }, '0000-00-00', toNull, false)).toThrow('zero or partial date');
    expect(() => encoded({ kind: 'date' }, '0000-00-00', { zeroDates: 'dead-letter' })).toThrow('zero or partial');
  });

  it('strips or replaces U+0000 in text and in JSON, and no escaped backslash before u0000', () => {
    const replace = { nulCharacters: 'replace' } as const;
    expect(encoded(text, 'a\0b\0')).toEqual(['ab', "'ab'", 'nul-stripped']);
    expect(encoded(text, 'a\0b', replace)).toEqual(['a\uFFFDb', "'a\uFFFDb'", 'nul-replaced']);
    const json = String.raw`["\u0000\u0000", "\\u0000", "\\\u0000"]`;
    expect(encoded({ kind: 'json' }, json)[1]).toBe(String.raw`'["", "\\u0000", "\\"]'`);
    const literal = encoded({ kind: 'json' }, json, replace)[1] ?? '';
    expect(JSON.parse(literal.slice(1, -1))).toEqual(['��', '\\u0000', '\\�']);
  });

  it('never changes a key', () => {
    const t = table('t', [column('id', { kind: 'date' })], ['id']);
    const [id] = t.columns;
    expect(() => encoder(t, id ?? column('id', text), 'date', policies).copy('0000-00-00')).toThrow('zero or partial');
  });
});
