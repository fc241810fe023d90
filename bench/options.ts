import { parseArgs } from 'node:util';

export const BENCHES = ['snapshot', 'drain', 'publish'] as const;
export type Bench = (typeof BENCHES)[number];

export interface BenchOptions {
  readonly bench: Bench;
  readonly source: 'mysql' | 'mariadb';
  readonly target: 'postgres' | 'mongodb';
  /** Rows of the copied table, or changes of the backlog. */
  readonly rows: number;
  /** Counted runs; one more comes before them to warm up, unless there is one only. */
  readonly runs: number;
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

  --rows N                    rows or changes; default: 1000000 for snapshot, 200000 for the others
  --source mysql|mariadb      default: mysql
  --target postgres|mongodb   default: postgres
  --runs N                    counted runs after one to warm up; 1 has no warm-up; default: 5
  --fast                      servers without fsync: to try things out, not for figures
  --json                      one JSON object per run on stdout instead of tables

Every run is compared with the source, value by value: a run that lost or changed a row is void and ends the benchmark.
Results are appended to bench/results/.
`;

/** Null when help was asked for. Throws with what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rows: { type: 'string' },
      source: { type: 'string', default: 'mysql' },
      target: { type: 'string', default: 'postgres' },
      runs: { type: 'string', default: '5' },
      fast: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  });
  if (values.help) return null;
  const bench = oneOf('the benchmark', positionals[0] ?? '', BENCHES);
  return {
    bench,
    source: oneOf('--source', values.source, ['mysql', 'mariadb'] as const),
    target: oneOf('--target', values.target, ['postgres', 'mongodb'] as const),
    rows: whole('--rows', values.rows ?? (bench === 'snapshot' ? '1000000' : '200000'), 1000),
    runs: whole('--runs', values.runs, 1),
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
