import { Binary, Decimal128, Double, Int32, Long, UUID } from 'mongodb';

/** A column of every type with one value, written by hand in the words of each database; `wrong…` is the slightest change. */
export interface HandColumn {
  readonly mysql: string;
  readonly literal: string;
  readonly postgres: string;
  readonly value: string;
  readonly wrong: string;
  readonly document: unknown;
  readonly wrongDocument: unknown;
  /** Left out on the other flavour. */
  readonly only?: 'mysql' | 'mariadb';
}

const bytes = (hex: string): Binary => new Binary(Buffer.from(hex, 'hex'));
/** EWKB without a SRID is plain WKB. */
const point = '0101000000000000000000f03f0000000000000440';

function column(
  [mysql, literal]: readonly [string, string],
  [postgres, value, wrong]: readonly [string, string, string],
  [document, wrongDocument]: readonly [unknown, unknown],
  only?: HandColumn['only'],
): HandColumn {
  const parts = { mysql, literal, postgres, value, wrong, document, wrongDocument };
  return only === undefined ? parts : { ...parts, only };
}

export const HAND_COLUMNS: readonly HandColumn[] = [
  column(['TINYINT', '-128'], ['smallint', '-128', '-127'], [new Int32(-128), new Double(-128)]),
  column(['INT(7) UNSIGNED ZEROFILL', '42'], ['bigint', '42', '43'], [Long.fromNumber(42), '0000042']),
  column(
    ['BIGINT', '9007199254740993'],
    ['bigint', '9007199254740993', '9007199254740992'],
    [Long.fromString('9007199254740993'), new Double(9007199254740992)],
  ),
  column(
    ['BIGINT UNSIGNED', '18446744073709551615'],
    ['numeric(20,0)', '18446744073709551615', '18446744073709551614'],
    [Decimal128.fromString('18446744073709551615'), Long.fromNumber(-1)],
  ),
  column(
    ['DECIMAL(30,10)', "'12345678901234567890.1234567890'"],
    ['numeric(30,10)', '12345678901234567890.123456789', '12345678901234567890.123456788'],
    [Decimal128.fromString('12345678901234567890.1234567890'), '12345678901234567890.1234567890'],
  ),
  column(
    ['DECIMAL(12,8)', "'0.00000001'"],
    ['numeric(12,8)', '0.00000001', '0.00000002'],
    [Decimal128.fromString('0.00000001'), Decimal128.fromString('0.00000002')],
  ),
  column(
    ['DECIMAL(65,30)', `'-${'9'.repeat(35)}.${'9'.repeat(30)}'`],
    ['numeric(65,30)', `-${'9'.repeat(35)}.${'9'.repeat(30)}`, `-${'9'.repeat(35)}.${'9'.repeat(29)}8`],
    [`-${'9'.repeat(35)}.${'9'.repeat(30)}`, `-${'9'.repeat(35)}`],
  ),
  column(['FLOAT', '1.1'], ['real', '1.1', '1.2'], [new Double(Math.fround(1.1)), new Double(1.2)]),
  column(['FLOAT', '16777217'], ['real', '16777216', '16777218'], [new Double(16777216), new Double(16777200)]),
  column(
    ['DOUBLE', '1.7976931348623157e308'],
    ['double precision', '1.7976931348623157e308', '1.7976931348623155e308'],
    [new Double(1.7976931348623157e308), new Double(1.7976931348623155e308)],
  ),
  column(['DOUBLE', '-0.1'], ['double precision', '-0.1', '-0.10000000000000002'], [new Double(-0.1), new Int32(0)]),
  column(['BIT(1)', "b'1'"], ['boolean', 'true', 'false'], [true, new Int32(1)]),
  column(['BIT(12)', "b'101'"], ['bit(12)', '000000000101', '000000000100'], [Long.fromNumber(5), new Double(5)]),
  column(['CHAR(8)', "'žluťoučk'"], ['varchar(8)', 'žluťoučk', 'zluťoučk'], ['žluťoučk', 'žluťoučk ']),
  column(['VARCHAR(20)', "'a  '"], ['varchar(20)', 'a  ', 'a '], ['a  ', 'a']),
  column(['VARCHAR(9) CHARACTER SET latin1', "'€ß'"], ['varchar(9)', '€ß', '\u0080ß'], ['€ß', '\u0080ß']),
  column(['TEXT', "'🙂\\n\\t\\\\'"], ['text', '🙂\n\t\\', '🙂\n\t'], ['🙂\n\t\\', '🙂']),
  column(['BINARY(4)', "X'0100'"], ['bytea', '\\x01000000', '\\x0100'], [bytes('01000000'), bytes('0100')]),
  column(['VARBINARY(9)', "X'00ff80'"], ['bytea', '\\x00ff80', '\\x00ff81'], [bytes('00ff80'), bytes('00ff')]),
  column(['BLOB', "X''"], ['bytea', '\\x', '\\x00'], [bytes(''), '']),
  column(['DATE', "'2024-02-29'"], ['date', '2024-02-29', '2024-03-01'], [new Date('2024-02-29'), '2024-02-29']),
  column(
    ['DATETIME', "'1000-01-01 00:00:00'"],
    ['timestamp(0)', '1000-01-01 00:00:00', '1000-01-01 00:00:01'],
    [new Date('1000-01-01T00:00:00Z'), new Date('1000-01-01T00:00:00.001Z')],
  ),
  column(
    ['DATETIME(6)', "'2024-03-31 02:30:00.100001'"],
    ['timestamp(6)', '2024-03-31 02:30:00.100001', '2024-03-31 02:30:00.1'],
    ['2024-03-31T02:30:00.100001', new Date('2024-03-31T02:30:00.100Z')],
  ),
  column(
    ['TIMESTAMP(3) NULL', "'2024-07-01 10:00:00.250'"],
    ['timestamptz(3)', '2024-07-01 10:00:00.25+00', '2024-07-01 12:00:00.25+00'],
    [new Date('2024-07-01T10:00:00.250Z'), new Date('2024-07-01T12:00:00.250Z')],
  ),
  column(
    ['TIMESTAMP(6) NULL', "'2024-07-01 10:00:00.000001'"],
    ['timestamptz(6)', '2024-07-01 12:00:00.000001+02', '2024-07-01 10:00:00+00'],
    ['2024-07-01T10:00:00.000001Z', '2024-07-01T10:00:00.000001'],
  ),
  column(['TIME', "'-838:59:59'"], ['interval', '-838:59:59', '-838:59:58'], ['-838:59:59', '838:59:59']),
  column(['TIME(6)', "'-00:00:00.5'"], ['interval', '-00:00:00.5', '00:00:00.5'], ['-00:00:00.500000', '00:00:00']),
  column(['YEAR', '0'], ['smallint', '0', '2000'], [new Int32(0), new Int32(1900)]),
  column(["ENUM('a','b''c')", "'b''c'"], ['text', "b'c", 'b'], ["b'c", new Int32(2)]),
  column(["SET('x','y','z')", "'z,x'"], ['text[]', '{x,z}', '{z,x}'], [['x', 'z'], 'x,z']),
  column(["SET('x','y','z')", "''"], ['text[]', '{}', '{x}'], [[], null]),
  column(
    ['JSON', `'{"b": [1.50, 1e2, null], "a": {"__proto__": 12345678901234567890}, "": "é"}'`],
    [
      'jsonb',
      '{"":"é","a":{"__proto__":12345678901234567890},"b":[1.5,100,null]}',
      '{"":"é","a":{"__proto__":12345678901234567891},"b":[1.5,100,null]}',
    ],
    [
      new Map<string, unknown>([
        ['b', [new Double(1.5), new Int32(100), null]],
        ['a', new Map([['__proto__', Decimal128.fromString('12345678901234567890')]])],
        ['', 'é'],
      ]),
      '{"b": [1.50, 1e2, null], "a": {"__proto__": 12345678901234567890}, "": "é"}',
    ],
  ),
  column(['JSON', `'null'`], ['jsonb', 'null', 'false'], [null, 'null']),
  column(
    ['POINT', "ST_GeomFromText('POINT(1 2.5)')"],
    ['bytea', `\\x${point}`, `\\x${point.slice(0, -2)}41`],
    [
      { type: 'Point', coordinates: [new Double(1), new Double(2.5)] },
      { type: 'Point', coordinates: [new Double(1), new Double(2)] },
    ],
  ),
  column(
    ['UUID', "'123e4567-e89b-12d3-a456-426614174000'"],
    ['uuid', '123e4567-e89b-12d3-a456-426614174000', '123e4567-e89b-12d3-a456-426614174001'],
    [new UUID('123e4567-e89b-12d3-a456-426614174000'), '123e4567-e89b-12d3-a456-426614174000'],
    'mariadb',
  ),
  column(['INET6', "'::ffff:10.1.2.3'"], ['inet', '::ffff:10.1.2.3', '::1'], ['::ffff:10.1.2.3', '::1'], 'mariadb'),
];
