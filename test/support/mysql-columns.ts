import type { Random } from '../../dev/random.ts';
import { literal, type SqlValue } from '../../dev/sql.ts';
import type { Value } from '../../core/contracts.ts';
import type { Flavour } from './mysql-run.ts';
import { jsonDocument, jsonEdges } from './mysql-json.ts';

/** One column of the type matrix: its definition, SQL literals at the edges of its type, and more at random. */
export interface MatrixColumn {
  readonly sql: string;
  readonly edges: readonly string[];
  readonly random: (random: Random) => string;
  /** The canonical values of the first edges, said by hand. */
  readonly expected?: readonly Value[];
  readonly only?: Flavour;
  /** Not written by us. */
  readonly computed?: true;
}

const from =
  (values: readonly [string, ...string[]]) =>
  (random: Random): string =>
    random.pick(values);
const digits = (random: Random, length: number): string =>
  Array.from({ length }, () => String(random.int(10))).join('') || '0';
const pad = (value: number, length: number): string => String(value).padStart(length, '0');
const hex = (random: Random, length: number): string => literal(random.bytes(length));
const quoted = (values: readonly SqlValue[]): string[] => values.map(literal);

function integer(sql: string, bits: number, unsigned: boolean): MatrixColumn {
  const [low, high] = unsigned
    ? [0n, 2n ** BigInt(bits) - 1n]
    : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
  const canonical = (value: bigint): Value => (bits === 64 ? value : Number(value));
  const values = [low, high, 0n, unsigned ? 1n : -1n];
  return {
    sql: unsigned ? `${sql} UNSIGNED` : sql,
    edges: values.map(String),
    expected: values.map(canonical),
    random: (random) => String(BigInt.asUintN(bits, BigInt(`0x${random.bytes(8).toString('hex')}`)) + low),
  };
}

function decimal(precision: number, scale: number, more = ''): MatrixColumn {
  const whole = '9'.repeat(precision - scale) || '0';
  const largest = scale === 0 ? whole : `${whole}.${'9'.repeat(scale)}`;
  const zero = scale === 0 ? '0' : `0.${'0'.repeat(scale)}`;
  const sign = (random: Random): string => (more === '' && random.chance(0.5) ? '-' : '');
  return {
    sql: `DECIMAL(${precision},${scale}) ${more}`,
    edges: [largest, '0', ...(more === '' ? [`-${largest}`] : [])],
    expected: [largest, zero, ...(more === '' ? [`-${largest}`] : [])],
    random: (random) =>
      `${sign(random)}${digits(random, random.int(precision - scale + 1))}.${digits(random, random.int(scale + 1))}`,
  };
}

const numbers: MatrixColumn[] = [
  ...[false, true].flatMap((unsigned) => [
    integer('TINYINT', 8, unsigned),
    integer('SMALLINT', 16, unsigned),
    integer('MEDIUMINT', 24, unsigned),
    integer('INT', 32, unsigned),
    integer('BIGINT', 64, unsigned),
  ]),
  {
    sql: 'INT(9) UNSIGNED ZEROFILL',
    edges: ['7', '4294967295'],
    expected: [7, 4_294_967_295],
    random: (random) => String(random.int(2 ** 32)),
  },
  { sql: 'TINYINT(1)', edges: ['2', '-128'], expected: [2, -128], random: (random) => String(random.int(128)) },
  decimal(65, 30),
  decimal(65, 0),
  decimal(30, 30),
  decimal(10, 2),
  decimal(9, 9),
  decimal(1, 0),
  decimal(19, 10),
  decimal(12, 4, 'UNSIGNED ZEROFILL'),
  {
    sql: 'FLOAT',
    edges: ['1.1', '-1.5', '3.4028234e38', '1.17549435e-38', '16777216', '16777217', '0', '123456.789', '1e-40'],
    expected: [1.1, -1.5],
    random: (random) => (random.bytes(4).readInt32LE(0) * 10 ** random.between(-40, 20)).toPrecision(9),
  },
  { sql: 'FLOAT(7,3)', edges: ['1.1', '-1234.567'], expected: [1.1], random: (random) => `${random.int(9999)}.123` },
  {
    sql: 'DOUBLE',
    edges: ['0.1', '-1.7976931348623157e308', '2.2250738585072014e-308', '5e-324', '9007199254740993', '1e21', '-0.0'],
    expected: [0.1, -1.797_693_134_862_315_7e308],
    random: (random) => String((random.next() - 0.5) * 10 ** random.between(-300, 300)),
  },
  { sql: 'BIT(1)', edges: ["b'0'", "b'1'"], expected: [false, true], random: from(["b'0'", "b'1'"]) },
  { sql: 'BIT(13)', edges: ["b'1111111111111'", '5'], expected: [8191n, 5n], random: (r) => String(r.int(8192)) },
  {
    sql: 'BIT(64)',
    edges: ['18446744073709551615', '9223372036854775808', '0'],
    expected: [2n ** 64n - 1n, 2n ** 63n, 0n],
    random: (random) => `0x${random.bytes(8).toString('hex')}`,
  },
  {
    sql: 'YEAR',
    edges: ['0', '1901', '2155'],
    expected: [0, 1901, 2155],
    random: (r) => String(r.between(1901, 2155)),
  },
];

