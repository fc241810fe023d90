import { describe, expect, it } from 'vitest';
import type { Column, ColumnType } from '../../../../core/table.ts';
import { fillOf } from '../../../../sinks/mongodb/defaults.ts';
import { renamedColumns } from '../../../../sinks/mongodb/renames.ts';
import { column, int, table, text } from '../../../contract/changes.ts';

describe('renamed columns', () => {
  const before = table('t', [column('id', int), column('a', text), column('b', text)], ['id']);
  const after = (...names: string[]): typeof before =>
    table(
      't',
      ['id', ...names].map((name) => column(name, name === 'id' ? int : text)),
      ['id'],
    );

  it.each([
    ['a new name at an old one’s place', after('x y', 'b'), [['a', 'x y']]],
    ['the other name alone', after('a', 'c'), [['b', 'c']]],
    ['nothing where columns only changed places', after('b', 'a'), []],
    ['nothing where a column came', after('a', 'b', 'c'), []],
    ['nothing where a column went', after('b'), []],
  ])('are %s', (_title, now, pairs) => {
    expect([...renamedColumns(before, now)]).toEqual(pairs);
  });
});

describe('the value of a new column in rows that are there', () => {
  const fill = (type: ColumnType, more: Partial<Column>): unknown =>
    fillOf(column('c', type, more), 'shop.t.c', 1_700_000_000_000);

  it.each<[string, ColumnType, Partial<Column>, unknown]>([
    ['a number', int, { default: '7' }, 7],
    ['a quoted number', int, { default: "'7'" }, 7],
    ['a text', text, { default: "'it''s \\\\'" }, "it's \\"],
    ['a bigint', { kind: 'bigint', unsigned: false }, { default: '9007199254740993' }, 9007199254740993n],
    ['a bit', { kind: 'bit', length: 1 }, { default: "b'1'" }, true],
    ['a set', { kind: 'set', labels: ['a', 'b'] }, { default: "'a,b'" }, ['a', 'b']],
    [
      'the time of the statement',
      { kind: 'datetime', digits: 0 },
      { default: 'CURRENT_TIMESTAMP' },
      new Date(1_700_000_000_000),
    ],
    [
      'a datetime with digits',
      { kind: 'datetime', digits: 6 },
      { default: "'2020-01-01 00:00:00'" },
      '2020-01-01T00:00:00.000000',
    ],
    ['the implicit default', int, { nullable: false }, 0],
    ['the first label', { kind: 'enum', labels: ['a', 'b'] }, { nullable: false }, 'a'],
    ['null for NULL', text, {}, null],
    ['nothing for an expression', text, { default: 'uuid()' }, undefined],
    ['nothing for a generated column', text, { generated: 'stored', default: "'a'" }, undefined],
  ])('is %s', (_title, type, more, value) => {
    expect(fill(type, more)).toEqual(value);
  });
});
