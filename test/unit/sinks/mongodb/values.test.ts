import { Binary, Decimal128, Double } from 'mongodb';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../../../core/contracts.ts';
import type { ColumnType } from '../../../../core/table.ts';
import { epochMs } from '../../../../sinks/mongodb/dates.ts';
import { decimal128 } from '../../../../sinks/mongodb/decimal128.ts';
import { bsonOfJson } from '../../../../sinks/mongodb/json.ts';
import { converter } from '../../../../sinks/mongodb/values.ts';
import { column } from '../../../contract/changes.ts';

function refuse(why: string): never {
  throw new Error(why);
}

function json(text: string): unknown {
  return bsonOfJson(text, refuse);
}

function convert(type: ColumnType, value: NonNullable<Value>, nullable = true): unknown {
  return converter(column('c', type, { nullable }), 'shop.t.c')(value);
}

function decimal(text: string): Decimal128 {
  return Decimal128.fromString(text);
}

describe('JSON', () => {
  it.each([
    ['0', 0],
    ['-2147483648', -2147483648],
    ['2147483648', 2147483648n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9223372036854775808', decimal('9223372036854775808')],
    ['1.0', new Double(1)],
    ['1.50', 1.5],
    ['-0', -0],
    ['1e3', new Double(1000)],
    ['0.30000000000000004', 0.30000000000000004],
    ['1.7976931348623157e308', new Double(1.7976931348623157e308)],
    ['5e-324', 5e-324],
    ['3.14159265358979323846', decimal('3.14159265358979323846')],
    ['123456789012345678.25', decimal('123456789012345678.25')],
    ['1e400', decimal('1E+400')],
    ['1'.repeat(40), '1'.repeat(40)],
  ])('keeps the number %s', (text, value) => {
    expect(json(text)).toEqual(value);
  });

  it('reads what JSON.parse reads', () => {
    const scalars = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.constant(null),
      fc.integer({ min: -1e9, max: 1e9 }),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        scalars,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.stringMatching(/^[a-z$."\\ž]{1,6}$/u), tie('tree'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.constantFrom(0, 2), (value, indent) => {
        expect(json(JSON.stringify(value, null, indent))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('keeps every key as data, in order', () => {
    const value = json('{"b": 1, "__proto__": {"x": 1}, "10": 2, "9": 3, "_bsontype": "Long", "$set": {"a.b": 1}}');
    expect(value).toBeInstanceOf(Map);
    expect(value instanceof Map ? [...value.keys()] : []).toEqual(['b', '__proto__', '10', '9', '_bsontype', '$set']);
  });

  it.each(['', '{', '[1,]', '{"a"}', '"a', 'tru', '1 2', '{"a":1,}', "'a'", '01x'])('refuses %j', (text) => {
    expect(() => json(text)).toThrow('it is not JSON');
  });

  it('refuses what is nested too deep for a document', () => {
    expect(() => json('['.repeat(100_000))).toThrow('nested deeper');
  });
});

describe('DECIMAL', () => {
  it('becomes the Decimal128 that the driver makes of its text', () => {
    const digits = fc.stringMatching(/^-?\d{1,24}(\.\d{1,10})?$/);
    fc.assert(
      fc.property(digits, (text) => {
        expect(decimal128(text)?.toString()).toBe(decimal(text).toString());
      }),
    );
  });

  it('keeps more than 34 digits as text', () => {
    const text = `${'9'.repeat(35)}.5`;
    expect(convert({ kind: 'decimal', precision: 36, scale: 1 }, text)).toBe(text);
  });
});

describe('dates', () => {
  it('are the milliseconds that Date counts', () => {
    const range = {
      min: new Date(Date.UTC(1000, 0, 1)),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        const text = date.toISOString().replace('T', ' ').replace('Z', '');
        expect(epochMs(text)).toBe(date.getTime());
        expect(epochMs(text.slice(0, 10))).toBe(Date.parse(text.slice(0, 10)));
      }),
    );
    expect(epochMs('0001-03-01')).toBe(Date.parse('0001-03-01T00:00:00Z'));
  });

  const zero = ['0000-00-00', '2020-00-10', '2020-10-00', '2021-02-29', '2020-13-01'];
  it.each(zero)('are null for %s, which is no date', (text) => {
    expect(convert({ kind: 'date' }, text)).toBeNull();
    expect(convert({ kind: 'datetime', digits: 6 }, `${text} 00:00:00.000000`)).toBeNull();
  });

  it('are refused where they are no date and the column is NOT NULL, without saying the value', () => {
    const refused = expect.objectContaining({
      code: 'TARGET_VALUE_UNSUPPORTED',
      message: expect.not.stringContaining('2020'),
    });
    expect(() => convert({ kind: 'date' }, '2020-00-10', false)).toThrow(refused);
  });
});

describe('geometry', () => {
  const double = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return bytes;
  };
  const head = (type: number): Buffer => Buffer.from([1, type, 0, 0, 0]);
  const count = (n: number): Buffer => Buffer.from([n, 0, 0, 0]);
  const pair = (x: number, y: number): Buffer => Buffer.concat([double(x), double(y)]);
  const srid = (n: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(n);
    return bytes;
  };
  const type: ColumnType = { kind: 'geometry', shape: 'geometry' };
  const ring = Buffer.concat([count(4), pair(0.5, 0.5), pair(1.5, 0.5), pair(1.5, 1.5), pair(0.5, 0.5)]);
  const corners = [
    [0.5, 0.5],
    [1.5, 0.5],
    [1.5, 1.5],
    [0.5, 0.5],
  ];

  it.each<[string, Buffer, unknown]>([
    ['Point', Buffer.concat([head(1), pair(1.5, 2.5)]), [1.5, 2.5]],
    ['LineString', Buffer.concat([head(2), count(1), pair(1.5, 2.5)]), [[1.5, 2.5]]],
    ['Polygon', Buffer.concat([head(3), count(1), ring]), [corners]],
    ['MultiPoint', Buffer.concat([head(4), count(1), head(1), pair(1.5, 2.5)]), [[1.5, 2.5]]],
    ['MultiPolygon', Buffer.concat([head(6), count(1), head(3), count(1), ring]), [[corners]]],
  ])('becomes GeoJSON for a %s', (name, wkb, coordinates) => {
    expect(convert(type, Buffer.concat([srid(4326), wkb]))).toEqual({ type: name, coordinates });
  });

  it('stays bytes in other systems, for collections, and where it is not well formed', () => {
    const point = Buffer.concat([head(1), pair(1, 2)]);
    for (const value of [
      Buffer.concat([srid(3857), point]),
      Buffer.concat([srid(0), head(7), count(0)]),
      Buffer.concat([srid(0), head(2), Buffer.from([255, 255, 255, 255])]),
      Buffer.concat([srid(0), point.subarray(0, 12)]),
      Buffer.alloc(2),
    ]) {
      expect(convert(type, value)).toBe(value);
    }
  });
});

it('makes a UUID of the BSON kind', () => {
  const value = convert({ kind: 'uuid' }, '123e4567-e89b-12d3-a456-426614174000');
  expect(value).toEqual(Binary.createFromHexString('123e4567e89b12d3a456426614174000', Binary.SUBTYPE_UUID));
});
