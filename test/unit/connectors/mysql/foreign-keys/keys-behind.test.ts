import { describe, expect, it, test } from 'vitest';
import type { DeclaredKey } from '../../../../../connectors/mysql/foreign-keys/declared-keys.ts';
import { keysBehind } from '../../../../../connectors/mysql/foreign-keys/keys-behind.ts';

const key = (name: string, more: Partial<DeclaredKey> = {}): DeclaredKey => ({
  name,
  child: { database: 'shop', table: 'c' },
  columns: ['p'],
  parent: { database: 'shop', table: 'p' },
  references: ['id'],
  onDelete: 'cascade',
  onUpdate: 'none',
  ...more,
});

const behind = (known: readonly DeclaredKey[], statement: string): readonly DeclaredKey[] =>
  keysBehind(known, { database: 'shop', statement }, { declared: [key('of today')], atPlace: false });

describe('foreign keys behind a statement of a backlog', () => {
  test.each([
    ['ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE', [key('c_ibfk_1')]],
    [
      'ALTER TABLE `c` ADD CONSTRAINT `x` FOREIGN KEY IF NOT EXISTS i (`p`, q) REFERENCES `other`.p (id, `n`) MATCH FULL ON UPDATE SET NULL ON DELETE NO ACTION',
      [
        key('x', {
          columns: ['p', 'q'],
          parent: { database: 'other', table: 'p' },
          references: ['id', 'n'],
          onDelete: 'none',
          onUpdate: 'set-null',
        }),
      ],
    ],
    [
      "CREATE TABLE c (p INT COMMENT 'FOREIGN KEY', KEY (p), FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)",
      [key('c_ibfk_1')],
    ],
    ['ALTER TABLE c ADD COLUMN p INT REFERENCES p (id)', [key('of today')]],
    ['CREATE TABLE d LIKE c', []],
    ['ALTER TABLE c ENGINE = InnoDB', []],
  ])('%s', (statement, expected) => {
    expect(behind([], statement)).toEqual(expected);
  });

  test.each([
    ['ALTER TABLE c DROP FOREIGN KEY K', []],
    ['ALTER TABLE c DROP CONSTRAINT IF EXISTS k, ADD INDEX (p)', []],
    [
      'ALTER TABLE c ADD FOREIGN KEY (q) REFERENCES p (id)',
      [key('k'), key('c_ibfk_1', { columns: ['q'], onDelete: 'none' })],
    ],
    ['ALTER TABLE c CHANGE COLUMN p parent BIGINT', [key('k', { columns: ['parent'] })]],
    ['ALTER TABLE p RENAME COLUMN ID TO number', [key('k', { references: ['number'] })]],
    ['RENAME TABLE p TO people', [key('k', { parent: { database: 'shop', table: 'people' } })]],
    ['ALTER TABLE c RENAME TO kids', [key('k', { child: { database: 'shop', table: 'kids' } })]],
    ['DROP TABLE c', []],
    ['DROP DATABASE shop', []],
    ['TRUNCATE TABLE c', [key('k')]],
    ['GRANT SELECT ON shop.* TO x', [key('k')]],
  ])('%s', (statement, expected) => {
    expect(behind([key('k')], statement)).toEqual(expected);
  });

  it('take the new name of their table into a name that the server made', () => {
    const [renamed] = behind([key('c_ibfk_2')], 'RENAME TABLE c TO kids');
    expect(renamed?.name).toBe('kids_ibfk_2');
  });

  it('are those of the catalog where nothing came behind the statement', () => {
    const now = { declared: [key('now')], atPlace: true };
    expect(keysBehind([key('k')], { database: 'shop', statement: 'ALTER TABLE c COMMENT 1' }, now)).toEqual([
      key('now'),
    ]);
  });
});