function characters(sql: string, repertoire: string, longest: number): MatrixColumn {
  const all = [...repertoire];
  const longText = Array.from({ length: longest }, (_, i) => all[i % all.length]).join('');
  const values = ['', 'a', longText, ' \'\\"\n\t '].map((text) => text.slice(0, longest).trimEnd());
  return {
    sql,
    edges: quoted(values),
    expected: values,
    random: (random) =>
      literal(Array.from({ length: random.int(longest + 1) }, () => all[random.int(all.length)]).join('')),
  };
}

const czech = 'abc XYZ ěščřžýáíé';
const texts: MatrixColumn[] = [
  characters('CHAR(5) CHARACTER SET utf8mb4', `${czech}🙂日`, 5),
  { sql: 'CHAR(4) CHARACTER SET latin1', edges: ["'a   '", "'  b'"], expected: ['a', '  b'], random: from(["'x '"]) },
  characters('CHAR(100) CHARACTER SET utf8mb4', `${czech}🙂日`, 60),
  characters('VARCHAR(20) CHARACTER SET utf8mb4', `${czech}🙂日本`, 20),
  {
    sql: 'VARCHAR(10) CHARACTER SET utf8mb4',
    edges: ["'trail   '", "'\\0'", "'a\\0b'"],
    expected: ['trail   ', '\0', 'a\0b'],
    random: from(["'x  '"]),
  },
  characters('VARCHAR(400) CHARACTER SET latin1', 'abc €‚ƒ„…†‡ˆ‰Š‹ŒŽ äöüÿ§', 300),
  characters('VARCHAR(20) CHARACTER SET utf8mb3', `${czech}日本`, 20),
  characters('CHAR(8) CHARACTER SET ucs2', `${czech}日本`, 8),
  characters('VARCHAR(20) CHARACTER SET utf16', `${czech}🙂日本`, 10),
  characters('VARCHAR(20) CHARACTER SET utf32', `${czech}🙂日本`, 10),
  characters('VARCHAR(20) CHARACTER SET latin2', czech, 20),
  characters('VARCHAR(20) CHARACTER SET cp1250', czech, 20),
  characters('VARCHAR(20) CHARACTER SET cp1251', 'abc Привет', 20),
  characters('VARCHAR(20) CHARACTER SET koi8r', 'abc Привет', 20),
  characters('VARCHAR(20) CHARACTER SET gbk', 'abc 日本中文', 20),
  characters('VARCHAR(20) CHARACTER SET sjis', 'abc 日本カナ', 20),
  characters('VARCHAR(20) CHARACTER SET ascii', 'abc ~!', 20),
  characters('TINYTEXT CHARACTER SET utf8mb4', `${czech}🙂`, 50),
  characters('TEXT CHARACTER SET latin1', 'abc äöü€', 500),
  {
    ...characters('MEDIUMTEXT CHARACTER SET utf8mb4', `${czech}🙂`, 50),
    edges: ["REPEAT('ž', 40000)", "''"],
    expected: ['ž'.repeat(40_000), ''],
  },
  characters('LONGTEXT CHARACTER SET utf8mb4', `${czech}🙂`, 50),
  {
    sql: "ENUM('a','b''c','x,y','ž') CHARACTER SET latin2",
    edges: ["'a'", "'b\\'c'", '4', "'not there'"],
    expected: ['a', "b'c", 'ž', ''],
    random: (random) => String(random.between(1, 4)),
  },
  {
    sql: `ENUM(${Array.from({ length: 300 }, (_, i) => `'v${i}'`).join()})`,
    edges: ["'v0'", "'v299'"],
    expected: ['v0', 'v299'],
    random: (random) => `'v${random.int(300)}'`,
  },
  {
    sql: "SET('a','b''c','d e','ž') CHARACTER SET utf8mb4",
    edges: ["''", "'ž,a'", "'a,b\\'c,d e,ž'"],
    expected: ['', 'a,ž', "a,b'c,d e,ž"],
    random: (random) => String(random.int(16)),
  },
  {
    sql: `SET(${Array.from({ length: 64 }, (_, i) => `'v${i}'`).join()})`,
    edges: ["'v63,v0'"],
    expected: ['v0,v63'],
    random: (random) => `0x${random.bytes(8).toString('hex')}`,
  },
];

