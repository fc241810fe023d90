import { describe, expect, test } from 'vitest';
import { compileDecoder } from '../../../codec/avro/decode.ts';
import { valueSchema } from '../../../codec/avro/schema.ts';
import { tableFromSchema } from '../../../codec/avro/table.ts';
import type { Value } from '../../../core/contracts.ts';
import fixture from './debezium-3.3.json' with { type: 'json' };

/** A point's or vector's bytes as the source has them. */
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const line = hex('00000000010200000002000000' + '00'.repeat(16) + '000000000000f03f'.repeat(2));

/** What was inserted, column by column, in canonical form. */
const inserted: Readonly<Record<string, Value>> = {
  id: 2n ** 64n - 1n,
  k: 1,
  ti: null,
  tiu: 255,
  si: -32768,
  siu: 65535,
  mi: -8388608,
  iu: 4294967295,
  bi: -(2n ** 63n),
  flag: 1,
  de: '-123456789.125',
  big: '12345678901234567890123456789012345.123456789012345678901234567891',
  fl: 1.1,
  do: -2.5e300,
  b1: true,
  b10: 682n,
  ch: 'abc',
  vc: 'new',
  tx: 'text',
  bin: hex('01020300'),
  vb: hex('ff00'),
  bl: hex('deadbeef'),
  d: '2025-10-09',
  y: 2025,
  dt: '2025-10-09 12:34:56',
  dt3: '2025-10-09 12:34:56.789',
  dt6: '9999-12-31 23:59:59.123456',
  ts: '2025-10-09 12:34:56',
  ts6: '2025-10-09 12:34:56.654321',
  t: '-12:34:56',
  t3: '12:34:56.789',
  t6: '838:59:58.000001',
  en: 'b',
  se: 'x,z',
  js: '{"a":1.5,"b":[1,2]}',
  pt: hex('e610000001010000000000000000000040000000000000f03f'),
  ge: line,
  'a-b': 5,
  '2nd': 6,
  ve: hex('0000803f00002040000040c0'),
};

describe('a message of Debezium itself', () => {
  const { keySchema, valueSchema: written, value } = fixture.propagated;
  const table = tableFromSchema(written, keySchema);
  const decoded = compileDecoder(written, table).decode(Buffer.from(value, 'base64'));

  test('gives the rows that the source had', () => {
    expect(decoded.op).toBe('d');
    expect(Object.fromEntries(table.columns.map((column, i) => [column.name, decoded.before?.[i]]))).toEqual(inserted);
    expect(decoded.source).toMatchObject({
      file: 'binlog.000001',
      pos: 5769,
      snapshot: false,
      gtid: expect.stringMatching(/:11$/),
    });
  });

  test('gives the table with its key, sizes and signs', () => {
    expect(table.key.map((index) => table.columns[index]?.name)).toEqual(['id', 'k']);
    const types = Object.fromEntries(table.columns.map((column) => [column.name, column.type]));
    expect(types).toMatchObject({
      id: { kind: 'bigint', unsigned: true },
      tiu: { kind: 'int', bits: 8, unsigned: true },
      big: { kind: 'decimal', precision: 65, scale: 30 },
      vc: { kind: 'varchar', length: 50 },
      bin: { kind: 'binary', length: 4 },
      dt6: { kind: 'datetime', digits: 6 },
      ts: { kind: 'timestamp', digits: 0 },
      t3: { kind: 'time', digits: 3 },
      en: { kind: 'enum', labels: ['a', 'b'] },
      ve: { kind: 'vector', dimension: 3 },
    });
    expect(table.columns.filter(({ nullable }) => !nullable).map(({ name }) => name)).toEqual(['id', 'k', 'tiu', 'vc']);
  });

  test("has the schema that we would write for its table, but for what is Lockstep's own", () => {
    const ours: unknown = JSON.parse(valueSchema(table, 'dbzp.shop.all-types'));
    expect(withoutOwn(ours)).toEqual(withoutOwn(JSON.parse(written)));
  });

  test('can be read without the parameters of its columns', () => {
    const { keySchema, valueSchema: written, value } = fixture.plain;
    const table = tableFromSchema(written, keySchema);
    const { op, after } = compileDecoder(written, table).decode(Buffer.from(value, 'base64'));
    expect(op).toBe('r');
    const row = Object.fromEntries(table.columns.map((column, i) => [column.name, after?.[i]]));
    expect(row).toMatchObject({
      de: '-123456789.125',
      dt6: '9999-12-31 23:59:59.123456',
      t6: '838:59:58.000001',
      en: 'b',
      a_b: 5,
      b10: 682n,
      ge: line,
    });
  });
});

/** Points are Geometry with us; geometries' parameters stand at the field; `lockstep` and defaults are what Debezium has not or has less of. */
function withoutOwn(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(withoutOwn);
  if (typeof json !== 'object' || json === null) return json;
  if ('name' in json && (json.name === 'pt' || json.name === 'ge')) return json.name;
  const own = new Set([
    'lockstep',
    'connect.default',
    ...('default' in json && json.default !== null && json.default !== 'false' ? ['default'] : []),
  ]);
  return Object.fromEntries(
    Object.entries(json)
      .filter(([name]) => !own.has(name))
      .map(([name, value]) => [name, withoutOwn(value)]),
  );
}
