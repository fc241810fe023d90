import { describe, expect, it } from 'vitest';
import { conditionOf, type RowCondition } from '../../../../../connectors/mysql/snapshot/condition.ts';
import { tableSchema, type ColumnType, type TableSchema } from '../../../../../core/table.ts';

function table(columns: Readonly<Record<string, ColumnType>>, key: readonly number[] = [0]): TableSchema {
  const all = Object.entries(columns).map(([name, type]) => ({
    name,
    type,
    declared: type.kind,
    nullable: true,
    charset: null,
    generated: null,
    default: null,
    autoIncrement: false,
  }));
  return tableSchema({ database: 'shop', name: 't', origin: 'shop.t', columns: all, key });
}

const orders = table({
  id: { kind: 'int', bits: 32, unsigned: false },
  customer: { kind: 'bigint', unsigned: false },
  state: { kind: 'varchar', length: 20 },
  day: { kind: 'date' },
  total: { kind: 'decimal', precision: 10, scale: 2 },
});

function read(text: string, of = orders, circular = false): RowCondition {
  const condition = conditionOf(text, of, circular);
  if ('refusal' in condition) throw new Error(condition.refusal);
  return condition;
}

describe('a condition for rows', () => {
  it.each([
    ['customer = 7', [1], [[7n]], '`customer` IN (7)'],
    ['id BETWEEN -1 AND 1', [0], [[-1], [0], [1]], '`id` IN (-1, 0, 1)'],
    ["STATE = 'it''s'", [2], [["it's"]], "`state` IN (_utf8mb4 x'69742773')"],
    ["`day` in ('2026-01-02')", [3], [['2026-01-02']], "`day` IN (_utf8mb4 x'323032362d30312d3032')"],
  ])('names them by values of their columns: %s', (text, columns, rows, sql) => {
    expect(read(text)).toEqual({ text, columns, rows, sql });
  });

  it('names every combination of several', () => {
    const { columns, rows, sql } = read("customer IN (1, 2) AND state IN ('a', 'b')");
    expect([columns, rows]).toEqual([
      [1, 2],
      [
        [1n, 'a'],
        [1n, 'b'],
        [2n, 'a'],
        [2n, 'b'],
      ],
    ]);
    expect(sql).toBe("`customer` IN (1, 2) AND `state` IN (_utf8mb4 x'61', _utf8mb4 x'62')");
  });

  it.each([
    ['nothing = 1', 'no column `nothing`'],
    ['customer > 7', 'compared in a way that the target cannot be asked in'],
    ['customer = 7 OR id = 1', 'cannot be read from `OR` on'],
    ['customer = 7; DROP TABLE t', 'cannot be read from `;` on'],
    ['customer = 7.5', 'cannot be read from `.` on'],
    ['customer = NULL', 'no such value in full'],
    ['customer = id', 'no such value in full'],
    ['state = plain', 'no such value in full'],
    [String.raw`state = 'a\'b'`, 'no such value in full'],
    ["day = '2026'", 'no such value in full'],
    ['id = 2147483648', 'no such value in full'],
    ["day = '2026-02-30'", 'no such value in full'],
    ["day = '0000-00-00'", 'no such value in full'],
    ['total = 1', 'no such value in full'],
    ['id = 1 AND id = 2', 'a column stands in it twice'],
    ['id IN (1, 2', 'a bracket is missing'],
    ['id BETWEEN 1 AND 1000000', 'more than 10,000 numbers'],
    ['id BETWEEN 1 AND 200 AND customer BETWEEN 1 AND 200', 'at most 10,000'],
    ['', 'no column ``'],
  ])('is refused where the target could not be asked for the same rows: %s', (text, reason) => {
    expect(() => read(text)).toThrow(reason);
  });

  it('is refused for tables that can only be copied as a whole', () => {
    expect(() => read('id = 1', table({ id: { kind: 'int', bits: 32, unsigned: false } }, []))).toThrow('no key');
    expect(() => read('id = 1', orders, true)).toThrow('refer to each other');
  });
});
