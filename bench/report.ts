import { appendFile, mkdir } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { aligned, grouped } from '../dev/demo/words.ts';
import { run } from '../dev/servers/process.ts';

/** One counted run. What else was measured is kept beside these fields. */
export interface Result {
  readonly bench: string;
  readonly variant: string;
  /** Servers with their versions, `mysql 9.7.4`. */
  readonly servers: readonly string[];
  readonly run: number;
}

/** A line of the closing table; `value` is null where it was not measured. */
export interface Figure {
  readonly name: string;
  readonly value: number | null;
  /** After the decimal point. Default: 0. */
  readonly digits?: number;
}

interface Kept {
  readonly result: Result;
  readonly figures: readonly Figure[];
}

const RESULTS = fileURLToPath(new URL('results/', import.meta.url));

/** Keeps results as they come, and shows them at the end. */
export class Report {
  readonly #json: boolean;
  readonly #kept: Kept[] = [];
  readonly #startedAt = new Date().toISOString();
  #commit: string | null = null;

  constructor(json: boolean) {
    this.#json = json;
  }

  /** What goes on, for people; on stderr, so that stdout holds results only. */
  say(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  /** A line of many, as one object where that was asked for. */
  line(text: string, fields: object): void {
    if (this.#json) console.log(JSON.stringify(fields));
    else this.say(text);
  }

  /** The first figures are shown at once, all of them at the end. */
  async add(result: Result, figures: readonly Figure[]): Promise<void> {
    this.#kept.push({ result, figures });
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
    else {
      const measured = figures.filter(({ value }) => value !== null);
      const first = measured.slice(0, SHOWN_AT_ONCE).map((figure) => `${shown(figure)} ${figure.name}`);
      this.say(`  run ${String(result.run)}: ${first.join(', ')}`);
    }
  }

  /** The closing table: median, least and most of each figure, per variant. */
  close(): void {
    if (this.#json) return;
    const variants = Map.groupBy(this.#kept, ({ result }) => `${result.bench} ${result.variant}`);
    for (const [name, runs] of variants) {
      console.log(`\n${name}   ${runs[0]?.result.servers.join(', ') ?? ''}   ${machine()}`);
      for (const line of aligned([['', 'median', 'least', 'most'], ...tableOf(runs)])) console.log(line);
    }
  }
}

const SHOWN_AT_ONCE = 3;

/** Of each figure of a variant's runs: its median, least and most. */
function tableOf(runs: readonly Kept[]): string[][] {
  const byName = Map.groupBy(
    runs.flatMap(({ figures }) => figures),
    ({ name }) => name,
  );
  return [...byName].flatMap(([name, figures]) => {
    const sorted = figures
      .map(({ value }) => value)
      .filter((value) => value !== null)
      .sort((a, b) => a - b);
    const [least, most, median] = [sorted[0], sorted.at(-1), medianOf(sorted)];
    if (least === undefined || most === undefined || median === null) return [];
    return [[name, ...[median, least, most].map((value) => shown({ ...figures[0], value }))]];
  });
}

function shown({ value, digits = 0 }: Pick<Figure, 'value' | 'digits'>): string {
  if (value === null) return '-';
  return digits === 0 ? grouped(value) : value.toFixed(digits);
}

/** Null of nothing. */
export function medianOf(sorted: readonly number[]): number | null {
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  return `${String(cpus().length)} × ${model}, ${String(Math.round(totalmem() / 2 ** 30))} GiB, Node ${process.versions.node}`;
}
