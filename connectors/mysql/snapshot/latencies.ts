/** How long chunks of one table take until their first rows come, in ms per row. */
interface Latency {
  /** The best there was; it ages a little with each chunk, as the table and the load of the hour change. */
  best: number;
  recent: number;
  chunks: number;
}

/** Before so many chunks of a table nothing is known of it. */
const enoughChunks = 5;
/** A chunk that takes less is no burden, however fast others were. */
const shortMs = 200;
const ageing = 1.02;
const longestWaitMs = 10_000;

/** Finds out when the source answers slower than it can: it has other things to do then. */
export class Latencies {
  readonly #limit: number | null;
  readonly #byTable = new Map<string, Latency>();
  #obstacle: { readonly text: string; readonly until: number } | null = null;

  /** `limit` is how many times as long as at best a chunk may take; null: no matter how long. */
  constructor(limit: number | null) {
    this.#limit = limit;
  }

  add(origin: string, { ms, rows }: { readonly ms: number; readonly rows: number }, now: number): void {
    if (this.#limit === null || rows === 0) return;
    const perRow = ms / rows;
    const known = this.#byTable.get(origin) ?? { best: perRow, recent: perRow, chunks: 0 };
    known.best = Math.min(perRow, known.best * ageing);
    known.recent = (known.recent + perRow) / 2;
    known.chunks += 1;
    this.#byTable.set(origin, known);
    const times = known.recent / known.best;
    if (known.chunks < enoughChunks || ms < shortMs || times <= this.#limit) return;
    const text = `chunks of ${origin} take ${times.toFixed(1)} times as long as at best, above ${String(this.#limit)}`;
    // The next chunk is what tells whether it is over, so the wait is in proportion to the time it takes.
    this.#obstacle = { text, until: now + Math.min(longestWaitMs, 4 * ms) };
  }

  /** Null when no chunk was too slow of late. */
  obstacle(now: number): { readonly text: string; readonly ms: number } | null {
    if (this.#obstacle === null || this.#obstacle.until <= now) return null;
    return { text: this.#obstacle.text, ms: this.#obstacle.until - now };
  }
}
