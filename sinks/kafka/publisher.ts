import { toLockstepError } from '../../core/errors.ts';
import { BatchWriter } from '../../codec/kafka/batch-writer.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { produce, type PartitionBatch } from '../../codec/kafka/produce.ts';
import type { Transaction } from './transaction.ts';

/** A topic as records are sent to it. */
export interface Destination {
  readonly topic: string;
  /** The leader's node id per partition. */
  readonly leaders: readonly number[];
  /** The topic's max.message.bytes: what a record batch may measure. */
  readonly maxBytes: number;
}

interface Slot {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  readonly limit: number;
  /** Null while nothing is collected: thousands of quiet partitions hold no buffers. */
  writer: BatchWriter | null;
}

/** A request goes out when so much has been collected over all partitions, or one partition's batch is full. */
const REQUEST_BYTES = 4 * 1024 * 1024;
/** The default of max.message.bytes: larger batches bring nothing, also where they are allowed. */
const BATCH_BYTES = 1_000_000;
/** Brokers keep the last five batches of a producer to recognise repetitions. */
const IN_FLIGHT = 3;
const SPARE_WRITERS = 16;

/**
 * Collects records into one batch per partition and sends them in one transaction. Nothing is sent twice: a failed request fails the
 * publisher, and the transaction with it.
 */
export class Publisher {
  readonly #cluster: Cluster;
  readonly #transaction: Transaction;
  readonly #slots = new Map<string, Slot[]>();
  readonly #spare: BatchWriter[] = [];
  #filled: Slot[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #collected = 0;
  #failure: Error | null = null;

  constructor(cluster: Cluster, transaction: Transaction) {
    this.#cluster = cluster;
    this.#transaction = transaction;
  }

  /**
   * Takes a record over; key and value lie in `source`, an empty range is null. False when there is no room before the next `flush`.
   * The caller has checked that the record fits into a batch of the topic.
   */
  append(
    to: Destination,
    partition: number,
    source: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
    headers: Uint8Array | null,
  ): boolean {
    const slot = this.#slot(to, partition);
    const size = BatchWriter.sizeOf(keyEnd - keyStart + valueEnd - valueStart + (headers?.length ?? 0));
    if (this.#collected >= REQUEST_BYTES || (slot.writer !== null && slot.writer.size + size > slot.limit))
      return false;
    slot.writer ??= this.#fill(slot);
    slot.writer.append(source, keyStart, keyEnd, valueStart, valueEnd, headers);
    this.#collected += size;
    return true;
  }

  /** Sends what was collected; resolves when there is room to go on. */
  async flush(signal: AbortSignal): Promise<void> {
    const byLeader = this.#takeBatches();
    if (byLeader.size > 0) {
      await this.#transaction.include([...byLeader.values()].flat(), signal);
      for (const [leader, batches] of byLeader) this.#send(leader, batches, signal);
      this.#empty();
    }
    while (this.#inFlight.size >= IN_FLIGHT * Math.max(1, byLeader.size)) await Promise.race(this.#inFlight);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Sends what was collected; resolves when all of it is with the brokers. */
  async settle(signal: AbortSignal): Promise<void> {
    await this.flush(signal);
    await Promise.all(this.#inFlight);
    if (this.#failure !== null) throw this.#failure;
  }

  #takeBatches(): Map<number, PartitionBatch[]> {
    const byLeader = new Map<number, PartitionBatch[]>();
    const now = Date.now();
    for (const { topic, partition, leader, writer } of this.#filled) {
      if (writer === null) continue;
      const sequence = this.#transaction.sequence(`${topic}/${partition}`, writer.count);
      const batch = { topic, partition, records: writer.finish(this.#transaction, sequence, now) };
      const batches = byLeader.get(leader);
      if (batches === undefined) byLeader.set(leader, [batch]);
      else batches.push(batch);
    }
    this.#collected = 0;
    return byLeader;
  }

  #fill(slot: Slot): BatchWriter {
    this.#filled.push(slot);
    return this.#spare.pop() ?? new BatchWriter();
  }

  #empty(): void {
    for (const slot of this.#filled) {
      const { writer } = slot;
      slot.writer = null;
      if (writer === null || this.#spare.length === SPARE_WRITERS) continue;
      writer.reset();
      this.#spare.push(writer);
    }
    this.#filled = [];
  }

  #send(leader: number, batches: readonly PartitionBatch[], signal: AbortSignal): void {
    const sent = produce(this.#cluster, leader, this.#transaction.transactionalId, batches, signal)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : toLockstepError(error);
      })
      .finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
  }

  #slot(to: Destination, partition: number): Slot {
    let slots = this.#slots.get(to.topic);
    if (slots === undefined) {
      const limit = Math.min(to.maxBytes, BATCH_BYTES);
      slots = to.leaders.map((leader, partition) => ({ topic: to.topic, partition, leader, limit, writer: null }));
      this.#slots.set(to.topic, slots);
    }
    const slot = slots[partition];
    if (slot === undefined) throw new RangeError(`${to.topic} has no partition ${partition}`);
    return slot;
  }
}
