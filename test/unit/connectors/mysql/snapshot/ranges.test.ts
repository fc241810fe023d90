import { describe, expect, it } from 'vitest';
import {
  chunkStatement,
  formatRange,
  keyLiterals,
  parseRange,
  type Range,
} from '../../../../../connectors/mysql/snapshot/ranges.ts';
import { column, int, table, text } from '../../../../contract/changes.ts';

const whole: Range = { index: 0, from: null, to: null, at: null, done: false, high: null, rows: 0, estimate: null };
const labels = { kind: 'enum', labels: ['x', 'y'] } as const;
const one = table('t', [column('id', int), column('v', text)], ['id']);
const three = table('t', [column('a', text), column('b', int), column('e', labels)], ['a', 'b', 'e']);
const none = table('t', [column('v', text)], []);

describe('the statement of a chunk', () => {
  it('reads a whole table in key order', () => {
    expect(chunkStatement(one, whole, '*', 10)).toBe('SELECT * FROM `shop`.`t` ORDER BY `id` LIMIT 10');
  });

  it('stays inside its range, and goes on behind the last key', () => {
    expect(chunkStatement(one, { ...whole, from: '5', to: '9' }, '*', 10)).toContain('WHERE `id` >= 5 AND `id` < 9');
    expect(chunkStatement(one, { ...whole, from: '5', to: '9', at: ['7'] }, '*', 10)).toContain(
      'WHERE `id` > 7 AND `id` < 9',
    );
  });

  it('goes on behind a composite key, and compares an ENUM by its number', () => {
    expect(chunkStatement(three, { ...whole, at: ["'k'", '3', '1'] }, '*', 10)).toBe(
      "SELECT * FROM `shop`.`t` WHERE `a` >= 'k' AND (`a` > 'k' OR (`b` >= 3 AND (`b` > 3 OR (`e` + 0 > 1))))" +
        ' ORDER BY `a`, `b`, `e` + 0 LIMIT 10',
    );
  });

  it('reads a table without a key at once', () => {
    expect(chunkStatement(none, whole, '*', 10)).toBe('SELECT * FROM `shop`.`t`');
  });

  it('quotes names', () => {
    const odd = table('a`b', [column('c`d', int)], ['c`d']);
    expect(chunkStatement(odd, whole, '*', 1)).toBe('SELECT * FROM `shop`.`a``b` ORDER BY `c``d` LIMIT 1');
  });
});

describe('a key as literals', () => {
  it('holds no text that could end the literal', () => {
    expect(keyLiterals(three, ["'; DROP TABLE t; -- ", -3, 'y'])).toEqual([
      `_utf8mb4 x'${Buffer.from("'; DROP TABLE t; -- ").toString('hex')}'`,
      '-3',
      '2',
    ]);
  });

  it('knows every kind of key', () => {
    const all = table(
      'k',
      [
        column('d', { kind: 'decimal', precision: 9, scale: 2 }),
        column('b', { kind: 'binary', length: 2 }),
        column('s', { kind: 'set', labels: ['p', 'q', 'r'] }),
        column('n', { kind: 'bigint', unsigned: true }),
        column('o', { kind: 'bit', length: 1 }),
      ],
      ['d', 'b', 's', 'n', 'o'],
    );
    const row = ['-1.50', Uint8Array.of(0, 255), 'p,r', 18_446_744_073_709_551_615n, true];
    expect(keyLiterals(all, row)).toEqual(['-1.50', "x'00ff'", '5', '18446744073709551615', '1']);
  });
});

it('a range is the same after it was stored', () => {
  const high = { file: 'binlog.000009', offset: 77, server: 'u' };
  for (const range of [
    whole,
    { ...whole, index: 3, from: '1', to: '9', at: ['5', "x'00'"], done: true, high, rows: 8 },
  ])
    expect(parseRange(range.index, formatRange(range))).toEqual(range);
});