const bytes: MatrixColumn[] = [
  {
    sql: 'BINARY(4)',
    edges: ["x'01000000'", "x'00000000'", "x'61'"],
    expected: [Uint8Array.of(1, 0, 0, 0), Uint8Array.of(0, 0, 0, 0), Uint8Array.of(97, 0, 0, 0)],
    random: (random) => hex(random, 4),
  },
  { sql: 'BINARY(255)', edges: ["x'20'", "''"], random: (random) => hex(random, 255) },
  {
    sql: 'VARBINARY(300)',
    edges: ["x''", "x'00'", "x'610000'"],
    expected: [new Uint8Array(), Uint8Array.of(0), Uint8Array.of(97, 0, 0)],
    random: (random) => hex(random, random.int(300)),
  },
  ...['TINYBLOB', 'BLOB', 'MEDIUMBLOB', 'LONGBLOB'].map((sql) => ({
    sql,
    edges: ["''", "x'00ff'"],
    random: (random: Random) => hex(random, random.int(250)),
  })),
];

const day = (random: Random): string =>
  `${pad(random.between(1000, 9999), 4)}-${pad(random.between(1, 12), 2)}-${pad(random.between(1, 28), 2)}`;
const clock = (random: Random): string =>
  `${pad(random.int(24), 2)}:${pad(random.int(60), 2)}:${pad(random.int(60), 2)}.${pad(random.int(1_000_000), 6)}`;

function temporals(): MatrixColumn[] {
  const times: MatrixColumn[] = [0, 1, 2, 3, 4, 5, 6].flatMap((n): MatrixColumn[] => [
    {
      sql: `DATETIME(${n})`,
      edges: quoted(['1000-01-01 00:00:00', '9999-12-31 23:59:59', '0000-00-00 00:00:00', '2020-00-10 01:02:03.5']),
      random: (random) => `'${day(random)} ${clock(random)}'`,
    },
    {
      sql: `TIME(${n})`,
      edges: quoted([
        '-838:59:59',
        '838:59:59',
        '-00:00:01',
        '-00:00:00.5',
        '00:00:00',
        '-12:59:59.999999',
        '100:00:00.1',
      ]),
      random: (random) => `'${random.chance(0.5) ? '-' : ''}${pad(random.int(838), 2)}:${clock(random).slice(3)}'`,
    },
    {
      sql: `TIMESTAMP(${n}) NULL`,
      edges: quoted([
        '1970-01-01 00:00:01',
        '2038-01-19 03:14:07',
        '0000-00-00 00:00:00',
        '2024-03-31 02:30:00.123456',
      ]),
      random: (random) => `FROM_UNIXTIME(${random.between(1, 2_147_483_647)}.${pad(random.int(1_000_000), 6)})`,
    },
  ]);
  const date: MatrixColumn = {
    sql: 'DATE',
    edges: quoted(['0000-00-00', '2020-00-10', '2020-02-00', '1000-01-01', '9999-12-31', '2024-02-29']),
    expected: ['0000-00-00', '2020-00-10', '2020-02-00', '1000-01-01', '9999-12-31', '2024-02-29'],
    random: (random) => `'${day(random)}'`,
  };
  return [date, ...times];
}

