import { Bell } from './signals.ts';

/**
 * Has garbage collected once what is under way is done, which costs some ms: for those who let go of much that lies outside the collector's heap, of
 * which it sees little. Does nothing where the process was not started with `--expose-gc`, as `app/main.js` is.
 */
export function collectSoon(): void {
  setImmediate(() => globalThis.gc?.());
}

/** How long a lane that holds nothing waits for room while nothing is given back. In ms. */
const patienceMs = 1_000;

/**
 * What the lanes of one run hold of changes, all together, in bytes (G6): read and not yet applied. A lane reads on when there is room. One that
 * holds nothing waits no longer than while others move: it may be the one for which they wait, at a barrier or by a lock in the target. So one batch
 * larger than all of it passes alone, and nothing stands still for ever.
 */
export class Memory {
  readonly bytes: number;
  #held = 0;
  readonly #freed = new Bell();

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  get held(): number {
    return this.#held;
  }

  take(bytes: number): void {
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    this.#freed.notify();
  }

  /** Waits until there is room; `holds` says whether who asks holds something of it, by which room will come. */
  async room(holds: () => boolean, signal: AbortSignal): Promise<void> {
    while (this.#held >= this.bytes) {
      const freed = this.#freed.wait(signal);
      if (holds()) await freed;
      else if (!(await isWithin(patienceMs, freed))) return;
    }
  }
}

async function isWithin(ms: number, done: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  try {
    return await Promise.race([done.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
