import { monotonicMs } from './clock.ts';

const LOOK_EVERY_MS = 20;

/** When each row of a run was first seen. */
export class Seen {
  /** By id less `first`; 0 where it was not seen yet. */
  readonly atMs: Float64Array;
  readonly #first: number;
  #count = 0;

  constructor(first: number, count: number) {
    this.#first = first;
    this.atMs = new Float64Array(count);
  }

  take(id: number, atMs: number): void {
    const at = id - this.#first;
    if (this.atMs[at] !== 0) return; // of another run, or again
    this.atMs[at] = atMs;
    this.#count += 1;
  }

  /** Resolves once all rows were seen. Throws when that takes longer than `withinMs` from now, and what `check` throws. */
  async all(
    withinMs: number,
    signal: AbortSignal,
    check: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const deadlineMs = monotonicMs() + withinMs;
    while (this.#count < this.atMs.length) {
      signal.throwIfAborted();
      await check();
      if (monotonicMs() > deadlineMs)
        throw new Error(`void: ${String(this.atMs.length - this.#count)} rows were not seen in the target`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}
