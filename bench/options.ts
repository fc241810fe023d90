import { parseArgs } from 'node:util';

export const BENCHES = ['snapshot', 'drain', 'publish', 'latency', 'footprint', 'soak'] as const;
export type Bench = (typeof BENCHES)[number];

export interface BenchOptions {
  readonly bench: Bench;
  readonly source: 'mysql' | 'mariadb';
  readonly target: 'postgres' | 'mongodb';
  /** Rows of the copied table, changes of the backlog, or rows of the large transaction. */
  readonly rows: number;
  /** Transactions a second. */
  readonly rates: readonly number[];
  /** How long transactions are written at a rate. */
  readonly seconds: number;
  readonly kills: number;
  /** How long a soak lasts. */
  readonly minutes: number;
  /** Counted runs; one more comes before them to warm up, unless there is one only. */
  readonly runs: number;
  /** Whether the copied table has secondary indexes, which both the limit and Lockstep make behind its rows. */
  readonly indexes: boolean;
  readonly json: boolean;
  /** Servers without fsync: for trying out a benchmark, not for figures. */
  readonly fast: boolean;
}

export const USAGE = `npm run bench -- ${BENCHES.join('|')} [options]

  snapshot   copies one table of 10 mixed columns; limit: mysql | psql COPY, or raw inserts into MongoDB
  drain      applies a backlog of single-row transactions over 4 tables (50 % update, 35 % insert, 15 % delete),
             built while Lockstep was stopped, with uniform and with zipf keys; limit: upserts by hand
  publish    the same backlog into Kafka as Avro, as single-row and as 1000-row transactions; limit: Kafka's
             own performance test
  latency    single-row transactions on an even schedule, 200, 1000 and 3000 a second, and 1000 while one large
             transaction is written: from when each was due, and from its commit, until the target shows it;
             limit: the same straight into the target
  footprint  start to the first change, peak memory (idle, backlog, one large transaction, rows of 16 MB), and
             kill -9 at random moments under a writer, directly and by way of Kafka in one process: time to the
             first change after it, rows lost, rows doubled
  soak       a steady load of single-row transactions over 4 tables, now and then a large one and a schema change:
             memory and lag must stay flat; npm run soak is the same

  --rows N                    rows of the copied table; changes of the backlog; rows of the large transaction;
                              default: 1000000 for snapshot and latency, 200000 for drain and publish,
                              3000000 for footprint, 100000 for soak
  --rate N                    latency: this rate only; soak: transactions a second; default there: 1000
  --seconds N                 latency: how long at each rate; default: 20
  --kill N                    footprint: how many times each way; default: 20
  --minutes N                 soak: how long; default: 30
  --source mysql|mariadb      default: mysql
  --target postgres|mongodb   default: postgres
  --runs N                    counted runs after one to warm up; 1 has no warm-up; default: 5
  --indexes                   snapshot into PostgreSQL: with two secondary indexes, made behind the rows
  --fast                      servers without fsync: to try things out, not for figures
  --json                      one JSON object per run on stdout instead of tables

Every run is compared with the source, value by value: a run that lost or changed a row is void and ends the benchmark.
Results are appended to bench/results/.
`;

const DEFAULT_ROWS: Readonly<Record<Bench, string>> = {
  snapshot: '1000000',
  drain: '200000',
  publish: '200000',
  latency: '1000000',
  footprint: '3000000',
  soak: '100000',
};
const DEFAULT_RATES = [200, 1000, 3000];
const SOAK_RATES = [1000];

/** Null when help was asked for. Throws with what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rows: { type: 'string' },
      rate: { type: 'string' },
      seconds: { type: 'string', default: '20' },
      kill: { type: 'string', default: '20' },
      minutes: { type: 'string', default: '30' },
      source: { type: 'string', default: 'mysql' },
      target: { type: 'string', default: 'postgres' },
      runs: { type: 'string', default: '5' },
      indexes: { type: 'boolean', default: false },
      fast: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  });
  if (values.help) return null;
  if (values.indexes && values.target !== 'postgres') throw new Error('--indexes is for PostgreSQL');
  const bench = oneOf('the benchmark', positionals[0] ?? '', BENCHES);
  return {
    bench,
    source: oneOf('--source', values.source, ['mysql', 'mariadb'] as const),
    target: oneOf('--target', values.target, ['postgres', 'mongodb'] as const),
    rows: whole('--rows', values.rows ?? DEFAULT_ROWS[bench], 1000),
    rates:
      values.rate !== undefined ? [whole('--rate', values.rate, 1)] : bench === 'soak' ? SOAK_RATES : DEFAULT_RATES,
    seconds: whole('--seconds', values.seconds, 1),
    kills: whole('--kill', values.kill, 0),
    minutes: whole('--minutes', values.minutes, 1),
    runs: whole('--runs', values.runs, 1),
    indexes: values.indexes,
    json: values.json,
    fast: values.fast,
  };
}

function oneOf<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw new Error(`${option} must be one of ${choices.join(', ')}`);
  return choice;
}

function whole(option: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`${option} ${text}: must be a whole number, at least ${String(least)}`);
}
