import { setTimeout as sleep } from 'node:timers/promises';
import { grouped } from '../../dev/demo/words.ts';
import { Product } from '../../dev/product.ts';
import { freePort } from '../../dev/servers/process.ts';
import { BENCH_DATABASE } from '../data.ts';
import { makeBase } from '../drain.ts';
import { makeLargeTable, WITHOUT_SEED } from '../large.ts';
import { directConfig, expectEqualContents, measure } from '../measure.ts';
import type { Figure } from '../report.ts';
import { titlesOf, type Stage } from '../stage.ts';
import { happen, LARGE } from './events.ts';
import { flatnessOf, lineOf, type Flatness, type Sample } from './samples.ts';
import { BEATS, Soak } from './soak.ts';

const TABLES = [`${BENCH_DATABASE}.*`, WITHOUT_SEED];
const BASE_ROWS = 40_000;
const SAMPLE_EVERY_MS = 10_000;

/** A steady load for a long time. Throws where the contents differ in the end, and where memory or lag did not stay flat. */
export async function benchSoak(stage: Stage): Promise<void> {
  const { options, source, sink, target, connection, report, signal } = stage;
  await makeBase(stage, BASE_ROWS);
  await connection.query(`CREATE TABLE ${BEATS} (id BIGINT NOT NULL PRIMARY KEY, note VARCHAR(100) NOT NULL)`);
  await makeLargeTable(connection, LARGE);
  await measure({ config: directConfig(stage, TABLES), args: [], servers: [], firstVisible: null });
  const samples = await soaked(stage);
  const rows = await expectEqualContents(source.url, target.url, TABLES, signal);
  report.say(`         all ${grouped(rows)} rows are equal`);
  const flatness = flatnessOf(samples);
  const { minutes, rates } = options;
  const variant = `${String(minutes)} min at ${String(rates[0])} tx/s, ${options.source} to ${options.target}`;
  const servers = titlesOf([source, sink]);
  const result = { bench: options.bench, variant, servers, run: 1, rows, ...flatness, samples };
  await report.add(result, figuresOf(samples, flatness));
  if (!flatness.flat) throw new Error('not flat: see the rise of memory and lag');
}

async function soaked(stage: Stage): Promise<Sample[]> {
  const { options, connection, report, signal } = stage;
  const opened = new AsyncDisposableStack();
  const samples: Sample[] = [];
  try {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const product = opened.use(await Product.start({ ...directConfig(stage, TABLES), listen }));
    const soak = opened.use(await Soak.start(stage, product, listen));
    const totalMs = options.minutes * 60_000;
    const over = AbortSignal.any([signal, AbortSignal.timeout(totalMs)]);
    const happening = happen(connection, { rows: options.rows, totalMs, report, stop: over });
    happening.catch(() => undefined); // awaited below
    while (!over.aborted) {
      await sleep(SAMPLE_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
      const sample = await soak.sample();
      samples.push(sample);
      report.line(lineOf(sample), sample);
    }
    signal.throwIfAborted();
    await happening;
    await soak.finish(signal);
    return samples;
  } finally {
    await opened.disposeAsync();
  }
}

function figuresOf(samples: readonly Sample[], { memoryRiseBytes, lagRiseMs }: Flatness): Figure[] {
  const largest = (value: (sample: Sample) => number | null): number =>
    Math.max(...samples.map((sample) => value(sample) ?? 0));
  const applied = samples.reduce((sum, { appliedPerSecond }) => sum + appliedPerSecond, 0) / samples.length;
  return [
    { name: 'MB that memory rose', value: memoryRiseBytes / 1e6, digits: 1 },
    { name: 'ms that the lag rose (p50)', value: lagRiseMs, digits: 1 },
    { name: 'applied/s', value: applied },
    { name: 'largest MB', value: largest(({ memoryBytes }) => memoryBytes) / 1e6 },
    { name: 'largest ms of lag', value: largest(({ lagMaxMs }) => lagMaxMs) },
    { name: 'largest backlog', value: largest(({ backlog }) => backlog) },
  ];
}
