import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seeded, type Random } from '../../dev/random.ts';
import { BACKLOG_TABLES, change, keysOf, WRITERS_PER_TABLE, type BacklogTable } from '../backlog.ts';
import { BENCH_DATABASE, connectionOf } from '../data.ts';
import { monotonicMs } from '../latency/clock.ts';

const TICK_MS = 10;
const REPORT_EVERY_MS = 200;

const stopping = new AbortController();
let committed = 0;

/** Inserts, updates and deletes single rows of the four tables on an even schedule, each in a transaction of its own, until it is stopped. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { url: { type: 'string', default: '' }, rate: { type: 'string', default: '1000' } },
  });
  const writers = BACKLOG_TABLES.flatMap((table) =>
    Array.from({ length: WRITERS_PER_TABLE }, (_, part) => ({ table, part })),
  );
  const perSecond = Number(values.rate) / writers.length;
  const reporting = setInterval(() => report(), REPORT_EVERY_MS);
  await Promise.all(writers.map(({ table, part }, i) => write(values.url, table, part, seeded(1000 + i), perSecond)));
  clearInterval(reporting);
  report();
  if (process.connected) process.disconnect();
}

/** What is due goes in one packet, and what became due meanwhile in the next: a source that is slow for a while is caught up with. */
async function write(url: string, table: BacklogTable, part: number, random: Random, perSecond: number): Promise<void> {
  const connection = await connectionOf(url);
  await connection.query(`USE ${BENCH_DATABASE}`);
  const keys = await keysOf(connection, table, part);
  const startMs = monotonicMs();
  for (let done = 0; !stopping.signal.aborted;) {
    const due = Math.floor(((monotonicMs() - startMs) * perSecond) / 1000) - done;
    if (due > 0) {
      const statements = Array.from({ length: due }, () => change(table, keys, random, 'uniform').sql);
      await connection.query(statements.join(';'));
      done += due;
      committed += due;
    }
    await sleep(TICK_MS);
  }
  await connection.end();
}

function report(): void {
  if (process.connected) process.send?.(committed);
}

process.on('message', () => stopping.abort()); // the only message there is: stop
process.on('disconnect', () => stopping.abort()); // the parent is gone
process.on('SIGINT', () => undefined); // Ctrl-C goes to the whole group; the parent says when to stop
await main();
