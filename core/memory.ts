import { Bell } from './signals.ts';

/** Rows that are this large together leave more behind than the collector, which sees little of what lies outside its heap, lets pass in time. */
const largeBytes = 16 * 1024 * 1024;

/** Costs some ms, where such rows cost a hundred. Does nothing where the process was not started with `--expose-gc`, as `app/main.ts` is. */
function collect(): void {
  globalThis.gc?.();
}

/**
 * What the lanes of one run hold of changes, all together, in bytes (G6): read and not yet applied. A lane that holds nothing may always read
 * on, so one batch larger than all of it passes alone, and no lane waits for one that waits for it; any other waits until there is room.
 */
export class Memory {
  readonly bytes: number;
  /** Rings when something was given back. */
  readonly freed = new Bell();
  #held = 0;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  get held(): number {
    return this.#held;
  }

  get isFull(): boolean {
    return this.#held >= this.bytes;
  }

  take(bytes: number): void {
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    this.freed.notify();
    if (bytes >= largeBytes) setImmediate(collect);
  }
}
