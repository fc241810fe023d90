import { setTimeout as sleep } from 'node:timers/promises';
import { fetchStatus, type Product } from '../../dev/product.ts';
import { BACKLOG_TABLES } from '../backlog.ts';
import { BENCH_DATABASE } from '../data.ts';
import { monotonicMs } from '../latency/clock.ts';
import { openObserver } from '../latency/observer.ts';
import { percentilesOf } from '../latency/percentiles.ts';
import { ScheduledWriter } from '../latency/schedule.ts';
import type { Stage } from '../stage.ts';
import { Load } from './load-process.ts';
import type { Sample } from './samples.ts';

/** The table of a few rows a second by which the lag is seen. */
export const BEATS = 'beats';
const BEATS_PER_SECOND = 50;
const ARRIVES_WITHIN_MS = 10 * 60_000;
const LOOK_EVERY_MS = 50;

/** A steady load with Lockstep following, and what is seen of both. */
export class Soak implements AsyncDisposable {
  readonly #product: Product;
  readonly #listen: string;
  readonly #load: Load;
  readonly #beats: ScheduledWriter;
  readonly #opened: AsyncDisposableStack;
  readonly #startMs = monotonicMs();
  #seen = 0;
  #lags: number[] = [];
  #last = { seconds: 0, applied: 0 };

  private constructor(
    product: Product,
    listen: string,
    { load, beats, opened }: { load: Load; beats: ScheduledWriter; opened: AsyncDisposableStack },
  ) {
    this.#product = product;
    this.#listen = listen;
    this.#load = load;
    this.#beats = beats;
    this.#opened = opened;
  }

  /** Starts the load; it ends by `finish`. */
  static async start({ options, source, target }: Stage, product: Product, listen: string): Promise<Soak> {
    const opened = new AsyncDisposableStack();
    let soak: Soak | null = null;
    const onSeen = (id: number, atMs: number): void => soak?.take(id, atMs);
    opened.use(await openObserver(target, `${BENCH_DATABASE}.${BEATS}`, onSeen));
    const load = opened.use(new Load(source.url, options.rates[0] ?? 0));
    const seconds = options.minutes * 60 + ARRIVES_WITHIN_MS / 1000;
    const beats = await ScheduledWriter.start({
      url: source.url,
      table: BEATS,
      first: 0,
      rate: BEATS_PER_SECOND,
      seconds,
    });
    opened.use(beats);
    soak = new Soak(product, listen, { load, beats, opened });
    return soak;
  }

  take(id: number, atMs: number): void {
    this.#seen += 1;
    this.#lags.push(atMs - this.#beats.dueMs(id));
  }

  /** What there is to see since the sample before. Throws when Lockstep or the load have ended. */
  async sample(): Promise<Sample> {
    await this.#check();
    const committed = this.#load.committed;
    const [status] = (await fetchStatus(this.#listen)).values();
    const tables = BACKLOG_TABLES.map((table) => status?.tables.get(`${BENCH_DATABASE}.${table}`)?.applied ?? 0);
    const loaded = tables.reduce((sum, applied) => sum + applied, 0);
    const applied = status?.applied ?? 0;
    const seconds = (monotonicMs() - this.#startMs) / 1000;
    const lag = this.#lags.length === 0 ? null : percentilesOf(Float64Array.from(this.#lags));
    const sample: Sample = {
      seconds,
      appliedPerSecond: (applied - this.#last.applied) / (seconds - this.#last.seconds),
      lagP50Ms: lag?.p50 ?? null,
      lagP99Ms: lag?.p99 ?? null,
      lagMaxMs: lag?.max ?? null,
      memoryBytes: this.#product.usage?.residentBytes ?? 0,
      backlog: Math.max(0, committed - loaded),
    };
    this.#lags = [];
    this.#last = { seconds, applied };
    return sample;
  }

  /** Ends the load, and resolves once all that was written is in the target. */
  async finish(signal: AbortSignal): Promise<void> {
    await this.#load.stop();
    await sleep((2 * 1000) / BEATS_PER_SECOND); // a beat behind the last change
    this.#beats.stop();
    const { length } = await this.#beats.ended();
    const deadlineMs = monotonicMs() + ARRIVES_WITHIN_MS;
    while (this.#seen < length) {
      await this.#check();
      if (monotonicMs() > deadlineMs) throw new Error(`void: ${String(length - this.#seen)} rows have not arrived`);
      await sleep(LOOK_EVERY_MS, undefined, { signal });
    }
  }

  async #check(): Promise<void> {
    await this.#product.expectRunning();
    this.#load.check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}
