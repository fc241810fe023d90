import { sleep } from '../../core/signals.ts';
import type { Producer } from '../../codec/kafka/batch-writer.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { errorType, throwIfError } from '../../codec/kafka/errors.ts';
import { Writer, type Api } from '../../codec/kafka/protocol.ts';

const api = {
  initProducerId: { key: 22, version: 1, name: 'InitProducerId' },
  addPartitions: { key: 24, version: 1, name: 'AddPartitionsToTxn' },
  endTransaction: { key: 26, version: 1, name: 'EndTxn' },
  listTransactions: { key: 66, version: 0, name: 'ListTransactions' },
} as const satisfies Record<string, Api>;

/** Below the brokers' default limit (transaction.max.timeout.ms, 15 minutes): one source transaction may take so long to publish. */
const TRANSACTION_TIMEOUT_MS = 10 * 60_000;
const BUSY_RETRY_MS = 2;
const BUSY_PATIENCE_MS = 30_000;

/** A topic's partition as one string: a key for maps. */
export type PartitionName = `${string}/${number}`;

/** One transactional id, taken over: whoever had it before is fenced, and what it left open is aborted. */
export class Transaction implements Producer {
  readonly transactional = true;
  readonly id: bigint;
  readonly epoch: number;
  readonly transactionalId: string;
  readonly #cluster: Cluster;
  readonly #coordinator: number;
  readonly #partitions = new Set<PartitionName>();
  readonly #sequences = new Map<PartitionName, number>();

  constructor(cluster: Cluster, coordinator: number, transactionalId: string, id: bigint, epoch: number) {
    this.#cluster = cluster;
    this.#coordinator = coordinator;
    this.transactionalId = transactionalId;
    this.id = id;
    this.epoch = epoch;
  }

  get open(): boolean {
    return this.#partitions.size > 0;
  }

  /** The sequence number of the next batch of `count` records to a partition; batches must be sent in this order. */
  sequence(partition: PartitionName, count: number): number {
    const sequence = this.#sequences.get(partition) ?? 0;
    this.#sequences.set(partition, (sequence + count) % 2 ** 31);
    return sequence;
  }

  /**
   * Takes partitions into the transaction, before anything is sent to them. The coordinator is busy for some milliseconds after each
   * commit: waited out here.
   *   AddPartitionsToTxn v1 => transactional_id producer epoch [topic [partition]]
   */
  async include(partitions: readonly { topic: string; partition: number }[], signal: AbortSignal): Promise<void> {
    const added = partitions.filter(({ topic, partition }) => !this.#partitions.has(`${topic}/${partition}`));
    if (added.length === 0) return;
    const request = new Writer().string(this.transactionalId).int64(this.id).int16(this.epoch);
    request.array(added, ({ topic, partition }) => request.string(topic).int32(1).int32(partition));
    await whileBusy(BUSY, signal, async () => {
      const answer = await this.#cluster.call(this.#coordinator, api.addPartitions, request, signal);
      // => throttle [topic [partition error]]
      answer.int32();
      answer.array(() => {
        answer.string();
        answer.array(() => {
          answer.int32();
          throwIfError(answer.int16());
        });
      });
    });
    for (const { topic, partition } of added) this.#partitions.add(`${topic}/${partition}`);
  }

  /**
   * Resolves once the outcome is durable; readers of committed records see it some milliseconds later.
   *   EndTxn v1 => transactional_id producer epoch committed
   */
  async end(outcome: 'commit' | 'abort', signal: AbortSignal): Promise<void> {
    if (!this.open) return;
    const request = new Writer().string(this.transactionalId).int64(this.id).int16(this.epoch);
    request.int8(outcome === 'commit' ? 1 : 0);
    await whileBusy(BUSY, signal, async () => {
      const answer = await this.#cluster.call(this.#coordinator, api.endTransaction, request, signal);
      // => throttle error
      answer.int32();
      throwIfError(answer.int16());
    });
    this.#partitions.clear();
  }
}

/**
 * Takes a transactional id over. When this resolves, no transaction of an earlier owner is open or can be committed any more.
 *   InitProducerId v1 => transactional_id? timeout
 */
export async function takeOver(cluster: Cluster, transactionalId: string, signal: AbortSignal): Promise<Transaction> {
  const request = new Writer().string(transactionalId).int32(TRANSACTION_TIMEOUT_MS);
  return await whileBusy(MOVING, signal, async () => {
    const coordinator = await cluster.coordinator('transaction', transactionalId, signal);
    const answer = await cluster.call(coordinator, api.initProducerId, request, signal);
    // => throttle error producer epoch
    answer.int32();
    throwIfError(answer.int16());
    return new Transaction(cluster, coordinator, transactionalId, answer.int64(), answer.int16());
  });
}

/**
 * All transactional ids that begin with `prefix` and that the brokers remember, used or not.
 *   ListTransactions v0 (flexible: compact arrays, tags) => tags [state_filter] [producer_filter] tags
 */
export async function transactionalIds(cluster: Cluster, prefix: string, signal: AbortSignal): Promise<string[]> {
  const ids: string[] = [];
  await cluster.refresh(signal);
  for (const node of cluster.nodes) {
    const request = new Writer().int8(0).int8(1).int8(1).int8(0);
    const answer = await cluster.call(node, api.listTransactions, request, signal);
    // => tags throttle error [unknown_filter] [transactional_id producer state tags] tags
    answer.uvarint();
    answer.int32();
    throwIfError(answer.int16());
    for (let left = answer.uvarint() - 1; left > 0; left--) answer.compactString();
    for (let left = answer.uvarint() - 1; left > 0; left--) {
      const id = answer.compactString();
      answer.skip(8);
      answer.compactString();
      answer.uvarint();
      if (id.startsWith(prefix)) ids.push(id);
    }
  }
  return ids;
}

const BUSY: ReadonlySet<string | null> = new Set([
  'CONCURRENT_TRANSACTIONS',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
]);
/** A new cluster names a coordinator before that broker knows that it is one. */
const MOVING: ReadonlySet<string | null> = new Set([...BUSY, 'NOT_COORDINATOR_FOR_GROUP', 'NOT_LEADER_FOR_PARTITION']);

async function whileBusy<T>(
  busy: ReadonlySet<string | null>,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  const givenUpAt = Date.now() + BUSY_PATIENCE_MS;
  for (let wait = BUSY_RETRY_MS; ; wait = Math.min(wait * 1.5, 50)) {
    try {
      return await attempt();
    } catch (error) {
      if (!busy.has(errorType(error)) || Date.now() > givenUpAt) throw error;
    }
    await sleep(wait, signal);
  }
}
