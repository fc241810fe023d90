import avro from 'avsc';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileDecoder, schemaIdOf } from '../../../codec/avro/decode.ts';
import { compileEncoder, encodeMarkerKey, type Encoder } from '../../../codec/avro/encode.ts';
import { keySchema, markerKeySchema, valueSchema } from '../../../codec/avro/schema.ts';
import { fieldNames } from '../../../codec/avro/names.ts';
import { tableFromSchema } from '../../../codec/avro/table.ts';
import { AvroWriter } from '../../../codec/avro/writer.ts';
import type { Change, Moment, Row, Values } from '../../../core/contracts.ts';
import type { TableSchema } from '../../../core/table.ts';
import { packed, packedTogether } from '../../support/packed.ts';
import { cases, column, samples, tableOf } from './tables.ts';

const topic = 'shop.shop.orders';
const now = 1_760_000_000_123;
const at: Moment = {
  committedAtMs: 1_759_999_999_001,
  gtid: '3e11fa47-71ca-11e1-9e33-c80aa9429562:23',
  file: 'binlog.000007',
  offset: 4242,
  serverId: 17,
};
const ids = { key: 7, value: 8 };

/** avsc keeps a record in an object by field name, where this one is no field: such a table is left to our own round trips. */
const readable = cases.filter(({ table }) => !fieldNames(table.columns).includes('__proto__'));

/** avsc with longs as bigint, for the oracle must not lose digits either. */
const bigLong = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer(value: bigint) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});
function oracle(schema: string): avro.Type {
  return avro.Type.forSchema(JSON.parse(schema), {
    wrapUnions: true,
    typeHook: (type) =>
      type === 'long' || (typeof type === 'object' && 'type' in type && type.type === 'long') ? bigLong : undefined,
  });
}

function encoded(encoder: Encoder, change: Change): Buffer {
  const writer = new AvroWriter(8);
  encoder.value(change, writer, now);
  return Buffer.from(writer.buffer.subarray(0, writer.length));
}

function update(table: TableSchema, before: Row, after: Row): Change {
  return { kind: 'update', table, before, after, at };
}

function roundTrip(table: TableSchema, row: Values): Values | null {
  const message = encoded(compileEncoder(table, topic, { ids, name: 'shop' }), {
    kind: 'insert',
    table,
    before: null,
    after: row,
    at,
  });
  return compileDecoder(valueSchema(table, topic), table).decode(message).after;
}

