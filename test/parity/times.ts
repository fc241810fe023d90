import type { Random } from '../../dev/random.ts';
import { pad, quoted, type ParityColumn } from './column.ts';

const day = (random: Random): string =>
  `${pad(random.between(1000, 9999), 4)}-${pad(random.between(1, 12), 2)}-${pad(random.between(1, 28), 2)}`;
const clock = (random: Random): string =>
  `${pad(random.int(24), 2)}:${pad(random.int(60), 2)}:${pad(random.int(60), 2)}.${pad(random.int(1_000_000), 6)}`;

const days = [
  '0000-00-00',
  '2020-00-10',
  '2020-02-00',
  '1000-01-01',
  '9999-12-31',
  '2024-02-29',
  '1969-12-31',
  '0001-01-01',
  '0000-05-01',
];

const date: ParityColumn = {
  sql: 'DATE',
  edges: quoted(days),
  is: days,
  random: (random) => `'${day(random)}'`,
};

const fraction = (text: string, n: number): string => (n === 0 ? '' : `.${text.slice(0, n)}`);

function datetime(n: number): ParityColumn {
  return {
    sql: `DATETIME(${n})`,
    edges: quoted([
      '0000-00-00 00:00:00',
      '2020-00-10 01:02:03',
      '1000-01-01 00:00:00',
      `9999-12-31 23:59:59${fraction('999999', n)}`,
      '2024-03-31 02:30:00.123456',
      `1969-12-31 23:59:59${fraction('999999', n)}`,
    ]),
    is: [
      `0000-00-00 00:00:00${fraction('000000', n)}`,
      `2020-00-10 01:02:03${fraction('000000', n)}`,
      `1000-01-01 00:00:00${fraction('000000', n)}`,
      `9999-12-31 23:59:59${fraction('999999', n)}`,
    ],
    random: (random) => `'${day(random)} ${clock(random)}'`,
    ...(n === 0 ? { note: 'no time zone, never converted' } : {}),
  };
}

function timestamp(n: number): ParityColumn {
  return {
    sql: `TIMESTAMP(${n}) NULL`,
    edges: quoted([
      '0000-00-00 00:00:00',
      '1970-01-01 00:00:01',
      `2038-01-19 03:14:07${fraction('999999', n)}`,
      '2024-03-31 02:30:00.123456',
    ]),
    is: [
      `0000-00-00 00:00:00${fraction('000000', n)}`,
      `1970-01-01 00:00:01${fraction('000000', n)}`,
      `2038-01-19 03:14:07${fraction('999999', n)}`,
    ],
    random: (random) => `FROM_UNIXTIME(${random.between(1, 2_147_483_647)}.${pad(random.int(1_000_000), 6)})`,
    ...(n === 0 ? { note: 'UTC, whatever the time zones of server and session' } : {}),
  };
}

function time(n: number): ParityColumn {
  const last = n === 0 ? '838:59:59' : `838:59:58${fraction('999999', n)}`;
  return {
    sql: `TIME(${n})`,
    edges: quoted([
      '-838:59:59',
      '838:59:59',
      last,
      `-${last}`,
      '-00:00:01',
      '-00:00:00.5',
      '00:00:00',
      '-12:59:59.999999',
      '100:00:00.1',
    ]),
    is: [`-838:59:59${fraction('000000', n)}`, `838:59:59${fraction('000000', n)}`, last, `-${last}`],
    random: (random) => `'${random.chance(0.5) ? '-' : ''}${pad(random.int(838), 2)}:${clock(random).slice(3)}'`,
  };
}

const precisions = [0, 1, 2, 3, 4, 5, 6];

export const times: readonly ParityColumn[] = [
  date,
  ...precisions.map(datetime),
  ...precisions.map(timestamp),
  ...precisions.map(time),
];
