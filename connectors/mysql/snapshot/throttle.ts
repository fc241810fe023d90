import type { CopyLimits } from '../../../core/plugin.ts';
import type { Progress, ThrottleReason } from '../../../core/progress.ts';
import { Latencies } from './latencies.ts';
import type { Load } from './load.ts';

export interface Clock {
  /** In ms; only differences count. */
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface ThrottleOptions {
  readonly limits: CopyLimits;
  readonly readers: number;
  /** How busy the source is now. */
  readonly load: (signal: AbortSignal) => Promise<Load>;
  readonly progress: Progress;
  readonly clock: Clock;
  /** Called when the reason changes. */
  readonly onChange: () => void;
}

/** What one chunk took of the source. */
export interface Spent {
  readonly origin: string;
  readonly rows: number;
  readonly bytes: number;
  /** Until its first rows came, and how many those were. */
  readonly first: { readonly ms: number; readonly rows: number };
}

interface Obstacle {
  readonly reason: ThrottleReason;
  /** For people. */
  readonly text: string;
  /** How long to wait before looking again. */
  readonly ms: number;
}

const lookEveryMs = 1_000;
/** Limits hold over such a time, so that chunks stay short. */
const shareOfSecond = 0.5;

/**
 * Keeps the copy from taking more of the source than it may: rows and bytes per second, and nothing while the source is busy (G7). Asked before each chunk, so
 * that the stream, which waits for chunks under way, waits for none that waits here.
 */
export class Throttle {
  readonly #options: ThrottleOptions;
  readonly #latencies: Latencies;
  /** When what was taken is paid for. */
  #rowsPaidAt = 0;
  #bytesPaidAt = 0;
  #load: { readonly value: Promise<Load>; readonly at: number } | null = null;

  constructor(options: ThrottleOptions) {
    this.#options = options;
    this.#latencies = new Latencies(options.limits.backOff.latency);
  }

  /** What a chunk may hold at most. */
  get chunk(): { readonly rows: number; readonly bytes: number } {
    const { limits, readers } = this.#options;
    const part = (perSecond: number | null): number =>
      perSecond === null ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor((perSecond * shareOfSecond) / readers));
    return { rows: part(limits.rowsPerSecond), bytes: part(limits.bytesPerSecond) };
  }

  /** Resolves when the next chunk may be read. */
  async admit(signal: AbortSignal): Promise<void> {
    const { clock, progress } = this.#options;
    for (let waits = 0; ; waits += 1) {
      const obstacle = await this.#obstacle(signal);
      if (obstacle === null) {
        // A rate that makes each chunk wait is reason all the while.
        if (waits === 0 || !isRate(progress.throttle?.reason)) this.#say(null);
        return;
      }
      this.#say(obstacle);
      const begun = clock.now();
      await clock.sleep(obstacle.ms, signal);
      progress.throttledMs[obstacle.reason] += clock.now() - begun;
    }
  }

  spent({ origin, rows, bytes, first }: Spent): void {
    const { limits, clock } = this.#options;
    const now = clock.now();
    const paid = (at: number, amount: number, perSecond: number | null): number =>
      perSecond === null ? now : Math.max(at, now) + (amount / perSecond) * 1000;
    this.#rowsPaidAt = paid(this.#rowsPaidAt, rows, limits.rowsPerSecond);
    this.#bytesPaidAt = paid(this.#bytesPaidAt, bytes, limits.bytesPerSecond);
    this.#latencies.add(origin, first, now);
  }

  /** Nothing is being copied. */
  rest(): void {
    this.#say(null);
  }

  async #obstacle(signal: AbortSignal): Promise<Obstacle | null> {
    const { limits, clock } = this.#options;
    const busy = await this.#busy(signal);
    if (busy !== null) return { ...busy, ms: lookEveryMs };
    const now = clock.now();
    const slow = this.#latencies.obstacle(now);
    if (slow !== null) return { reason: 'latency', ...slow };
    if (this.#rowsPaidAt > now)
      return { reason: 'rows', text: `${String(limits.rowsPerSecond)} rows per second`, ms: this.#rowsPaidAt - now };
    if (this.#bytesPaidAt > now)
      return {
        reason: 'bytes',
        text: `${String(limits.bytesPerSecond)} bytes per second`,
        ms: this.#bytesPaidAt - now,
      };
    return null;
  }

  async #busy(signal: AbortSignal): Promise<Omit<Obstacle, 'ms'> | null> {
    const { threadsRunning, replicaLag } = this.#options.limits.backOff;
    if (threadsRunning === null && replicaLag === null) return null;
    const load = await this.#look(signal);
    if (threadsRunning !== null && load.threadsRunning > threadsRunning) {
      const text = `${String(load.threadsRunning)} threads are running at the source, above ${String(threadsRunning)}`;
      return { reason: 'threads', text };
    }
    if (replicaLag === null) return null;
    for (const { where, seconds } of load.replicas) {
      if (seconds === null)
        return { reason: 'replica', text: `the replica ${where} does not say how far behind it is` };
      if (seconds > replicaLag)
        return { reason: 'replica', text: `${where} is ${String(seconds)} s behind, above ${String(replicaLag)} s` };
    }
    return null;
  }

  /** All readers share one look. */
  #look(signal: AbortSignal): Promise<Load> {
    const { load, clock } = this.#options;
    const at = clock.now();
    if (this.#load === null || at - this.#load.at >= lookEveryMs) this.#load = { value: load(signal), at };
    return this.#load.value;
  }

  #say(obstacle: Omit<Obstacle, 'ms'> | null): void {
    const { progress, onChange } = this.#options;
    const before = progress.throttle;
    if (before?.reason === obstacle?.reason) {
      if (before !== null && obstacle !== null) progress.throttle = { ...before, text: obstacle.text };
      return;
    }
    progress.throttle = obstacle && { reason: obstacle.reason, text: obstacle.text, sinceMs: Date.now() };
    onChange();
  }
}

function isRate(reason: ThrottleReason | undefined): boolean {
  return reason === 'rows' || reason === 'bytes';
}
