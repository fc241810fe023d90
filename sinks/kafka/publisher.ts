import { toLockstepError } from '../../core/errors.ts';
import { Turns } from '../../core/signals.ts';
import { BatchWriter } from '../../codec/kafka/batch-writer.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import type { Compression } from '../../codec/kafka/compression.ts';
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

/** The topic's max.message.bytes; where it does not say, the default. */
export function maxBytesOf(settings: ReadonlyMap<string, string>): number {
  return Number(settings.get('max.message.bytes') ?? 1_048_588);
}

interface Slot {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  readonly limit: number;
  /** Null while nothing is collected: thousands of quiet partitions hold no buffers. */
  writer: BatchWriter | null;
}

/** What was collected for one partition. */
interface Collected {
  readonly topic: string;
  readonly partition: number;
  readonly writer: BatchWriter;
  readonly sequence: number;
}

/** A request goes out when so much has been collected over all partitions, or one partition's batch is full. */
const REQUEST_BYTES = 4 * 1024 * 1024;
/** The default of max.message.bytes: larger batches bring nothing, also where they are allowed. */
export const BATCH_BYTES = 1_000_000;
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
  readonly #compression: Compression;
  readonly #slots = new Map<string, Slot[]>();
  readonly #spare: BatchWriter[] = [];
  #filled: Slot[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  /** Requests go out in the order in which they were collected, however long compressing takes. */
  readonly #turns = new Turns();
  #collected = 0;
  #failure: Error | null = null;

  constructor(cluster: Cluster, transaction: Transaction, compression: Compression) {
    this.#cluster = cluster;
    this.#transaction = transaction;
    this.#compression = compression;
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

  /** Takes over a record of ours for the first partition, flushing where there is no room. A null value is a tombstone. */
  async put(to: Destination, key: string, value: Uint8Array | null, signal: AbortSignal): Promise<void> {
    const name = Buffer.from(key);
    const bytes = value === null ? name : Buffer.concat([name, value]);
    const append = (): boolean => this.append(to, 0, bytes, 0, name.length, name.length, bytes.length, null);
    if (append()) return;
    await this.flush(signal);
    append();
  }

  /** Sends what was collected; resolves when there is room to go on. */
  async flush(signal: AbortSignal): Promise<void> {
    const byLeader = this.#takeCollected();
    if (byLeader.size > 0) {
      await this.#transaction.include([...byLeader.values()].flat(), signal);
      for (const [leader, collected] of byLeader) this.#send(leader, collected, signal);
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

  #takeCollected(): Map<number, Collected[]> {
    const byLeader = new Map<number, Collected[]>();
    for (const slot of this.#filled) {
      const { topic, partition, leader, writer } = slot;
      if (writer === null) continue;
      const sequence = this.#transaction.sequence(`${topic}/${partition}`, writer.count);
      const collected = { topic, partition, writer, sequence };
      const others = byLeader.get(leader);
      if (others === undefined) byLeader.set(leader, [collected]);
      else others.push(collected);
      slot.writer = null;
    }
    this.#filled = [];
    this.#collected = 0;
    return byLeader;
  }

  #fill(slot: Slot): BatchWriter {
    this.#filled.push(slot);
    return this.#spare.pop() ?? new BatchWriter();
  }

  #send(leader: number, collected: readonly Collected[], signal: AbortSignal): void {
    const sent = this.#deliver(leader, collected, signal).finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
  }

  async #deliver(leader: number, collected: readonly Collected[], signal: AbortSignal): Promise<void> {
    try {
      const packed = this.#pack(collected);
      const { answered } = await this.#turns.take(async () => {
        const batches = await packed;
        // Not waited for in the turn: the next request goes out meanwhile.
        return { answered: produce(this.#cluster, leader, this.#transaction.transactionalId, batches, signal) };
      });
      await answered;
      for (const { writer } of collected) this.#spareWriter(writer);
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : toLockstepError(error);
    }
  }

  async #pack(collected: readonly Collected[]): Promise<PartitionBatch[]> {
    const nowMs = Date.now();
    return await Promise.all(
      collected.map(async ({ topic, partition, writer, sequence }) => ({
        topic,
        partition,
        records: await writer.compressed(this.#compression, this.#transaction, sequence, nowMs),
      })),
    );
  }

  #spareWriter(writer: BatchWriter): void {
    if (this.#spare.length === SPARE_WRITERS) return;
    writer.reset();
    this.#spare.push(writer);
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
