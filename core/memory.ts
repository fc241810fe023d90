import { Bell } from './signals.ts';

/** Rows that are this large together leave more behind than the collector, which sees little of what lies outside its heap, lets pass in time. */
const largeBytes = 16 * 1024 * 1024;

/** Costs some ms, where such rows cost a hundred. Does nothing where the process was not started with `--expose-gc`, as `app/main.ts` is. */
function collect(): void {
  globalThis.gc?.();
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
    if (bytes >= largeBytes) setImmediate(collect);
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
