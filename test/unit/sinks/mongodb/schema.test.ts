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
    ['ALTER TABLE t RENAME COLUMN a TO `x y`', after('x y', 'b'), [['a', 'x y']]],
    ['ALTER TABLE t CHANGE COLUMN `a` c varchar(300), ADD d int', after('c', 'b', 'd'), [['a', 'c']]],
    [
      'alter table t change a c text, rename column b to d',
      after('c', 'd'),
      [
        ['b', 'd'],
        ['a', 'c'],
      ],
    ],
    ['ALTER TABLE t DROP a, ADD c varchar(200)', after('b', 'c'), []],
    ['ALTER TABLE t CHANGE a a text', after('a', 'b'), []],
  ])('are found in %s', (statement, now, pairs) => {
    expect([...renamedColumns(before, now, statement)]).toEqual(pairs);
  });

  it('are found by their place where a transform gave other names', () => {
    expect([...renamedColumns(before, after('A2', 'b'), 'ALTER TABLE t RENAME COLUMN x TO x2')]).toEqual([['a', 'A2']]);
  });

  it('are refused where names change places', () => {
    const swap = 'ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a';
    expect(() => renamedColumns(before, after('b', 'a'), swap)).toThrow('names that other columns had');
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
    ['nothing for NULL', text, {}, undefined],
    ['nothing for an expression', text, { default: 'uuid()' }, undefined],
    ['nothing for a generated column', text, { generated: 'stored', default: "'a'" }, undefined],
  ])('is %s', (_title, type, more, value) => {
    expect(fill(type, more)).toEqual(value);
  });
});
