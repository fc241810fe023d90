import type { Random } from '../../dev/random.ts';
import { literal } from '../../dev/sql.ts';

/** A column type and SQL literals of its values, edges among them. Nothing that a target refuses by rule: no zero dates, no U+0000. */
export interface RandomType {
  readonly declared: string;
  readonly literal: (random: Random) => string;
}

const WORDS = [
  '',
  ' ',
  'a',
  'žluť',
  '日本',
  '🙂',
  "'",
  '"',
  '\\',
  '\t',
  '\n',
  'NULL',
  '\\N',
  '{}',
  'x'.repeat(70),
] as const;

function integers(declared: string, least: bigint, most: bigint): RandomType {
  const span = most - least;
  return {
    declared,
    literal(random) {
      if (random.chance(0.2)) return String(random.pick([least, most, 0n]));
      return String(least + (BigInt(random.int(2 ** 32)) * (span + 1n)) / 2n ** 32n);
    },
  };
}

function chosen(declared: string, first: string, ...others: string[]): RandomType {
  return { declared, literal: (random) => random.pick([first, ...others]) };
}

function made(declared: string, make: (random: Random) => string): RandomType {
  return { declared, literal: make };
}

function text(random: Random, most: number): string {
  const words = Array.from({ length: random.int(6) }, () => random.pick(WORDS)).join('');
  return literal(Array.from(words).slice(0, most).join(''));
}

function digits(random: Random, count: number): string {
  return Array.from({ length: count }, () => String(random.int(10))).join('');
}

function date(random: Random): string {
  const two = (least: number, most: number): string => String(random.between(least, most)).padStart(2, '0');
  return `${String(random.between(1000, 9999))}-${two(1, 12)}-${two(1, 28)}`;
}

function clock(random: Random, fraction: number): string {
  const two = (most: number): string => String(random.int(most)).padStart(2, '0');
  return `${two(24)}:${two(60)}:${two(60)}${fraction === 0 ? '' : `.${digits(random, fraction)}`}`;
}

function timestamp(random: Random, fraction: number): string {
  return `'${String(random.between(1971, 2037))}-${date(random).slice(5)} ${clock(random, fraction)}'`;
}

function json(random: Random, depth: number): string {
  switch (random.int(depth > 0 ? 8 : 6)) {
    case 0:
      return random.pick(['true', 'false', 'null']);
    case 1:
      return `${random.pick(['', '-'])}${String(random.between(1, 9))}${digits(random, random.int(18))}`;
    case 2:
      return String(random.next() * 10 ** random.between(-10, 10));
    case 3:
      return random.pick(['0', '-1', '2147483648', '9007199254740993', '18446744073709551615', '1.5', '1e30']);
    case 6:
      return `[${Array.from({ length: random.int(4) }, () => json(random, depth - 1)).join(', ')}]`;
    case 7:
      return `{${Array.from({ length: random.int(4) }, (_, i) => `${JSON.stringify(random.pick(WORDS) + String(i))}: ${json(random, depth - 1)}`).join(', ')}}`;
    default:
      return JSON.stringify(random.pick(WORDS));
  }
}

/** Types that MySQL and MariaDB have in common. */
export const RANDOM_TYPES: readonly [RandomType, ...RandomType[]] = [
  integers('TINYINT', -128n, 127n),
  integers('TINYINT UNSIGNED', 0n, 255n),
  chosen('TINYINT(1)', '0', '1', '2', '-128'),
  integers('SMALLINT', -32_768n, 32_767n),
  integers('SMALLINT UNSIGNED', 0n, 65_535n),
  integers('MEDIUMINT', -8_388_608n, 8_388_607n),
  integers('MEDIUMINT UNSIGNED', 0n, 16_777_215n),
  integers('INT', -2_147_483_648n, 2_147_483_647n),
  integers('INT UNSIGNED', 0n, 4_294_967_295n),
  integers('BIGINT', -(2n ** 63n), 2n ** 63n - 1n),
  integers('BIGINT UNSIGNED', 0n, 2n ** 64n - 1n),
  made('DECIMAL(10,2)', (random) => `${random.pick(['', '-'])}${digits(random, 8)}.${digits(random, 2)}`),
  made('DECIMAL(34,17)', (random) => `${random.pick(['', '-'])}${digits(random, 17)}.${digits(random, 17)}`),
  made('DECIMAL(65,30)', (random) => `${random.pick(['', '-'])}${digits(random, 35)}.${digits(random, 30)}`),
  made('FLOAT', (random) =>
    random.chance(0.2) ? random.pick(['1.1', '0', '-1e-30', '3.4e38']) : String(random.next() * 1e4),
  ),
  made('DOUBLE', (random) =>
    random.chance(0.2) ? random.pick(['0.1', '1e-300', '1.7e308']) : String(random.next() / 3),
  ),
  chosen('BIT(1)', "b'0'", "b'1'"),
  made('BIT(11)', (random) => `b'${random.int(2048).toString(2)}'`),
  integers('BIT(64)', 0n, 2n ** 64n - 1n),
  made('CHAR(12)', (random) => text(random, 12)),
  made('VARCHAR(40)', (random) => text(random, 40)),
  chosen('VARCHAR(20) CHARACTER SET latin1', "''", "'é'", "'€uro'", "'plain'", "'ÿ '"),
  made('TEXT', (random) => text(random, 500)),
  made('LONGTEXT', (random) => literal(random.pick(WORDS).repeat(random.int(random.chance(0.02) ? 3000 : 30)))),
  made('BINARY(6)', (random) => literal(random.bytes(random.int(7)))),
  made('VARBINARY(30)', (random) => literal(random.bytes(random.int(31)))),
  made('BLOB', (random) => literal(random.bytes(random.int(random.chance(0.02) ? 20_000 : 100)))),
  made('DATE', (random) => `'${date(random)}'`),
  made('DATETIME', (random) => `'${date(random)} ${clock(random, 0)}'`),
  made('DATETIME(3)', (random) => `'${date(random)} ${clock(random, 3)}'`),
  made('DATETIME(6)', (random) => `'${date(random)} ${clock(random, 6)}'`),
  made('TIMESTAMP', (random) => timestamp(random, 0)),
  made('TIMESTAMP(6)', (random) => timestamp(random, 6)),
  chosen('TIME', "'00:00:00'", "'-00:00:01'", "'838:59:59'", "'-838:59:59'", "'12:34:56'"),
  made('TIME(4)', (random) => `'${random.pick(['', '-'])}${clock(random, 4)}'`),
  chosen('YEAR', '0', '1901', '2024', '2155'),
  chosen("ENUM('a','b''c','','ž')", "'a'", "'b''c'", "''", "'ž'"),
  chosen("SET('a','b','c d','ž')", "''", "'a'", "'b,a'", "'c d,ž'"),
  made('JSON', (random) => literal(json(random, 3))),
];