const point = (random: Random): string =>
  `ST_GeomFromText('POINT(${random.next() * 90} ${random.next() * 90})', ${random.pick([0, 4326])})`;

const others: MatrixColumn[] = [
  { sql: 'JSON', edges: jsonEdges('mysql'), random: jsonDocument, only: 'mysql' },
  { sql: 'JSON', edges: jsonEdges('mariadb'), random: jsonDocument, only: 'mariadb' },
  {
    sql: 'GEOMETRY',
    edges: [
      "ST_GeomFromText('LINESTRING(0 0, 1 1, 2 2)')",
      "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))')",
    ],
    random: point,
  },
  { sql: 'POINT', edges: ["ST_GeomFromText('POINT(1 -2.5)')"], random: point },
  { sql: 'POLYGON', edges: ["ST_GeomFromText('POLYGON((0 0, 1 0, 1 1, 0 0))')"], random: from(['NULL']) },
  {
    sql: 'VECTOR(3)',
    edges: ["STRING_TO_VECTOR('[1, -2.5, 3e10]')"],
    random: (random) => `STRING_TO_VECTOR('[${random.next()}, ${random.next()}, 0]')`,
    only: 'mysql',
  },
  {
    sql: 'UUID',
    edges: quoted([
      '00000000-0000-0000-0000-000000000000',
      '123e4567-e89b-12d3-a456-426614174000',
      '01890a5d-ac96-774b-bcce-b302099a8057',
      '1ec9414c-232a-6b00-b3c8-9e6bdeced846',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
    ]),
    random: (random) =>
      literal(
        random
          .bytes(16)
          .toString('hex')
          .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
      ),
    only: 'mariadb',
  },
  {
    sql: 'INET4',
    edges: quoted(['0.0.0.0', '255.255.255.255', '10.0.0.1']),
    random: (r) => `'${r.int(256)}.0.${r.int(256)}.1'`,
    only: 'mariadb',
  },
  {
    sql: 'INET6',
    edges: quoted([
      '::',
      '::1',
      '::ffff:10.1.2.3',
      '::10.1.2.3',
      '2001:db8::ff00:42:8329',
      '1:0:0:2:0:0:0:3',
      '1:0:2:0:3:0:4:0',
      'ffff::',
      '::2:3',
      '::ffff:0:0',
      '0:0:0:0:ffff::',
    ]),
    random: (random) =>
      literal(Array.from({ length: 8 }, () => (random.chance(0.5) ? '0' : random.int(65_536).toString(16))).join(':')),
    only: 'mariadb',
  },
  { sql: 'INT GENERATED ALWAYS AS (c0 * 2) VIRTUAL', edges: [], random: from(['']), computed: true },
  { sql: 'INT GENERATED ALWAYS AS (c0 * 3) STORED', edges: [], random: from(['']), computed: true },
  {
    sql: 'INT INVISIBLE DEFAULT 5',
    edges: ['7'],
    expected: [7],
    random: (random) => String(random.int(9)),
    only: 'mariadb',
  },
  {
    sql: 'INT DEFAULT 5 INVISIBLE',
    edges: ['7'],
    expected: [7],
    random: (random) => String(random.int(9)),
    only: 'mysql',
  },
];

/** A column of every type that the server knows; `c0` is a TINYINT. */
export function matrixColumns(flavour: Flavour): MatrixColumn[] {
  return [...numbers, ...texts, ...bytes, ...temporals(), ...others].filter(
    ({ only }) => only === undefined || only === flavour,
  );
}
