import type { Batch, Checkpoint, Lane } from '../../core/contracts.ts';
import { Bell } from '../../core/signals.ts';
import type { FetchedRecords } from '../../codec/kafka/batch-reader.ts';
import { decodeRecords, NOTHING_COPYING, type Trail } from './decode.ts';
import type { Finish } from './finish.ts';
import { entryName, laneName, readToken, writeToken } from './lane-names.ts';
import type { Schemas } from './schemas.ts';

export interface LaneStart {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** One partition as a lane: what the fetcher brings waits here, as bytes, until the loop takes and decodes it. */
export class PartitionLane implements Lane {
  readonly name: string;
  readonly kind = 'stream';
  readonly topic: string;
  readonly partition: number;
  readonly batches: AsyncIterable<Batch>;
  readonly #schemas: Schemas;
  readonly #finish: Finish | null;
  readonly #entry: string;
  readonly #arrived = new Bell();
  readonly #taken: () => void;
  readonly #queue: { readonly fetched: FetchedRecords; readonly bytes: number }[] = [];
  readonly #drained = Promise.withResolvers<void>();
  readonly #trail: Trail = { table: null, deleted: null };
  #queuedBytes = 0;
  #position: number;
  #readTo: number;
  #yielded: number;
  #acknowledged: number;
  #closed = false;
  #ended = false;

  constructor(
    start: LaneStart,
    parts: {
      readonly schemas: Schemas;
      readonly finish: Finish | null;
      readonly taken: () => void;
      readonly signal: AbortSignal;
    },
  ) {
    this.topic = start.topic;
    this.partition = start.partition;
    this.name = laneName(start.topic, start.partition);
    this.#entry = entryName(this.name);
    this.#position = start.offset;
    this.#readTo = start.offset;
    this.#yielded = start.offset;
    this.#acknowledged = start.offset;
    this.#schemas = parts.schemas;
    this.#finish = parts.finish;
    this.#taken = parts.taken;
    this.batches = this.#read(parts.signal);
    this.#finish?.join(this);
  }

  /** The offset to fetch next. */
  get position(): number {
    return this.#position;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether it takes more. */
  get open(): boolean {
    return !this.#closed && !this.#ended;
  }

  /** Everything before this offset is durable in the target. */
  get doneTo(): number {
    return this.#acknowledged;
  }

  accept(fetched: FetchedRecords, bytes: number): void {
    if (!this.open || fetched.nextOffset <= this.#position) return;
    this.#position = fetched.nextOffset;
    this.#queue.push({ fetched, bytes });
    this.#queuedBytes += bytes;
    this.#arrived.notify();
  }

  /** Nothing lies between the position and `offset`: compaction or aborted transactions have left it empty. */
  skipTo(offset: number): void {
    if (offset > this.#position) this.accept({ records: [], nextOffset: offset }, 0);
  }

  acknowledge(checkpoint: Checkpoint): void {
    const token = checkpoint.set.get(this.#entry);
    if (token !== undefined) this.#acknowledged = readToken(token, this.#entry);
    this.#settle();
  }

  /** Looks again whether there is a reason to end or to go on. */
  wake(): void {
    this.#arrived.notify();
  }

  /** Ends the lane behind what the loop has taken already. Resolves when that is durable too. */
  close(): Promise<void> {
    this.#closed = true;
    this.#arrived.notify();
    this.#settle();
    return this.#drained.promise;
  }

  async *#read(signal: AbortSignal): AsyncGenerator<Batch> {
    try {
      while (!this.#closed && this.#finish?.everybody !== true) {
        const next = this.#queue.shift();
        if (next !== undefined) {
          this.#queuedBytes -= next.bytes;
          this.#taken();
          yield* this.#decode(next.fetched, signal);
        } else if (this.#mustSayItsEnd()) {
          yield {
            changes: [],
            bytes: 0,
            copying: NOTHING_COPYING,
            barrier: null,
            checkpoint: this.#checkpoint(this.#readTo),
          };
        } else {
          await this.#arrived.wait(signal);
        }
      }
    } finally {
      this.#ended = true;
      this.#settle();
    }
  }

  /** With `caught-up`: what comes last in a partition is often nothing for a target, and must count as done all the same. */
  #mustSayItsEnd(): boolean {
    return this.#finish !== null && this.#readTo > this.#yielded && this.#readTo >= this.#finish.endOf(this);
  }

  #checkpoint(offset: number): Checkpoint {
    this.#yielded = offset;
    return { set: new Map([[this.#entry, writeToken(offset)]]), drop: [] };
  }

  async *#decode(fetched: FetchedRecords, signal: AbortSignal): AsyncGenerator<Batch> {
    await this.#schemas.prepare(this.topic, fetched.records, signal);
    for (const { batch, nextOffset } of decodeRecords(this.topic, fetched.records, this.#schemas, this.#trail)) {
      if (batch.barrier !== null) await this.#mayPass(batch.barrier.id, nextOffset, signal);
      if (this.#closed || this.#finish?.everybody === true) return;
      yield { ...batch, checkpoint: this.#checkpoint(nextOffset) };
    }
    this.#readTo = fetched.nextOffset;
  }

  /** With `caught-up`: a barrier behind this lane's end is passed only where another lane needs it for its own. */
  async #mayPass(id: string, nextOffset: number, signal: AbortSignal): Promise<void> {
    const finish = this.#finish;
    if (finish === null) return;
    finish.meets(this, id, nextOffset);
    while (!this.#closed && !finish.everybody && !finish.needs(id)) await this.#arrived.wait(signal);
  }

  #settle(): void {
    if (this.#acknowledged !== this.#yielded) return;
    this.#finish?.settled(this);
    if (this.#closed) this.#drained.resolve();
  }
}
