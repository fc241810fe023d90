import { Client } from 'pg';
import type { BenchTarget } from '../targets.ts';
import { openObserver } from './observer.ts';
import { percentilesOf, type Percentiles } from './percentiles.ts';
import { ScheduledWriter, type Schedule } from './schedule.ts';
import { Seen } from './seen.ts';

const TABLE = 'limit_pings';
const NOTICE = { rate: 200, seconds: 5 };

/** The limit: the same writer on the same schedule, straight into the target, without a source and without Lockstep. */
export class Straight {
  /** From the commit's answer to its writer until an observer has heard of the row, in ms: what the way of looking adds to what is measured. */
  readonly notice: Percentiles;
  readonly #url: string;
  #next: number;

  private constructor(url: string, notice: Percentiles, next: number) {
    this.#url = url;
    this.notice = notice;
    this.#next = next;
  }

  static async open({ url, kind }: BenchTarget, signal: AbortSignal): Promise<Straight> {
    if (kind === 'postgres') await createTable(url);
    const seen = new Seen(0, NOTICE.rate * NOTICE.seconds);
    const observer = await openObserver({ url, kind }, TABLE, (id, atMs) => seen.take(id, atMs));
    try {
      const { committedMs } = await write({ url, table: TABLE, first: 0, ...NOTICE });
      await seen.all(60_000, signal);
      const notice = percentilesOf(committedMs.map((ms, i) => (seen.atMs[i] ?? 0) - ms));
      return new Straight(url, notice, committedMs.length);
    } finally {
      await observer[Symbol.asyncDispose]();
    }
  }

  /** From when each row was due until its commit was answered, in ms. */
  async measure(rate: number, seconds: number): Promise<Percentiles> {
    const { committedMs, dueMs } = await write({ url: this.#url, table: TABLE, first: this.#next, rate, seconds });
    const times = percentilesOf(committedMs.map((ms, i) => ms - dueMs(this.#next + i)));
    this.#next += committedMs.length;
    return times;
  }
}

async function write(
  schedule: Schedule,
): Promise<{ readonly committedMs: Float64Array; readonly dueMs: (id: number) => number }> {
  const writer = await ScheduledWriter.start(schedule);
  try {
    return { committedMs: await writer.ended(), dueMs: (id) => writer.dueMs(id) };
  } finally {
    await writer[Symbol.asyncDispose]();
  }
}

async function createTable(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, note varchar(100) NOT NULL)`);
  await client.end();
}
