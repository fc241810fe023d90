import { appendFile, mkdir } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { aligned, grouped } from '../dev/demo/words.ts';
import { run } from '../dev/servers/process.ts';
import type { Measured } from './measure.ts';

/** One counted run. */
export interface Result extends Measured {
  readonly bench: string;
  readonly variant: string;
  /** Servers with their versions, `mysql 9.7.4`. */
  readonly servers: readonly string[];
  readonly rows: number;
  readonly run: number;
  readonly rowsPerSecond: number;
  /** As above, but counted from the first row that was visible in the target. */
  readonly rowsPerSecondFromFirst: number | null;
  /** Of the databases' own clients on the same data, where that was measured. */
  readonly limitRowsPerSecond: number | null;
}

const RESULTS = fileURLToPath(new URL('results/', import.meta.url));

/** Keeps results as they come, and shows them at the end. */
export class Report {
  readonly #json: boolean;
  readonly #results: Result[] = [];
  readonly #startedAt = new Date().toISOString();
  #commit: string | null = null;

  constructor(json: boolean) {
    this.#json = json;
  }

  /** What goes on, for people; on stderr, so that stdout holds results only. */
  say(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  async add(result: Result): Promise<void> {
    this.#results.push(result);
    this.#commit ??= await run(['git', 'rev-parse', '--short', 'HEAD']).then(
      (text) => text.trim(),
      () => 'unknown',
    );
    const line = JSON.stringify({ at: new Date().toISOString(), commit: this.#commit, machine: machine(), ...result });
    await mkdir(RESULTS, { recursive: true });
    await appendFile(
      `${RESULTS}${result.bench}-${this.#startedAt.slice(0, 19).replaceAll(':', '')}.jsonl`,
      `${line}\n`,
    );
    if (this.#json) console.log(line);
    else
      this.say(
        `  run ${String(result.run)}: ${grouped(result.rowsPerSecond)} rows/s in ${result.seconds.toFixed(2)} s`,
      );
  }

  /** The closing table: median, least and most of each figure, per variant. */
  close(): void {
    if (this.#json) return;
    const variants = Map.groupBy(this.#results, ({ bench, variant }) => `${bench} ${variant}`);
    for (const [name, results] of variants) {
      console.log(`\n${name}   ${results[0]?.servers.join(', ') ?? ''}   ${machine()}`);
      for (const line of aligned([['', 'median', 'least', 'most'], ...figures(results)])) console.log(line);
    }
  }
}

function figures(results: readonly Result[]): string[][] {
  const rows: string[][] = [];
  const figure = (name: string, value: (result: Result) => number | null, digits = 0): void => {
    const values = results
      .map(value)
      .filter((each) => each !== null)
      .sort((a, b) => a - b);
    const [least, most, median] = [values[0], values.at(-1), medianOf(values)];
    if (least === undefined || most === undefined || median === null) return;
    const text = (each: number): string => (digits === 0 ? grouped(each) : each.toFixed(digits));
    rows.push([name, text(median), text(least), text(most)]);
  };
  figure('rows/s', ({ rowsPerSecond }) => rowsPerSecond);
  figure('rows/s from the first row', ({ rowsPerSecondFromFirst }) => rowsPerSecondFromFirst);
  figure('rows/s of the clients’ pipe', ({ limitRowsPerSecond }) => limitRowsPerSecond);
  figure(
    'times the pipe',
    ({ rowsPerSecond, limitRowsPerSecond: limit }) => (limit === null ? null : rowsPerSecond / limit),
    2,
  );
  figure('seconds', ({ seconds }) => seconds, 2);
  figure('ms to the first change', ({ firstMs }) => firstMs);
  figure('peak MB', ({ peakBytes }) => peakBytes / 1e6);
  for (const process of Object.keys(results[0]?.cpu ?? {})) {
    figure(`CPU s per million: ${process}`, ({ cpu, rows }) => ((cpu[process] ?? 0) * 1e6) / rows, 2);
  }
  return rows;
}

function medianOf(sorted: readonly number[]): number | null {
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  return `${String(cpus().length)} × ${model}, ${String(Math.round(totalmem() / 2 ** 30))} GiB, Node ${process.versions.node}`;
}
