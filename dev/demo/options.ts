import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly mariadb: boolean;
  readonly kafka: boolean;
  readonly keep: boolean;
  readonly json: boolean;
  /** How long the writer goes on after the copy has become consistent. */
  readonly seconds: number;
  /** Rows in the shop before the writer begins. */
  readonly rows: number;
  /** Transactions a second that the writer aims at. */
  readonly rate: number;
  readonly seed: number;
}

export const USAGE = `npm run demo -- [options]

Starts a source, PostgreSQL and MongoDB, fills a shop database, keeps writing to it while Lockstep copies it and
follows it, then stops the writer and compares both targets with the source, value by value.

  --mariadb      MariaDB as the source; default: MySQL
  --kafka        go through Kafka, with a schema registry
  --seconds N    keep writing N seconds after the copy is consistent; default: 20
  --rows N       rows in the shop before the writer begins; default: 200000
  --rate N       transactions a second; default: 400
  --seed N       other data; default: 1
  --keep         leave everything running until Ctrl-C
  --json         print the outcome as one JSON object, and nothing else on stdout

Exit code: 0 both targets are equal to the source, 3 they are not, 1 something failed, 2 wrong usage.
`;

/** Null when help was asked for. Throws with what is wrong. */
export function parseOptions(args: readonly string[]): DemoOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      mariadb: { type: 'boolean', default: false },
      kafka: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '20' },
      rows: { type: 'string', default: '200000' },
      rate: { type: 'string', default: '400' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  });
  if (values.help) return null;
  return {
    mariadb: values.mariadb,
    kafka: values.kafka,
    keep: values.keep,
    json: values.json,
    seconds: whole('--seconds', values.seconds, 0),
    rows: whole('--rows', values.rows, 100),
    rate: whole('--rate', values.rate, 1),
    seed: whole('--seed', values.seed, 0),
  };
}

function whole(option: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`${option} ${text}: must be a whole number, at least ${String(least)}`);
}
