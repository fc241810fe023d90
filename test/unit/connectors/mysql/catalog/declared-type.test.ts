import { describe, expect, it } from 'vitest';
import { parseDeclaredType } from '../../../../../connectors/mysql/catalog/declared-type.ts';
import type { ColumnType } from '../../../../../core/table.ts';

const cases: readonly (readonly [string, ColumnType])[] = [
  ['tinyint(1)', { kind: 'int', bits: 8, unsigned: false }],
  ['tinyint', { kind: 'int', bits: 8, unsigned: false }],
  ['mediumint(8) unsigned', { kind: 'int', bits: 24, unsigned: true }],
  ['int(10) unsigned zerofill', { kind: 'int', bits: 32, unsigned: true }],
  ['bigint', { kind: 'bigint', unsigned: false }],
  ['bigint(20) unsigned', { kind: 'bigint', unsigned: true }],
  ['decimal(65,30)', { kind: 'decimal', precision: 65, scale: 30 }],
  ['decimal(10,0) unsigned zerofill', { kind: 'decimal', precision: 10, scale: 0 }],
  ['float(7,3) unsigned', { kind: 'float' }],
  ['double', { kind: 'double' }],
  ['bit(1)', { kind: 'bit', length: 1 }],
  ['bit(64)', { kind: 'bit', length: 64 }],
  ['char(0)', { kind: 'char', length: 0 }],
  ['VARCHAR(16383)', { kind: 'varchar', length: 16_383 }],
  ['binary(16)', { kind: 'binary', length: 16 }],
  ['varbinary(9)', { kind: 'varbinary', length: 9 }],
  ['longtext', { kind: 'text' }],
  ['tinyblob', { kind: 'blob' }],
  ['date', { kind: 'date' }],
  ['year(4)', { kind: 'year' }],
  ['datetime', { kind: 'datetime', digits: 0 }],
  ['datetime(6)', { kind: 'datetime', digits: 6 }],
  ['timestamp(3)', { kind: 'timestamp', digits: 3 }],
  ['time(2)', { kind: 'time', digits: 2 }],
  ["enum('a','b''c','d,e',')','\\','ž')", { kind: 'enum', labels: ['a', "b'c", 'd,e', ')', '\\', 'ž'] }],
  ["enum('')", { kind: 'enum', labels: [''] }],
  ["set('a','b c')", { kind: 'set', labels: ['a', 'b c'] }],
  ['json', { kind: 'json' }],
  ['geomcollection', { kind: 'geometry', shape: 'geometrycollection' }],
  ['point', { kind: 'geometry', shape: 'point' }],
  ['vector(3)', { kind: 'vector', dimension: 3 }],
  ['uuid', { kind: 'uuid' }],
  ['inet6', { kind: 'inet6' }],
];

describe('a declared type', () => {
  it.each(cases)('%s is read', (declared, type) => {
    expect(parseDeclaredType(declared, 'shop.t.c')).toEqual(type);
  });

  it('that is not known is refused with the column', () => {
    expect(() => parseDeclaredType('hyperloglog(3)', 'shop.t.c')).toThrow(
      expect.objectContaining({ code: 'SOURCE_TYPE_UNSUPPORTED', message: expect.stringContaining('shop.t.c') }),
    );
  });
});
