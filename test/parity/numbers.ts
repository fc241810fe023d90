import type { Value } from '../../core/contracts.ts';
import type { Random } from '../../dev/random.ts';
import { digits, oneOf, type ParityColumn } from './column.ts';

function integer(sql: string, bits: number, unsigned: boolean): ParityColumn {
  const [low, high] = unsigned
    ? [0n, 2n ** BigInt(bits) - 1n]
    : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
  const middle = unsigned ? 2n ** BigInt(bits - 1) : -1n;
  const values = [low, high, 0n, middle, ...(bits === 64 ? [2n ** 53n + 1n] : [])];
  return {
    sql: unsigned ? `${sql} UNSIGNED` : sql,
    edges: values.map(String),
    is: values.map((value): Value => (bits === 64 ? value : Number(value))),
    random: (random) => String(BigInt.asUintN(bits, BigInt(`0x${random.bytes(8).toString('hex')}`)) + low),
  };
}

export const integers: readonly ParityColumn[] = [
  ...['TINYINT', 'SMALLINT', 'MEDIUMINT', 'INT', 'BIGINT'].flatMap((name, i) => {
    const bits = [8, 16, 24, 32, 64][i] ?? 0;
    return [integer(name, bits, false), integer(name, bits, true)];
  }),
  {
    sql: 'TINYINT(1)',
    edges: ['0', '1', '2', '-128'],
    is: [0, 1, 2, -128],
    random: (random) => String(random.int(128)),
    note: 'a number, unless a rule says boolean',
  },
  {
    sql: 'INT(9) UNSIGNED ZEROFILL',
    edges: ['7', '0', '4294967295'],
    is: [7, 0, 4_294_967_295],
    random: (random) => String(random.int(2 ** 32)),
  },
  {
    sql: 'BIGINT(20) UNSIGNED ZEROFILL',
    edges: ['7', '18446744073709551615'],
    is: [7n, 2n ** 64n - 1n],
    random: (random) => String(random.int(2 ** 32)),
  },
  { sql: 'BIT(1)', edges: ["b'0'", "b'1'"], is: [false, true], random: oneOf("b'0'", "b'1'") },
  {
    sql: 'BIT(10)',
    edges: ["b'1000000001'", "b'1111111111'", "b'0'", '2'],
    is: [513n, 1023n, 0n, 2n],
    random: (random) => String(random.int(1024)),
  },
  {
    sql: 'BIT(64)',
    edges: ['18446744073709551615', '9223372036854775808', '9223372036854775807', '0'],
    is: [2n ** 64n - 1n, 2n ** 63n, 2n ** 63n - 1n, 0n],
    random: (random) => `0x${random.bytes(8).toString('hex')}`,
  },
  {
    sql: 'YEAR',
    edges: ['0', '1901', '2155', '2000'],
    is: [0, 1901, 2155, 2000],
    random: (random) => String(random.between(1901, 2155)),
  },
];

function decimal(precision: number, scale: number, more = ''): ParityColumn {
  const whole = '9'.repeat(precision - scale) || '0';
  const largest = scale === 0 ? whole : `${whole}.${'9'.repeat(scale)}`;
  const smallest = scale === 0 ? '1' : `0.${'1'.padStart(scale, '0')}`;
  const zero = scale === 0 ? '0' : `0.${'0'.repeat(scale)}`;
  const signed = more === '';
  const sign = (random: Random): string => (signed && random.chance(0.5) ? '-' : '');
  return {
    sql: `DECIMAL(${precision},${scale})${more}`,
    edges: [largest, '0', smallest, ...(signed ? [`-${largest}`, `-${smallest}`] : [])],
    is: [largest, zero, smallest, ...(signed ? [`-${largest}`, `-${smallest}`] : [])],
    random: (random) =>
      `${sign(random)}${digits(random, random.int(precision - scale + 1))}.${digits(random, random.int(scale + 1))}`,
  };
}

export const fractions: readonly ParityColumn[] = [
  decimal(65, 30),
  decimal(65, 0),
  decimal(38, 10),
  decimal(34, 17),
  decimal(30, 30),
  decimal(19, 10),
  decimal(10, 2),
  decimal(9, 9),
  decimal(1, 0),
  decimal(12, 4, ' UNSIGNED ZEROFILL'),
  {
    sql: 'FLOAT',
    edges: ['1.1', '16777217', '-1.5', '3.4028235e38', '1.17549435e-38', '1e-40', '1.4e-45', '-0.0', '123456.789', '0'],
    is: [1.1, 16_777_216, -1.5, 3.402_823_5e38],
    random: (random) => (random.bytes(4).readInt32LE(0) * 10 ** random.between(-40, 20)).toPrecision(9),
    note: 'the shortest number that is the same float32: 1.1, not 1.100000023841858',
  },
  {
    sql: 'FLOAT(7,3)',
    edges: ['1.1', '-1234.567'],
    is: [1.1, -1234.567],
    random: (random) => `${random.int(9999)}.123`,
  },
  {
    sql: 'DOUBLE',
    edges: [
      '0.1',
      '-1.7976931348623157e308',
      '2.2250738585072014e-308',
      '5e-324',
      '9007199254740993',
      '1e21',
      '-0.0e0',
      '0',
    ],
    is: [0.1, -1.797_693_134_862_315_7e308],
    random: (random) => String((random.next() - 0.5) * 10 ** random.between(-300, 300)),
  },
  { sql: 'DOUBLE(20,5)', edges: ['1.1', '-123456789.12345'], random: (random) => `${random.int(99_999)}.5` },
];
