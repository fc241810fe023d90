import { LockstepError } from '../../core/errors.ts';
import { Bell } from '../../core/signals.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { errorType } from '../../codec/kafka/errors.ts';
import { fetchRecords, type Fetched, type FetchPartition } from '../../codec/kafka/log.ts';
import type { PartitionLane } from './lane.ts';
import { partitionName, type PartitionName } from './partition-name.ts';
import type { Topology } from './topology.ts';

/** The part of the run's memory that messages may take while they wait for the loop, over all lanes; each has its share of it (G6). */
const WAITING_PART = 1 / 8;
const LANE_BYTES = { least: 64 * 1024, most: 4 * 1024 * 1024 };
const FETCH_BYTES = 1024 * 1024;
/** How long a broker may hold a fetch for the first message; shorter while full lanes are left out and may have room at any time. */
const WAIT_MS = { all: 500, some: 50 };

/** Fetches for all lanes, one request at a time from each broker. A lane that is full is left out and stops nobody else. */
export class Fetcher {
  readonly #cluster: Cluster;
  readonly #topology: Topology;
  readonly #lanes: ReadonlyMap<PartitionName, PartitionLane>;
  readonly #waitingBytes: number;
  readonly #heard: () => void;
  readonly #changed = new Bell();

  /** `memoryBytes` is what the run may hold; `heard` is called whenever a broker has answered. */
  constructor(
    cluster: Cluster,
    topology: Topology,
    lanes: ReadonlyMap<PartitionName, PartitionLane>,
    memoryBytes: number,
    heard: () => void,
  ) {
    this.#waitingBytes = memoryBytes * WAITING_PART;
    this.#cluster = cluster;
    this.#topology = topology;
    this.#lanes = lanes;
    this.#heard = heard;
  }

  /** A lane was added or has room again, or leaders have moved. */
  changed(): void {
    this.#changed.notify();
  }

  /** Fetches until the signal aborts. Throws KAFKA_TOPIC where messages were removed that a lane has not read. */
  async run(signal: AbortSignal): Promise<void> {
    const failure = new AbortController();
    const either = AbortSignal.any([signal, failure.signal]);
    const loops = new Map<number, Promise<void>>();
    for (;;) {
      for (const node of this.#leaders()) {
        if (loops.has(node)) continue;
        loops.set(
          node,
          this.#fetchFrom(node, either).catch((error: unknown) => failure.abort(error)),
        );
      }
      await this.#changed.wait(either);
    }
  }

  #leaders(): Set<number> {
    const nodes = new Set<number>();
    for (const lane of this.#lanes.values()) {
      const node = this.#topology.leader(lane.topic, lane.partition);
      if (node >= 0) nodes.add(node);
    }
    return nodes;
  }

  async #fetchFrom(node: number, signal: AbortSignal): Promise<void> {
    const fetchOnce = async (): Promise<void> => {
      const { wanted, complete } = this.#wanted(node);
      if (wanted.length === 0) return await this.#changed.wait(signal);
      const wait = complete ? WAIT_MS.all : WAIT_MS.some;
      this.#take(await fetchRecords(this.#cluster, node, wanted, wait, signal));
    };
    for (;;) await this.#topology.askLeaders('cannot read', fetchOnce, signal);
  }

  #wanted(node: number): { wanted: FetchPartition[]; complete: boolean } {
    const wanted: FetchPartition[] = [];
    let complete = true;
    const share = Math.floor(this.#waitingBytes / Math.max(1, this.#lanes.size));
    const limit = Math.min(LANE_BYTES.most, Math.max(LANE_BYTES.least, share));
    for (const { topic, partition, open, position, queuedBytes } of this.#lanes.values()) {
      if (!open || this.#topology.leader(topic, partition) !== node) continue;
      if (queuedBytes >= limit) complete = false;
      else wanted.push({ topic, partition, offset: position, maxBytes: Math.min(FETCH_BYTES, limit) });
    }
    // The broker fills its answer in this order: whoever waits longest comes first.
    return { wanted: shuffled(wanted), complete };
  }

  #take(fetched: readonly Fetched[]): void {
    this.#heard();
    const empty = fetched.every(({ bytes, error }) => bytes === 0 && error === null);
    for (const { topic, partition, error, bytes, lastStableOffset, ...records } of fetched) {
      if (error !== null) throw errorType(error) === 'OFFSET_OUT_OF_RANGE' ? removed(topic, partition) : error;
      const lane = this.#lanes.get(partitionName(topic, partition));
      if (bytes > 0) lane?.accept(records, bytes);
      // An answer without a single byte says that nothing lies before the last stable offset, for nothing crowded it out.
      else if (empty) lane?.skipTo(lastStableOffset);
    }
  }
}

function shuffled<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    const [a, b] = [items[i], items[j]];
    if (a !== undefined && b !== undefined) [items[i], items[j]] = [b, a];
  }
  return items;
}

/** What is to be said when messages are gone that were not read. */
export function removed(topic: string, partition: number): LockstepError {
  return new LockstepError(
    'KAFKA_TOPIC',
    `partition ${partition} of ${topic} no longer holds the messages after the target's checkpoint: they were removed, or the topic was created anew`,
    {
      fix: 'copy the table again: remove its entries from the checkpoints of the target, or start a new target; then raise retention.ms of the topic',
    },
  );
}
