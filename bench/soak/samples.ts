import { grouped } from '../../dev/demo/words.ts';
import { riseOf } from './flat.ts';

/** What was seen since the sample before. */
export interface Sample {
  /** From the start. */
  readonly seconds: number;
  readonly appliedPerSecond: number;
  /** From when a row was due until the target showed it; null where none was seen. */
  readonly lagP50Ms: number | null;
  readonly lagP99Ms: number | null;
  readonly lagMaxMs: number | null;
  /** Of Lockstep, resident. */
  readonly memoryBytes: number;
  /** Changes committed at the source and not applied. */
  readonly backlog: number;
}

export function lineOf({
  seconds,
  appliedPerSecond,
  lagP50Ms,
  lagP99Ms,
  lagMaxMs,
  memoryBytes,
  backlog,
}: Sample): string {
  const ms = (lag: number | null): string => (lag === null ? '-' : lag.toFixed(1)).padStart(8);
  return [
    `${seconds.toFixed(0)} s`.padStart(7),
    `applied ${grouped(appliedPerSecond)}/s`.padStart(18),
    `lag p50 ${ms(lagP50Ms)}  p99 ${ms(lagP99Ms)}  max ${ms(lagMaxMs)} ms`,
    `memory ${(memoryBytes / 1e6).toFixed(0)} MB`.padStart(13),
    `backlog ${grouped(backlog)}`,
  ].join('  ');
}

/** The first fifth warms up, five minutes at most. */
const WARM_UP_SHARE = 0.2;
const WARM_UP_SECONDS = 300;
/** A process that keeps 50 bytes of each change grows by more in the 25 minutes at 1,000 a second that are looked at. */
const MEMORY_RISE_BYTES = 32e6;
const MEMORY_RISE_SHARE = 0.1;
/** What falls behind by a thousandth of the load is 1.5 s behind after 25 minutes; a large transaction near the end moves the line by less. */
const LAG_RISE_MS = 1000;

export interface Flatness {
  /** From the end of the warm-up to the end, along the line of least squares. */
  readonly memoryRiseBytes: number;
  readonly lagRiseMs: number;
  readonly flat: boolean;
}

/** Whether memory and lag stay. Throws where there are too few samples to tell. */
export function flatnessOf(samples: readonly Sample[]): Flatness {
  const from = Math.min(WARM_UP_SECONDS, (samples.at(-1)?.seconds ?? 0) * WARM_UP_SHARE);
  const looked = samples.filter(({ seconds }) => seconds > from);
  if (looked.length < 3) throw new Error('too short: three samples after the warm-up are the least that show a slope');
  const memory = looked.map(({ seconds, memoryBytes }) => [seconds, memoryBytes] as const);
  const lag = looked.flatMap(({ seconds, lagP50Ms }) => (lagP50Ms === null ? [] : [[seconds, lagP50Ms] as const]));
  const meanMemory = memory.reduce((sum, [, bytes]) => sum + bytes, 0) / memory.length;
  const memoryRiseBytes = riseOf(memory);
  const lagRiseMs = riseOf(lag);
  const flat = memoryRiseBytes <= MEMORY_RISE_BYTES + meanMemory * MEMORY_RISE_SHARE && lagRiseMs <= LAG_RISE_MS;
  return { memoryRiseBytes, lagRiseMs, flat };
}
