import { setTimeout as sleep } from 'node:timers/promises';
import { Product } from '../../dev/product.ts';
import { until } from '../../dev/servers/process.ts';
import { BENCH_DATABASE, createBenchDatabase } from '../data.ts';
import { insertLarge, makeLargeTable, WITHOUT_SEED } from '../large.ts';
import { directConfig, expectEqualContents, measure } from '../measure.ts';
import type { Figure, Result } from '../report.ts';
import { runNumbers, titlesOf, type Stage } from '../stage.ts';
import { openObserver } from './observer.ts';
import { figuresOf, percentilesOf, type Percentiles } from './percentiles.ts';
import { LANES, ScheduledWriter, type Schedule } from './schedule.ts';
import { Seen } from './seen.ts';
import { Straight } from './straight.ts';

const TABLES = [`${BENCH_DATABASE}.*`, WITHOUT_SEED];
const PINGS = 'pings';
const LARGE = 'large';
/** So long is written beside a large transaction that it is applied meanwhile, on a slow machine too. */
const LARGE_ROWS_PER_SECOND = 25_000;
const SETTLE = { rate: 100, seconds: 2, largeRows: 0 };
/** The rate at which a large transaction is written meanwhile. */
const BESIDE_LARGE = 1000;
/** What has not arrived so long after the last commit is lost. */
const ARRIVES_WITHIN_MS = 10 * 60_000;

interface Load {
  readonly rate: number;
  readonly seconds: number;
  /** Rows of a transaction of another table that is written in the middle; 0 for none. */
  readonly largeRows: number;
}

interface Latency {
  readonly dueToVisible: Percentiles;
  readonly committedToVisible: Percentiles;
  /** The source's share, and the writer's own delay. */
  readonly dueToCommitted: Percentiles;
  /** Of Lockstep, in CPUs. */
  readonly cpus: number;
}

type LatencyResult = Result & Load & Latency & { readonly straight: Percentiles; readonly notice: Percentiles };

/** B4: single-row transactions in an open loop, from when each was due, and from its commit, until the target shows it. */
export async function benchLatency(stage: Stage): Promise<void> {
  const { options, source, sink, target, connection, report, signal } = stage;
  await createBenchDatabase(connection);
  await connection.query(`CREATE TABLE ${PINGS} (id BIGINT NOT NULL PRIMARY KEY, note VARCHAR(100) NOT NULL)`);
  await makeLargeTable(connection, LARGE);
  const config = directConfig(stage, TABLES);
  await measure({ config, args: [], servers: [], firstVisible: null }); // the copy, which is not what is measured
  const straight = await Straight.open(target, signal);
  report.say(`the notice by which a row is seen takes ${straight.notice.p50.toFixed(2)} ms (p50)`);
  const product = await Product.start(config);
  const following = new Following(stage, product);
  try {
    await following.pass(SETTLE);
    const { rates, seconds, rows } = options;
    const largeAt = rates.length === 1 ? rates : [BESIDE_LARGE];
    const loads = [
      ...rates.map((rate) => ({ rate, seconds, largeRows: 0 })),
      ...largeAt.map((rate) => ({ rate, seconds: Math.max(seconds, rows / LARGE_ROWS_PER_SECOND), largeRows: rows })),
    ];
    for (const load of loads) {
      for (const run of runNumbers(options)) {
        const limit = await straight.measure(load.rate, load.seconds);
        const latency = await following.pass(load);
        await following.arrived();
        await expectEqualContents(source.url, target.url, TABLES, signal);
        if (run === 0) report.say(`  warm-up: ${latency.dueToVisible.p50.toFixed(2)} ms p50`);
        if (run === 0) continue;
        const during = load.largeRows === 0 ? '' : ` during a transaction of ${String(load.largeRows)} rows`;
        const variant = `${String(load.rate)} tx/s${during}, ${options.source} to ${options.target}`;
        const servers = titlesOf([source, sink]);
        const { notice } = straight;
        const result = { bench: options.bench, variant, servers, run, ...load, ...latency, straight: limit, notice };
        await report.add(result, figuresOfResult(result));
      }
    }
  } finally {
    await following[Symbol.asyncDispose]();
    await product[Symbol.asyncDispose]();
  }
}

/** Lockstep while it follows, and what is written and seen meanwhile. */
class Following implements AsyncDisposable {
  readonly #stage: Stage;
  readonly #product: Product;
  #observer: AsyncDisposable | null = null;
  #seen: Seen | null = null;
  #next = 0;

  constructor(stage: Stage, product: Product) {
    this.#stage = stage;
    this.#product = product;
  }

  /** Writes for so many seconds and waits until all is seen. Throws when a row is not, or when Lockstep ends. */
  async pass({ rate, seconds, largeRows }: Load): Promise<Latency> {
    const { source, target, connection, signal } = this.#stage;
    const schedule: Schedule = { url: source.url, table: PINGS, first: this.#next, rate, seconds };
    const count = Math.ceil(rate * seconds);
    const seen = new Seen(this.#next, count);
    this.#seen = seen;
    this.#observer ??= await openObserver(target, `${BENCH_DATABASE}.${PINGS}`, (id, atMs) =>
      this.#seen?.take(id, atMs),
    );
    this.#next += Math.ceil(count / LANES) * LANES;
    if (largeRows > 0) await connection.query(`TRUNCATE TABLE ${LARGE}`);
    const before = this.#product.usage?.cpuSeconds ?? 0;
    const startedMs = performance.now();
    const writer = await ScheduledWriter.start(schedule);
    try {
      if (largeRows > 0) {
        await sleep((seconds * 1000) / 4, undefined, { signal });
        await insertLarge(connection, LARGE, largeRows);
      }
      const committedMs = await writer.ended();
      await seen.all(ARRIVES_WITHIN_MS, signal, async () => await this.#product.expectRunning());
      const spent = (this.#product.usage?.cpuSeconds ?? 0) - before;
      const due = (i: number): number => writer.dueMs(schedule.first + i);
      return {
        dueToVisible: percentilesOf(seen.atMs.map((ms, i) => ms - due(i))),
        committedToVisible: percentilesOf(seen.atMs.map((ms, i) => ms - (committedMs[i] ?? Number.NaN))),
        dueToCommitted: percentilesOf(committedMs.map((ms, i) => ms - due(i))),
        cpus: spent / ((performance.now() - startedMs) / 1000),
      };
    } finally {
      await writer[Symbol.asyncDispose]();
    }
  }

  /** Resolves once the target has all that is committed: a row that is written last stands behind the rest. */
  async arrived(): Promise<void> {
    const { connection, target } = this.#stage;
    const last = -this.#next;
    await connection.query(`INSERT INTO ${PINGS} VALUES (${String(last)}, 'last')`);
    await until(ARRIVES_WITHIN_MS / 1000, async () => {
      if (!(await target.holds(PINGS, last))) throw new Error('void: what was written last has not arrived');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#observer?.[Symbol.asyncDispose]();
  }
}

function figuresOfResult(result: LatencyResult): Figure[] {
  return [
    ...figuresOf('commit to visible', result.committedToVisible),
    ...figuresOf('due to visible', result.dueToVisible),
    ...figuresOf('due to commit', result.dueToCommitted, ['p50', 'p99', 'max']),
    ...figuresOf('straight, due to commit', result.straight, ['p50', 'p99', 'max']),
    { name: 'times straight, p50', value: result.dueToVisible.p50 / result.straight.p50, digits: 2 },
    { name: 'ms of the notice p50', value: result.notice.p50, digits: 2 },
    { name: 'CPUs: lockstep', value: result.cpus, digits: 2 },
  ];
}
