import { Bell } from './signals.ts';

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
  }
}
