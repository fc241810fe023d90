import { expect, it } from 'vitest';
import type { Values, Value } from '../../core/contracts.ts';
import type { ColumnType } from '../../core/table.ts';
import { packed } from '../support/packed.ts';
import { column, copy, insert, int, part, read, table, update } from './changes.ts';
import type { TargetHarness } from './harness.ts';
import { never, openScene } from './scene.ts';

/** A type and values at its edges, in canonical form. */
interface Edge {
  readonly declared: string;
  readonly type: ColumnType;
  readonly values: readonly Value[];
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const integer = (bits: 8 | 16 | 24 | 32, unsigned: boolean): ColumnType => ({ kind: 'int', bits, unsigned });

/** SRID and WKB of a point, little endian as MySQL stores it. */
export function point(srid: number, x: number, y: number): Uint8Array {
  const value = new Uint8Array(25);
  const view = new DataView(value.buffer);
  view.setUint32(0, srid, true);
  view.setUint8(4, 1);
  view.setUint32(5, 1, true);
  view.setFloat64(9, x, true);
  view.setFloat64(17, y, true);
  return value;
}

const numbers: Edge[] = [
  { declared: 'tinyint', type: integer(8, false), values: [0, 1, -1, -128, 127] },
  { declared: 'tinyint unsigned', type: integer(8, true), values: [0, 255] },
  { declared: 'smallint', type: integer(16, false), values: [-32768, 32767] },
  { declared: 'smallint unsigned', type: integer(16, true), values: [0, 65535] },
  { declared: 'mediumint', type: integer(24, false), values: [-8388608, 8388607] },
  { declared: 'mediumint unsigned', type: integer(24, true), values: [0, 16777215] },
  { declared: 'int', type: integer(32, false), values: [-2147483648, 2147483647] },
  { declared: 'int unsigned', type: integer(32, true), values: [0, 4294967295] },
  {
    declared: 'bigint',
    type: { kind: 'bigint', unsigned: false },
    values: [0n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n],
  },
  { declared: 'bigint unsigned', type: { kind: 'bigint', unsigned: true }, values: [0n, 2n ** 63n, 2n ** 64n - 1n] },
  {
    declared: 'decimal(10,2)',
    type: { kind: 'decimal', precision: 10, scale: 2 },
    values: ['0.00', '-0.01', '12345678.90', '-99999999.99'],
  },
  {
    declared: 'decimal(65,30)',
    type: { kind: 'decimal', precision: 65, scale: 30 },
    values: [`${'9'.repeat(35)}.${'9'.repeat(30)}`],
  },
  { declared: 'decimal(65,0)', type: { kind: 'decimal', precision: 65, scale: 0 }, values: [`-${'9'.repeat(65)}`] },
  {
    declared: 'float',
    type: { kind: 'float' },
    values: [0, -0, 1.1, -1.5, 3.4028235e38, 1.1754944e-38, 16777216, 1e-45],
  },
  {
    declared: 'double',
    type: { kind: 'double' },
    values: [0, -0, 0.1, 1.7976931348623157e308, 5e-324, -1e21, 1e-7, 2 ** 53],
  },
  { declared: 'bit(1)', type: { kind: 'bit', length: 1 }, values: [false, true] },
  { declared: 'bit(8)', type: { kind: 'bit', length: 8 }, values: [0n, 5n, 255n] },
  { declared: 'bit(64)', type: { kind: 'bit', length: 64 }, values: [0n, 2n ** 63n, 2n ** 64n - 1n] },
  { declared: 'boolean', type: { kind: 'boolean' }, values: [false, true] },
  { declared: 'year', type: { kind: 'year' }, values: [0, 1901, 2155] },
];

const texts: Edge[] = [
  { declared: 'char(5)', type: { kind: 'char', length: 5 }, values: ['', 'a', 'ab cd', '🙂🙂🙂🙂🙂'] },
  {
    declared: 'varchar(10)',
    type: { kind: 'varchar', length: 10 },
    values: ['', 'trail   ', '\t\n\\"\'', 'ěščřžýáíéů'],
  },
  { declared: 'longtext', type: { kind: 'text' }, values: ['', 'x'.repeat(200_000), '日本\\\n'.repeat(20_000)] },
  {
    declared: "enum('a','b''c')",
    type: { kind: 'enum', labels: ['a', "b'c", 'x,y', ' ž'] },
    values: ['', 'a', "b'c", 'x,y', ' ž'],
  },
  {
    declared: "set('a','b')",
    type: { kind: 'set', labels: ['a', 'b"c\\', 'NULL', "d'e", ' f '] },
    values: ['', 'a', 'a,b"c\\', "NULL,d'e, f "],
  },
  {
    declared: 'json',
    type: { kind: 'json' },
    values: [
      'null',
      'true',
      '"text \\" \\\\ \\n ž"',
      '[]',
      '{}',
      '{"a": 1, "b": [1.5, null, "\\t"], "c": {"d": -0.001}}',
      '12345678901234567890',
      '""',
    ],
  },
];

const others: Edge[] = [
  { declared: 'binary(4)', type: { kind: 'binary', length: 4 }, values: [bytes(0, 0, 0, 0), bytes(1, 0, 92, 255)] },
  {
    declared: 'varbinary(9)',
    type: { kind: 'varbinary', length: 9 },
    values: [bytes(), bytes(0, 9, 10, 13, 39, 92, 127, 128, 255)],
  },
  {
    declared: 'blob',
    type: { kind: 'blob' },
    values: [bytes(), Uint8Array.from({ length: 100_000 }, (_, i) => i % 256)],
  },
  { declared: 'date', type: { kind: 'date' }, values: ['1000-01-01', '1969-12-31', '2024-02-29', '9999-12-31'] },
  {
    declared: 'datetime',
    type: { kind: 'datetime', digits: 0 },
    values: ['1000-01-01 00:00:00', '9999-12-31 23:59:59'],
  },
  {
    declared: 'datetime(3)',
    type: { kind: 'datetime', digits: 3 },
    values: ['1969-12-31 23:59:59.999', '2024-03-31 02:30:00.120'],
  },
  {
    declared: 'datetime(6)',
    type: { kind: 'datetime', digits: 6 },
    values: ['2024-02-29 12:34:56.000001', '9999-12-31 23:59:59.999999'],
  },
  {
    declared: 'timestamp',
    type: { kind: 'timestamp', digits: 0 },
    values: ['1970-01-01 00:00:01', '2038-01-19 03:14:08', '2106-02-07 06:28:15'],
  },
  {
    declared: 'timestamp(6)',
    type: { kind: 'timestamp', digits: 6 },
    values: ['2024-10-27 01:30:00.123456', '1970-01-01 00:00:01.000000'],
  },
  {
    declared: 'time',
    type: { kind: 'time', digits: 0 },
    values: ['00:00:00', '23:59:59', '838:59:59', '-838:59:59', '-00:00:01'],
  },
  {
    declared: 'time(6)',
    type: { kind: 'time', digits: 6 },
    values: ['00:00:00.000001', '-838:59:58.999999', '-00:00:00.500000'],
  },
  {
    declared: 'point',
    type: { kind: 'geometry', shape: 'point' },
    values: [point(0, 1, -2.5), point(4326, 14.42, 50.09)],
  },
  {
    declared: 'vector(3)',
    type: { kind: 'vector', dimension: 3 },
    values: [floats(0, 1.5, -1), floats(0.1, 3.4e38, 1e-40)],
  },
  {
    declared: 'uuid',
    type: { kind: 'uuid' },
    values: ['00000000-0000-0000-0000-000000000000', '123e4567-e89b-12d3-a456-426614174000'],
  },
  { declared: 'inet4', type: { kind: 'inet4' }, values: ['0.0.0.0', '255.255.255.255'] },
  { declared: 'inet6', type: { kind: 'inet6' }, values: ['::', '2001:db8::ff00:42:8329', '::ffff:10.1.2.3'] },
];

/** Every column type with values at its edges. */
export const edges: readonly Edge[] = [...numbers, ...texts, ...others];

/** Registers one test per column type: its edge values and NULL, streamed, copied and updated, come back as they were. */
export function registerTypeTests(harness: TargetHarness): void {
  it.each(edges)('keeps every value of $declared', async ({ declared, type, values }) => {
    const scene = openScene(harness);
    const t = table(scene.name(), [column('id', int), column('v', type, { declared })], ['id']);
    const target = await scene.open(t);
    const rows = [...values, null].map((value, id): Values => [id, value]);
    const copied = rows.map(([, value], id): Values => [100 + id, value ?? null]);
    await scene.apply(
      target,
      rows.map((row) => insert(t, row)),
    );
    await target.apply(
      copy,
      { ...part(copied.map((row) => read(t, row))), checkpoint: { set: new Map([['c', '']]), drop: [] } },
      never,
    );
    await scene.apply(
      target,
      copied.map((row) => update(t, row, row)),
    );
    expect(await scene.rows(t)).toEqual(scene.expected(t, [...rows, ...copied]));
  });

  it('keeps every type in one wide table, in large batches, as values and in the source’s bytes', async () => {
    const scene = openScene(harness);
    const columns = edges.map(({ declared, type }, i) => column(`c${String(i)}`, type, { declared }));
    const t = table(scene.name(), [column('id', int), ...columns], ['id']);
    const isLarge = (value: Value): boolean =>
      (typeof value === 'string' || value instanceof Uint8Array) && value.length >= 1000;
    const small = edges.map(({ values }) => values.filter((value) => !isLarge(value)));
    const rows = Array.from({ length: 120 }, (_, id): Values => [
      id,
      ...small.map((values) => values[id % values.length] ?? null),
    ]);
    await scene.apply(
      await scene.open(t),
      rows.map((row, i) => insert(t, i % 2 === 0 ? row : packed(t, row))),
    );
    expect(await scene.rows(t)).toEqual(scene.expected(t, rows));
  });
}
