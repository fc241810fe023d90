import * as fc from 'fast-check';
import type { Values, Value } from '../../../core/contracts.ts';
import { tableSchema, type Column, type ColumnType, type TableSchema } from '../../../core/table.ts';

/** Column types and canonical values of all kinds, for property tests. */

export function column(name: string, type: ColumnType, declared: string, nullable = false): Column {
  return { name, type, declared, nullable, charset: null, generated: null, default: null, autoIncrement: false };
}

export function tableOf(columns: readonly Column[], key: readonly number[] = [0]): TableSchema {
  return tableSchema({ database: 'shop', name: 'orders', origin: 'shop.orders', columns, key });
}

interface Sample {
  readonly type: ColumnType;
  readonly declared: string;
  readonly values: fc.Arbitrary<Value>;
}

const two = (n: number): string => String(n).padStart(2, '0');
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const dates = fc
  .tuple(fc.integer({ min: 0, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.nat(30))
  .map(
    ([year, month, day]) =>
      `${String(year).padStart(4, '0')}-${two(month)}-${two((day % (monthDays[month - 1] ?? 28)) + 1)}`,
  );
const fractions = (digits: number): fc.Arbitrary<string> =>
  digits === 0
    ? fc.constant('')
    : fc.nat(10 ** digits - 1).map((fraction) => `.${String(fraction).padStart(digits, '0')}`);
const clocks = (hours: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.nat(hours), fc.nat(59), fc.nat(59))
    .map(([hour, minute, second]) => `${two(hour)}:${two(minute)}:${two(second)}`);
const datetimes = (digits: number): fc.Arbitrary<Value> =>
  fc.tuple(dates, clocks(23), fractions(digits)).map(([date, clock, fraction]) => `${date} ${clock}${fraction}`);
const times = (digits: number): fc.Arbitrary<Value> =>
  fc
    .tuple(fc.boolean(), clocks(838), fractions(digits))
    .map(([negative, clock, fraction]) =>
      negative && /[1-9]/.test(clock + fraction) ? `-${clock}${fraction}` : clock + fraction,
    );
const decimals = (precision: number, scale: number): fc.Arbitrary<Value> =>
  fc
    .tuple(fc.boolean(), fc.array(fc.nat(9), { minLength: precision, maxLength: precision }), fc.nat(precision - scale))
    .map(([negative, digits, cut]) => {
      const whole =
        digits
          .slice(cut, precision - scale)
          .join('')
          .replace(/^0+/, '') || '0';
      const text = scale === 0 ? whole : `${whole}.${digits.slice(precision - scale).join('')}`;
      return negative && /[1-9]/.test(text) ? `-${text}` : text;
    });
/** As the source reads them: the shortest decimal from six digits on. */
const floats = fc.float({ noNaN: true, noDefaultInfinity: true }).map((single) => {
  if (Math.trunc(single) === single && Math.abs(single) < 2 ** 24) return single;
  return (
    [6, 7, 8, 9].map((digits) => Number(single.toPrecision(digits))).find((value) => Math.fround(value) === single) ??
    single
  );
});
const bytes = (max: number): fc.Arbitrary<Value> => fc.uint8Array({ maxLength: max });
const labels = ['', 'a', 'weiß', "it's"];

function ints(bits: 8 | 16 | 24 | 32, unsigned: boolean): Sample {
  const half = 2 ** (bits - 1);
  const [min, max] = unsigned ? [0, 2 * half - 1] : [-half, half - 1];
  const names = { 8: 'tinyint', 16: 'smallint', 24: 'mediumint', 32: 'int' };
  return {
    type: { kind: 'int', bits, unsigned },
    declared: names[bits] + (unsigned ? ' unsigned' : ''),
    values: fc.integer({ min, max }),
  };
}

export const samples: readonly Sample[] = [
  ...([8, 16, 24, 32] as const).flatMap((bits) => [ints(bits, false), ints(bits, true)]),
  {
    type: { kind: 'bigint', unsigned: false },
    declared: 'bigint',
    values: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  },
  {
    type: { kind: 'bigint', unsigned: true },
    declared: 'bigint(20) unsigned',
    values: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  },
  { type: { kind: 'decimal', precision: 10, scale: 2 }, declared: 'decimal(10,2)', values: decimals(10, 2) },
  { type: { kind: 'decimal', precision: 65, scale: 30 }, declared: 'decimal(65,30)', values: decimals(65, 30) },
  { type: { kind: 'decimal', precision: 18, scale: 0 }, declared: 'decimal(18,0)', values: decimals(18, 0) },
  { type: { kind: 'float' }, declared: 'float', values: floats },
  { type: { kind: 'double' }, declared: 'double', values: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { type: { kind: 'boolean' }, declared: 'tinyint(1)', values: fc.boolean() },
  { type: { kind: 'bit', length: 1 }, declared: 'bit(1)', values: fc.boolean() },
  { type: { kind: 'bit', length: 10 }, declared: 'bit(10)', values: fc.bigInt({ min: 0n, max: 1023n }) },
  { type: { kind: 'bit', length: 64 }, declared: 'bit(64)', values: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  { type: { kind: 'char', length: 8 }, declared: 'char(8)', values: fc.string({ unit: 'grapheme', maxLength: 8 }) },
  {
    type: { kind: 'varchar', length: 200 },
    declared: 'varchar(200)',
    values: fc.string({ unit: 'binary', maxLength: 200 }),
  },
  { type: { kind: 'text' }, declared: 'longtext', values: fc.string({ maxLength: 300 }) },
  {
    type: { kind: 'binary', length: 16 },
    declared: 'binary(16)',
    values: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  },
  { type: { kind: 'varbinary', length: 99 }, declared: 'varbinary(99)', values: bytes(99) },
  { type: { kind: 'blob' }, declared: 'blob', values: bytes(200) },
  { type: { kind: 'date' }, declared: 'date', values: dates },
  { type: { kind: 'year' }, declared: 'year', values: fc.oneof(fc.constant(0), fc.integer({ min: 1901, max: 2155 })) },
  ...[0, 1, 3, 4, 6].flatMap((digits): Sample[] => [
    { type: { kind: 'datetime', digits }, declared: `datetime(${digits})`, values: datetimes(digits) },
    { type: { kind: 'timestamp', digits }, declared: `timestamp(${digits})`, values: datetimes(digits) },
    { type: { kind: 'time', digits }, declared: `time(${digits})`, values: times(digits) },
  ]),
  { type: { kind: 'enum', labels }, declared: "enum('a','weiß','it''s')", values: fc.constantFrom(...labels) },
  {
    type: { kind: 'set', labels: ['a', 'b', 'c'] },
    declared: "set('a','b','c')",
    values: fc.subarray(['a', 'b', 'c']).map((set) => set.join(',')),
  },
  { type: { kind: 'json' }, declared: 'json', values: fc.json() },
  {
    type: { kind: 'geometry', shape: 'point' },
    declared: 'point',
    values: fc
      .tuple(fc.constantFrom(0, 4326, 0xffff_ffff), fc.uint8Array({ minLength: 1, maxLength: 40 }))
      .map(([srid, wkb]) => {
        const value = Buffer.concat([Buffer.alloc(4), wkb]);
        value.writeUInt32LE(srid);
        return Uint8Array.from(value);
      }),
  },
  {
    type: { kind: 'vector', dimension: 5 },
    declared: 'vector(5)',
    values: fc
      .array(fc.float({ noNaN: true }), { maxLength: 5 })
      .map((floats) => new Uint8Array(Float32Array.from(floats).buffer)),
  },
  { type: { kind: 'uuid' }, declared: 'uuid', values: fc.uuid() },
  { type: { kind: 'inet4' }, declared: 'inet4', values: fc.ipV4() },
  { type: { kind: 'inet6' }, declared: 'inet6', values: fc.ipV6() },
];

export interface Case {
  readonly table: TableSchema;
  readonly before: Values;
  readonly after: Values;
}

const names = fc.oneof(
  fc.constantFrom('id', 'ID', 'a-b', 'a b', 'a_b', '2nd', 'naïve', '表', 'select', 'Value'),
  fc.string({ minLength: 1, maxLength: 12 }),
);

/** Tables of some columns of any kinds, with two rows of theirs. */
export const cases: fc.Arbitrary<Case> = fc
  .tuple(
    fc.uniqueArray(names, { minLength: 1, maxLength: 6 }),
    fc.array(fc.tuple(fc.constantFrom(...samples), fc.boolean()), { minLength: 6, maxLength: 6 }),
    fc.boolean(),
  )
  .chain(([names, kinds, keyed]) => {
    const picked = names.map((name, i) => ({ name, kind: kinds[i] ?? kinds[0] }));
    const columns = picked.map(({ name, kind: [sample, nullable] = [ints(8, false), false] }, i) =>
      column(name, sample.type, sample.declared, nullable && i > 0),
    );
    const row = fc.tuple(
      ...picked.map(({ kind: [sample, nullable] = [ints(8, false), false] }, i) =>
        nullable && i > 0 ? fc.option(sample.values, { nil: null }) : sample.values,
      ),
    );
    return fc.record({ table: fc.constant(tableOf(columns, keyed ? [0] : [])), before: row, after: row });
  });
