import { setTimeout as sleep } from 'node:timers/promises';
import { Product, type PipelineConfig } from '../../dev/product.ts';
import { seeded } from '../../dev/random.ts';
import { compareAll } from '../../verify/all.ts';
import { BENCH_DATABASE, connectionOf } from '../data.ts';
import { monotonicMs } from '../latency/clock.ts';
import { ScheduledWriter } from '../latency/schedule.ts';
import { directConfig, measure } from '../measure.ts';
import type { Stage } from '../stage.ts';
import { BAG, keep, PINGS, TABLES } from './scene.ts';

const RATE = 500;
const LONGEST_SECONDS = 3600;
/** A kill comes at a moment that chance decides, so long at most after the first change was seen. */
const WITHIN_MS = 1500;
const LOOK_EVERY_MS = 5;

/** What crashes cost while somebody writes, directly and by way of Kafka: time until changes arrive again, and rows, of which there must be none. */
export async function benchKills(stage: Stage): Promise<void> {
  const { connection, target, options } = stage;
  await benchKillsOf(stage, 'kill -9', directConfig(stage, TABLES));
  if (options.kills === 0) return;
  const kafka = await stage.start('kafka');
  await target.clear();
  const tables = [PINGS, BAG].map((table) => `${BENCH_DATABASE}.${table}`);
  for (const table of tables) await connection.query(`TRUNCATE ${table}`);
  const config = { ...directConfig(stage, tables), kafka: kafka.url, listen: '127.0.0.1:0' };
  await measure({ config, args: [], servers: [], firstVisible: null }); // makes the tables
  await benchKillsOf(stage, 'kill -9 by way of Kafka', config);
}

async function benchKillsOf(stage: Stage, part: string, config: PipelineConfig): Promise<void> {
  const { options, source, target, connection, report, signal } = stage;
  const random = seeded(1);
  // The server reads a log file from its beginning to find where to go on, and this one holds what was written for other parts.
  await connection.query('FLUSH BINARY LOGS');
  const writer = await ScheduledWriter.start({
    url: source.url,
    table: PINGS,
    first: 0,
    rate: RATE,
    seconds: LONGEST_SECONDS,
  });
  const bag = fillBag(source.url);
  let product = await Product.start(config);
  try {
    await newer(stage, product, -1);
    for (let kill = 1; kill <= options.kills; kill += 1) {
      await sleep(random.int(WITHIN_MS), undefined, { signal });
      await product.kill();
      await product[Symbol.asyncDispose]();
      // What the killed process had sent may still be committed: only rows that were due after its end tell of the next one.
      const last = writer.dueBy(monotonicMs());
      const started = performance.now();
      product = await Product.start(config);
      await newer(stage, product, last);
      const value = performance.now() - started;
      await keep(stage, part, kill, [{ name: 'ms from the next start to a change made after the kill', value }]);
    }
  } finally {
    writer.stop();
    await bag.stop();
    await writer.ended();
    await writer[Symbol.asyncDispose]();
    await product[Symbol.asyncDispose]();
  }
  await measure({ config, args: [], servers: [], firstVisible: null });
  const results = await compareAll(source.url, target.url, config.tables, signal);
  const lost = results.reduce(
    (sum, { missing, mismatched, deadLettered }) => sum + missing + mismatched + deadLettered,
    0,
  );
  const doubled = results.reduce((sum, { extra }) => sum + extra, 0);
  const rows = results.reduce((sum, { rows }) => sum + rows, 0);
  report.say(`  ${String(rows)} rows compared, those of a table without a key among them`);
  await keep(stage, part, options.kills, [
    { name: 'rows lost', value: lost },
    { name: 'rows doubled', value: doubled },
  ]);
  if (lost + doubled > 0) throw new Error(`void: ${String(lost)} rows lost, ${String(doubled)} doubled`);
}

/** Resolves once a row is visible that is newer than `before`. */
async function newer({ target, signal }: Stage, product: Product, before: number): Promise<void> {
  while ((await target.newest(PINGS)) <= before) {
    await product.expectRunning();
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** Inserts into the table without a key, updates and deletes there, until it is stopped: a row applied twice stays twice. */
function fillBag(url: string): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const filling = fill(url, stopping.signal);
  filling.catch(() => undefined); // `stop` says it
  return {
    async stop() {
      stopping.abort();
      await filling;
    },
  };
}

async function fill(url: string, stop: AbortSignal): Promise<void> {
  const connection = await connectionOf(url);
  await connection.query(`USE ${BENCH_DATABASE}`);
  for (let n = 1; !stop.aborted; n += 1) {
    await connection.query(`INSERT INTO ${BAG} (n, note) VALUES (${String(n)}, 'once')`);
    if (n % 10 === 0) await connection.query(`UPDATE ${BAG} SET note = 'changed' WHERE n = ${String(n - 5)}`);
    if (n % 10 === 5) await connection.query(`DELETE FROM ${BAG} WHERE n = ${String(n - 1)}`);
    await sleep(5);
  }
  await connection.end();
}
