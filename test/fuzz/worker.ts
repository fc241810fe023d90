import { parentPort, workerData } from 'node:worker_threads';
import { fuzzOnce, limits } from './fuzz.ts';
import type { Found, Job, Progress } from './campaign.ts';

/** Runs one mutated log after the other and says which one it begins, so that who watches knows the one that never ends. */
const { seed, cases, seconds } = workerData as Job;
const outcomes = new Map<string, number>();
const until = performance.now() + seconds * 1000;
let rows = 0;
let done = 0;
let failure: Found | null = null;
for (; done < cases && performance.now() < until && failure === null; done += 1) {
  const here = seed + done;
  tell({ seed: here });
  const before = process.memoryUsage();
  const began = performance.now();
  try {
    const result = await fuzzOnce(here);
    outcomes.set(result.outcome, (outcomes.get(result.outcome) ?? 0) + 1);
    rows += result.rows;
  } catch (error) {
    failure = { seed: here, what: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const ms = performance.now() - began;
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  if (ms > limits.ms) failure ??= { seed: here, what: `it took ${Math.round(ms)} ms` };
  if (bytes > limits.bytes) failure ??= { seed: here, what: `it took ${bytes} bytes` };
}
tell({ done, rows, outcomes, failure });

function tell(progress: Progress): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(progress);
}
