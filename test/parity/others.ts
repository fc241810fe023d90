import type { Random } from '../../dev/random.ts';
import { literal } from '../../dev/sql.ts';
import type { Flavour } from '../support/mysql-run.ts';
import { hex, oneOf, quoted, type ParityColumn } from './column.ts';

export const bytes: readonly ParityColumn[] = [
  {
    sql: 'BINARY(4)',
    edges: ["x'01000000'", "x'00000000'", "x'61'", "x'20202020'", "x'ffffffff'"],
    is: [
      [1, 0, 0, 0],
      [0, 0, 0, 0],
      [97, 0, 0, 0],
      [32, 32, 32, 32],
      [255, 255, 255, 255],
    ].map((b) => Uint8Array.from(b)),
    random: (random) => hex(random, 4),
    note: 'zero bytes at the end, which the binary log leaves out, are there again',
  },
  { sql: 'BINARY(255)', edges: ["x'20'", "''"], random: (random) => hex(random, 255) },
  {
    sql: 'VARBINARY(300)',
    edges: ["x''", "x'00'", "x'610000'", "x'5c4e'"],
    is: [[], [0], [97, 0, 0], [92, 78]].map((b) => Uint8Array.from(b)),
    random: (random) => hex(random, random.int(300)),
  },
  ...['TINYBLOB', 'BLOB', 'MEDIUMBLOB', 'LONGBLOB'].map((sql) => ({
    sql,
    edges: ["''", "x'00ff'", "x'0a0d095c27'"],
    random: (random: Random) => hex(random, random.int(250)),
  })),
];

/** Bytes that MariaDB compresses, or keeps as they are where they are short or would not get shorter. */
export const compressedBytes: readonly ParityColumn[] = [
  'VARBINARY(600)',
  'TINYBLOB',
  'BLOB',
  'MEDIUMBLOB',
  'LONGBLOB',
].map((type) => ({
  sql: `${type} COMPRESSED`,
  edges: ["''", "x'00'", "REPEAT(x'00ff', 60)", "REPEAT(x'00', 250)", "x'0a0d095c27'"],
  is: [new Uint8Array(), Uint8Array.of(0)],
  random: (random: Random) => (random.chance(0.5) ? hex(random, random.int(250)) : `REPEAT(x'61', ${random.int(250)})`),
  only: 'mariadb',
}));

const geometries = [
  ['POINT', 'POINT(1 -2.5)', 'POINT(-1.7976931348623157e308 5e-324)'],
  ['LINESTRING', 'LINESTRING(0 0, 1 1, 2.5 -2)'],
  ['POLYGON', 'POLYGON((0 0, 9 0, 9 9, 0 0), (1 0.1, 2 0.1, 2 0.2, 1 0.1))'],
  ['MULTIPOINT', 'MULTIPOINT(0 0, 1 1)'],
  ['MULTILINESTRING', 'MULTILINESTRING((0 0, 1 1), (2 2, 3 3))'],
  ['MULTIPOLYGON', 'MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))'],
  ['GEOMETRYCOLLECTION', 'GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))'],
] as const;

const fromText = (text: string, srid = 0): string => `ST_GeomFromText('${text}', ${srid})`;

const point = (random: Random): string =>
  fromText(`POINT(${random.next() * 90} ${random.next() * 90})`, random.pick([0, 4326]));

export const shapes: readonly ParityColumn[] = [
  {
    sql: 'GEOMETRY',
    edges: [
      ...geometries.map(([, text]) => fromText(text)),
      fromText('POINT(50 14.5)', 4326),
      fromText('POINT(14 50)', 3857),
      fromText('GEOMETRYCOLLECTION(POINT(1 2))', 4326),
    ],
    random: point,
    note: 'SRIDs 0, 4326 and 3857; GeoJSON has no SRID: MongoDB holds bytes where it is neither 0 nor 4326, and for collections',
  },
  ...geometries.map(([sql, ...edges]): ParityColumn => ({
    sql,
    edges: edges.map((text) => fromText(text)),
    random: sql === 'POINT' ? point : oneOf('NULL'),
  })),
  {
    sql: 'VARCHAR(10) CHARACTER SET latin1',
    edges: ["'€'"],
    is: ['€'],
    random: oneOf("'é'"),
    note: 'behind geometries, which are not counted among character sets everywhere',
  },
  {
    sql: 'VECTOR(3)',
    edges: [
      "STRING_TO_VECTOR('[1, -2.5, 3e10]')",
      "STRING_TO_VECTOR('[0.1, 3.4028234e38, 1.2e-38]')",
      "STRING_TO_VECTOR('[-0.0, 0, 1]')",
    ],
    is: [new Uint8Array(Float32Array.of(1, -2.5, 3e10).buffer)],
    random: (random) => `STRING_TO_VECTOR('[${random.next()}, ${random.next()}, 0]')`,
    only: 'mysql',
  },
];

export const addresses: readonly ParityColumn[] = [
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
    is: ['0.0.0.0', '255.255.255.255', '10.0.0.1'],
    random: (random) => `'${random.int(256)}.0.${random.int(256)}.1'`,
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
];

const made = oneOf('NULL');

/** Columns that are more than their type. `n` is the first of them. */
export function specials(flavour: Flavour): readonly ParityColumn[] {
  const invisible = flavour === 'mysql' ? 'INT DEFAULT 5 INVISIBLE' : 'INT INVISIBLE DEFAULT 5';
  return [
    { sql: 'INT', edges: ['1', '-7'], is: [1, -7], random: (random) => String(random.int(1000)) },
    { sql: 'INT GENERATED ALWAYS AS (c0 * 2) VIRTUAL', edges: [], random: made, computed: true },
    { sql: 'INT GENERATED ALWAYS AS (c0 * 3) STORED', edges: [], random: made, computed: true },
    {
      sql: "VARCHAR(20) CHARACTER SET latin1 GENERATED ALWAYS AS (CONCAT('€', c0)) STORED",
      edges: [],
      random: made,
      computed: true,
    },
    { sql: invisible, edges: ['7', '-1'], is: [7, -1], random: (random) => String(random.int(9)) },
  ];
}
