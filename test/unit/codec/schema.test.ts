import avro from 'avsc';
import { describe, expect, test } from 'vitest';
import { columnNames } from '../../../codec/avro/envelope.ts';
import { avroNamespace, fieldNames } from '../../../codec/avro/names.ts';
import { parseSchema } from '../../../codec/avro/parse.ts';
import { keySchema, valueSchema } from '../../../codec/avro/schema.ts';
import { tableFromSchema } from '../../../codec/avro/table.ts';
import { incompatibilities } from '../../../codec/registry/compatibility.ts';
import { tableSchema, type Column } from '../../../core/table.ts';
import { column, samples, tableOf } from './tables.ts';

const topic = 'shop.shop.orders';
const id = column('id', { kind: 'bigint', unsigned: false }, 'bigint');

describe('names', () => {
  test('that Avro forbids are changed as Debezium does it, never to the name of another column', () => {
    const columns = ['a-b', 'a_b', 'a b', '2nd', 'naïve', '_2nd', 'ok'].map((name) =>
      column(name, { kind: 'date' }, 'date'),
    );
    expect(fieldNames(columns)).toEqual(['a_b_2', 'a_b', 'a_b_3', '_2nd_2', 'na_ve', '_2nd', 'ok']);
    expect(avroNamespace('my-shop.2024.Bücher')).toBe('my_shop._2024.B_cher');
  });

  test('come back from the schema as they were', () => {
    const table = tableOf(['2nd', 'a-b', 'a b', '表'].map((name) => column(name, { kind: 'text' }, 'text')));
    expect(tableFromSchema(valueSchema(table, topic), keySchema(table, topic))).toEqual(table);
    const key = parseSchema(keySchema(table, topic) ?? '');
    expect(key.type === 'record' ? columnNames(key) : []).toEqual(['2nd']);
  });
});

describe('a table through its schema', () => {
  test('is the same, to the fingerprint, wherever a transform has sent its rows', () => {
    const columns: Column[] = samples.map(({ type, declared }, i) => ({
      ...column(`c${i}`, type, declared, i > 1),
      charset: type.kind === 'text' ? 'latin1' : null,
      generated: i === 5 ? 'stored' : i === 6 ? 'virtual' : null,
      default: i === 7 ? "'it''s'" : null,
      autoIncrement: i === 0,
    }));
    const table = tableSchema({ database: 'warehouse', name: 'all', origin: 'shop.all', columns, key: [1, 0] });
    expect(tableFromSchema(valueSchema(table, topic), keySchema(table, topic))).toEqual(table);
  });

  test('has no key schema where it has no key', () => {
    expect(keySchema(tableOf([id], []), topic)).toBeNull();
  });

  test('that is no envelope is refused with the way out', () => {
    const flat = JSON.stringify({ type: 'record', name: 'Value', fields: [{ name: 'id', type: 'int' }] });
    expect(() => tableFromSchema(flat, null)).toThrow(
      expect.objectContaining({ code: 'KAFKA_MESSAGE', fix: expect.stringContaining('ExtractNewRecordState') }),
    );
    expect(() => tableFromSchema('not json', null)).toThrow(expect.objectContaining({ code: 'KAFKA_MESSAGE' }));
  });
});

describe('schema changes', () => {
  const schemaOf = (...columns: Column[]): string => valueSchema(tableOf([id, ...columns]), topic);

  test.each(samples.filter(({ type }) => type.kind !== 'geometry').map((sample) => [sample.declared, sample] as const))(
    'a %s column can be added and dropped at the level FULL, NULL or not',
    (_, { type, declared }) => {
      for (const nullable of [true, false]) {
        expect(incompatibilities(schemaOf(column('x', type, declared, nullable)), [schemaOf()], 'FULL')).toEqual([]);
      }
    },
  );

  test("a column's own default is that of its field", () => {
    const defaults: [Column['type'], string, string, unknown][] = [
      [{ kind: 'int', bits: 32, unsigned: false }, 'int', '7', 7],
      [{ kind: 'int', bits: 32, unsigned: false }, 'int', "'-7'", -7],
      [{ kind: 'varchar', length: 9 }, 'varchar(9)', "'it''s'", "it's"],
      [{ kind: 'varchar', length: 9 }, 'varchar(9)', 'uuid()', ''],
      [{ kind: 'decimal', precision: 5, scale: 2 }, 'decimal(5,2)', '1.50', '\u0000\u0096'],
      [{ kind: 'bigint', unsigned: true }, 'bigint unsigned', '18446744073709551615', `\u0000${'\u00ff'.repeat(8)}`],
      [{ kind: 'datetime', digits: 0 }, 'datetime', "'1970-01-02 00:00:01'", 86_401_000],
      [{ kind: 'datetime', digits: 6 }, 'datetime(6)', 'CURRENT_TIMESTAMP(6)', 0],
      [{ kind: 'date' }, 'date', "'0000-00-00'", 0],
      [{ kind: 'enum', labels: ['a', 'b'] }, "enum('a','b')", "'b'", 'b'],
      [{ kind: 'boolean' }, 'tinyint(1)', '1', true],
    ];
    for (const [type, declared, text, expected] of defaults) {
      const schema = schemaOf({ ...column('x', type, declared), default: text });
      const field: unknown = JSON.parse(schema).fields[0].type[1].fields[1].default;
      expect({ declared, text, field }).toEqual({ declared, text, field: expected });
      expect(() => avro.Type.forSchema(JSON.parse(schema), { wrapUnions: true })).not.toThrow();
    }
  });

  test('a wider number goes on; a narrower one and NOT NULL do not, and say why', () => {
    const n = (bits: 16 | 32, unsigned: boolean, nullable = false): string =>
      schemaOf(column('n', { kind: 'int', bits, unsigned }, 'int', nullable));
    expect(incompatibilities(n(32, true), [n(16, false)], 'BACKWARD')).toEqual([]);
    expect(incompatibilities(n(16, false), [n(32, true)], 'BACKWARD')).toContain(
      'field before.n is int on one side and long on the other (reading older data with the newer schema)',
    );
    expect(incompatibilities(n(16, false), [n(16, false, true)], 'BACKWARD')).toContain(
      'field before.n may be null on one side and not on the other (reading older data with the newer schema)',
    );
    expect(incompatibilities(n(16, false), [n(32, true), n(16, false)], 'BACKWARD')).toEqual([]);
    expect(incompatibilities(n(16, false), [n(32, true), n(16, false)], 'BACKWARD_TRANSITIVE')).not.toEqual([]);
    expect(incompatibilities('"string"', ['"int"'], 'NONE')).toEqual([]);
  });
});