describe('rows through Avro', () => {
  test('come back as they were, whatever the columns are (G4)', () => {
    fc.assert(
      fc.property(cases, ({ table, before, after }) => {
        const message = encoded(compileEncoder(table, topic, { ids, name: 'shop' }), update(table, before, after));
        const schema = valueSchema(table, topic);
        const decoded = compileDecoder(schema, tableFromSchema(schema, keySchema(table, topic))).decode(message);
        expect(decoded.before).toEqual(before);
        expect(decoded.after).toEqual(after);
      }),
      { numRuns: 400 },
    );
  });

  test('are the very bytes that an independent implementation writes', () => {
    fc.assert(
      fc.property(readable, ({ table, before, after }) => {
        const encoder = compileEncoder(table, topic, { ids, name: 'shop' });
        const message = encoded(encoder, update(table, before, after));
        const type = oracle(valueSchema(table, topic));
        expect(type.toBuffer(type.fromBuffer(message.subarray(5))).equals(message.subarray(5))).toBe(true);
        const schema = keySchema(table, topic);
        if (schema === null) return;
        const writer = new AvroWriter();
        encoder.key(after, writer);
        const key = writer.buffer.subarray(5, writer.length);
        expect(oracle(schema).toBuffer(oracle(schema).fromBuffer(key)).equals(key)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('are the same bytes from rows that still lie in those of their source', () => {
    fc.assert(
      fc.property(cases, ({ table, before, after }) => {
        const encoder = compileEncoder(table, topic, { ids, name: 'shop' });
        const lying = update(table, packed(table, before), packed(table, after));
        expect(encoded(encoder, lying)).toEqual(encoded(encoder, update(table, before, after)));
      }),
      { numRuns: 200 },
    );
  });

  test('are the same bytes where an update left columns as they were', () => {
    const kept = fc.array(fc.boolean(), { minLength: 1 });
    fc.assert(
      fc.property(cases, kept, ({ table, before, after }, keeps) => {
        const encoder = compileEncoder(table, topic, { ids, name: 'shop' });
        const then = after.map((value, i) => ((keeps[i % keeps.length] ?? false) ? (before[i] ?? null) : value));
        const [lying, lyingThen] = packedTogether(table, [before, then]);
        if (lying === undefined || lyingThen === undefined) throw new Error('two rows make two');
        expect(encoded(encoder, update(table, lying, lyingThen))).toEqual(
          encoded(encoder, update(table, before, then)),
        );
      }),
      { numRuns: 200 },
    );
  });

  test.each(samples.map((sample) => [sample.declared, sample] as const))(
    '%s keeps every value',
    (_, { type, declared, values }) => {
      const table = tableOf([column('id', type, declared), column('v', type, declared, true)]);
      const schema = valueSchema(table, topic);
      const encoder = compileEncoder(table, topic, { ids, name: 'shop' });
      const decoder = compileDecoder(schema, table);
      fc.assert(
        fc.property(values, fc.option(values, { nil: null }), (first, second) => {
          expect(decoder.decode(encoded(encoder, update(table, [first, null], [first, second]))).after).toEqual([
            first,
            second,
          ]);
        }),
      );
    },
  );

  test('of every column type travel in one table', () => {
    const columns = samples.map(({ type, declared }, i) => column(`c${i}`, type, declared, true));
    const table = tableOf(columns, []);
    for (const row of fc.sample(fc.tuple(...samples.map(({ values }) => values)), 20))
      expect(roundTrip(table, row)).toEqual(row);
  });
});

describe('an envelope', () => {
  const table = tableOf([
    column('id', { kind: 'bigint', unsigned: false }, 'bigint'),
    column('name', { kind: 'varchar', length: 20 }, 'varchar(20)', true),
  ]);
  const encoder = compileEncoder(table, topic, { ids, name: 'shop' });
  const decoder = compileDecoder(valueSchema(table, topic), table);

  test('says what happened and where it comes from', () => {
    const seen = [
      encoded(encoder, { kind: 'read', table, before: null, after: [1n, 'a'], at }),
      encoded(encoder, { kind: 'insert', table, before: null, after: [1n, 'a'], at }),
      encoded(encoder, update(table, [1n, 'a'], [1n, null])),
      encoded(encoder, { kind: 'delete', table, before: [1n, null], after: null, at: { ...at, gtid: null } }),
      encoded(encoder, { kind: 'truncate', table, at }),
      encoded(encoder, { kind: 'schema', before: table, after: table, statement: 'alter table orders add x int', at }),
      encoded(encoder, { kind: 'marker', token: 'fence', at }),
    ].map((message) => decoder.decode(message));
    expect(seen.map(({ op }) => op).join('')).toBe('rcudtmm');
    expect(seen.map(({ before }) => before)).toEqual([null, null, [1n, 'a'], [1n, null], null, null, null]);
    expect(seen.map(({ after }) => after)).toEqual([[1n, 'a'], [1n, 'a'], [1n, null], null, null, null, null]);
    expect(seen[0]?.source).toEqual({
      tsMs: at.committedAtMs,
      gtid: at.gtid,
      file: 'binlog.000007',
      pos: 4242,
      serverId: 17,
      snapshot: true,
    });
    expect(seen[3]?.source).toMatchObject({ gtid: null, snapshot: false });
  });

  test("holds Debezium's fields as an independent reader sees them", () => {
    const message = encoded(encoder, { kind: 'insert', table, before: null, after: [2n ** 60n, 'x'], at });
    expect(schemaIdOf(message)).toBe(8);
    const seen: unknown = JSON.parse(
      JSON.stringify(oracle(valueSchema(table, topic)).fromBuffer(message.subarray(5)), (_, v: unknown) =>
        typeof v === 'bigint' ? String(v) : v,
      ),
    );
    expect(seen).toMatchObject({
      before: null,
      after: { 'shop.shop.orders.Value': { id: String(2n ** 60n), name: { string: 'x' } } },
      source: {
        connector: 'mysql',
        name: 'shop',
        db: 'shop',
        table: { string: 'orders' },
        ts_ns: { long: '1759999999001000000' },
        snapshot: { string: 'false' },
      },
      op: 'c',
      ts_ms: { long: String(now) },
      ts_us: { long: `${now}000` },
      ts_ns: { long: `${now}000000` },
    });
  });

  test('of a marker has a key that any consumer can read', () => {
    const writer = new AvroWriter();
    encodeMarkerKey('fence/7', 3, writer);
    const message = writer.buffer.subarray(0, writer.length);
    expect(schemaIdOf(message)).toBe(3);
    expect(oracle(markerKeySchema()).fromBuffer(message.subarray(5))).toMatchObject({ token: 'fence/7' });
  });

  test('that is cut short or written with another schema is refused', () => {
    const message = encoded(encoder, update(table, [1n, 'abc'], [1n, 'def']));
    for (let length = 5; length < message.length; length++) {
      expect(() => decoder.decode(message.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'KAFKA_MESSAGE' }),
      );
    }
    expect(() => decoder.decode(Buffer.concat([message, Buffer.from([0])]))).toThrow(
      expect.objectContaining({ code: 'KAFKA_MESSAGE' }),
    );
  });
});

describe('values that Avro cannot hold', () => {
  const zeros = ['0000-00-00', '2020-00-10', '2020-02-30', '1900-02-29'];

  test('zero and partial dates are null where the column may be', () => {
    const table = tableOf([
      column('id', { kind: 'date' }, 'date', true),
      column('d', { kind: 'datetime', digits: 6 }, 'datetime(6)', true),
      column('t', { kind: 'timestamp', digits: 0 }, 'timestamp', true),
    ]);
    for (const zero of zeros)
      expect(roundTrip(table, [zero, `${zero} 00:00:00.000000`, `${zero} 00:00:00`])).toEqual([null, null, null]);
  });

  test('zero dates in a column without NULL are refused by table and column, without the value', () => {
    for (const type of [{ kind: 'date' }, { kind: 'datetime', digits: 0 }, { kind: 'timestamp', digits: 0 }] as const) {
      const table = tableOf([column('due', type, type.kind)]);
      expect(() => roundTrip(table, ['0000-00-00 00:00:00'])).toThrow(
        expect.objectContaining({
          code: 'KAFKA_MESSAGE',
          message: expect.stringMatching(/^shop\.orders .*column due(?!.*0000)/),
        }),
      );
    }
  });

  test('a decimal with more places than its column is refused', () => {
    const table = tableOf([column('price', { kind: 'decimal', precision: 5, scale: 2 }, 'decimal(5,2)')]);
    expect(roundTrip(table, ['1.5'])).toEqual(['1.50']);
    for (const text of ['1.234', '1e3', '', '.'])
      expect(() => roundTrip(table, [text])).toThrow(expect.objectContaining({ code: 'KAFKA_MESSAGE' }));
  });
});
