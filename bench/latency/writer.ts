import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openInserters } from './inserters.ts';
import { monotonicMs } from './clock.ts';
import { LANES, type WriterSays } from './schedule.ts';

/**
 * An open loop in a process of its own: row k is due k/rate seconds after the start and is sent then, whether or not earlier ones have been answered:
 * a server that falls behind does not slow the schedule down, and what waits for it counts (coordinated omission). Rows go out over several
 * connections, each with every 16th id in order. Node's timers know whole milliseconds, so a row may be sent up to one late; it counts from when it was due.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: '' },
      table: { type: 'string', default: '' },
      first: { type: 'string', default: '0' },
      rate: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '1' },
    },
  });
  const [first, rate, seconds] = [Number(values.first), Number(values.rate), Number(values.seconds)];
  const count = Math.ceil(rate * seconds);
  const committedMs = new Float64Array(count);
  const inserters = await openInserters(values.url, values.table, LANES);
  const startMs = monotonicMs() + 100;
  await say({ kind: 'started', startMs });
  const answers: Promise<void>[] = [];
  const send = async (k: number): Promise<void> => {
    const id = first + k;
    await inserters.insert(id % LANES, id);
    committedMs[k] = monotonicMs();
  };
  let next = 0;
  while (next < count && !stop.aborted) {
    for (; next < count && startMs + (next * 1000) / rate <= monotonicMs(); next += 1) answers.push(send(next));
    await sleep(Math.max(1, startMs + (next * 1000) / rate - monotonicMs()));
  }
  await Promise.all(answers);
  await inserters[Symbol.asyncDispose]();
  await say({ kind: 'ended', committedMs: committedMs.slice(0, next) });
  if (process.connected) process.disconnect();
}

const stopping = new AbortController();
const stop = stopping.signal;
process.on('message', () => stopping.abort()); // the only message there is: stop
process.on('disconnect', () => stopping.abort()); // the parent is gone
process.on('SIGINT', () => undefined); // Ctrl-C goes to the whole group; the parent says when to stop

/** Resolves once it is on its way: what is large is lost when the channel is closed before. */
async function say(message: WriterSays): Promise<void> {
  if (process.connected) await new Promise((resolve) => process.send?.(message, undefined, undefined, resolve));
}

await main();
