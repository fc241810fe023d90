import type { Change, Checkpoint } from '../../core/contracts.ts';
import { indexEntry } from '../../core/secondary-index.ts';

/** What has gathered for the stream's next batch: changes, and what becomes durable with them. */
export class Gathered {
  bytes = 0;
  #changes: Change[] = [];
  #entries = new Map<string, string>();
  #drops: string[] = [];
  #whenDurable: (() => void)[] = [];
  readonly #makesIndexes: boolean;

  /** `makesIndexes`: whether the target gets the secondary indexes of the source's tables. */
  constructor(makesIndexes: boolean) {
    this.#makesIndexes = makesIndexes;
  }

  /** True where nothing but the position has moved. */
  get isBare(): boolean {
    return this.#changes.length === 0 && this.#entries.size === 0 && this.#drops.length === 0;
  }

  push(change: Change): void {
    this.#changes.push(change);
  }

  setEntry(name: string, token: string): void {
    this.#entries.set(name, token);
  }

  /** Has the target look at a table's indexes once the next batch is durable. */
  askForIndexes(origin: string): void {
    if (this.#makesIndexes) this.setEntry(indexEntry(), origin);
  }

  /** Drops the entries whose names begin so, those set before it in this batch among them. */
  dropEntries(prefix: string): void {
    this.#drops.push(prefix);
    for (const name of this.#entries.keys()) if (name.startsWith(prefix)) this.#entries.delete(name);
  }

  /** To be called once the next batch is durable. */
  onDurable(call: () => void): void {
    this.#whenDurable.push(call);
  }

  takeChanges(): Change[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  takeBytes(): number {
    const { bytes } = this;
    this.bytes = 0;
    return bytes;
  }

  /** The checkpoint with all that has gathered for it, and what to call once it is durable; null where there is nothing to call. */
  takeCheckpoint(name: string, token: string): { checkpoint: Checkpoint; durable: (() => void) | null } {
    const checkpoint = { set: new Map([...this.#entries, [name, token]]), drop: this.#drops };
    const calls = this.#whenDurable;
    this.#entries = new Map();
    this.#drops = [];
    this.#whenDurable = [];
    return { checkpoint, durable: calls.length === 0 ? null : () => calls.forEach((call) => call()) };
  }
}
