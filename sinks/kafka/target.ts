import type { Batch, Checkpoint, Lane, Target } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import { markerKeySchema } from '../../codec/avro/schema.ts';
import type { Compression } from '../../codec/kafka/compression.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { kafkaError } from '../../codec/kafka/errors.ts';
import { checkpointTopic, markerSubject } from '../../codec/kafka/names.ts';
import type { OpenedRegistry } from '../../codec/kafka/open-registry.ts';
import { createTopic, defaultReplication } from '../../codec/kafka/topics.ts';
import { CheckpointLog, type CheckpointRecord } from './checkpoints.ts';
import { LaneEncoder } from './lane-encoder.ts';
import { claim, fenced, isOwner, openLane, writeBeside, type Claim } from './ownership.ts';
import { PublishedTables } from './published-tables.ts';
import { Publisher, type Destination } from './publisher.ts';
import type { Transaction } from './transaction.ts';

export interface KafkaTargetParts {
  readonly cluster: Cluster;
  readonly registry: OpenedRegistry;
  readonly pipeline: string;
  readonly partitions: number;
  readonly replicationFactor: number | null;
  readonly compression: Compression;
}

/** What this process owns as the pipeline's one publisher. */
interface Ownership {
  readonly claim: Claim;
  readonly owner: string;
  readonly checkpoints: Destination;
  readonly markerKeyId: number;
}

interface OpenLane {
  readonly transaction: Transaction;
  readonly publisher: Publisher;
  readonly encoder: LaneEncoder;
}

const PREPARED_SIDE_BY_SIDE = 8;
const CLOSE_MS = 2000;

/**
 * Publishes to Kafka. Rows and checkpoint of a batch are one Kafka transaction (G1); a lane has a transactional id of its own. The first
 * write makes this process the owner of the pipeline (G8); reading checkpoints does not.
 */
export class KafkaTarget implements Target {
  readonly #parts: KafkaTargetParts;
  readonly #tables: PublishedTables;
  readonly #log: CheckpointLog;
  readonly #lanes = new Map<string, Promise<OpenLane>>();
  #owning: Promise<Ownership> | null = null;

  constructor(parts: KafkaTargetParts) {
    this.#parts = parts;
    this.#log = new CheckpointLog(checkpointTopic(parts.pipeline));
    this.#tables = new PublishedTables(parts.cluster, parts.registry.registry, parts);
  }

  async load(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    return await this.#guarded('cannot read the checkpoints', signal, async () => {
      await this.#owning;
      await this.#log.catchUp(this.#parts.cluster, signal);
      return this.#log.entries(prefix);
    });
  }

  async prepare(tables: readonly TableSchema[], signal: AbortSignal): Promise<void> {
    await this.#guarded('cannot prepare the topics', signal, async () => {
      await this.#own(signal);
      const waiting = [...tables];
      const work = async (): Promise<void> => {
        for (let table = waiting.shift(); table !== undefined; table = waiting.shift()) {
          await this.#tables.open(table, signal);
        }
      };
      await Promise.all(Array.from({ length: PREPARED_SIDE_BY_SIDE }, work));
    });
  }

  async apply(lane: Pick<Lane, 'name' | 'kind'>, batch: Batch, signal: AbortSignal): Promise<void> {
    await this.#guarded(`cannot publish lane ${lane.name} of ${this.#parts.pipeline}`, signal, async () => {
      const { checkpoints } = await this.#own(signal);
      const { transaction, publisher, encoder } = await this.#lane(lane.name, signal);
      await encoder.publish(batch.changes, signal);
      if (batch.checkpoint === null) {
        await publisher.settle(signal);
        return;
      }
      const records = await this.#appendCheckpoint(publisher, checkpoints, batch.checkpoint, signal);
      await publisher.settle(signal);
      await transaction.end('commit', signal);
      this.#log.moved(records);
    });
  }

  /** Does not make this process the owner. */
  async note(name: string, token: string, signal: AbortSignal): Promise<void> {
    const { cluster, pipeline } = this.#parts;
    const topic = checkpointTopic(pipeline);
    await this.#guarded('cannot write a request', signal, async () => {
      const [place] = await cluster.topics([topic], signal);
      await writeBeside({ cluster, pipeline, topic, leader: place?.leaders[0] ?? -1 }, name, token, signal);
    });
  }

  /** Gives up what is not committed. */
  async close(): Promise<void> {
    const signal = AbortSignal.timeout(CLOSE_MS);
    const lanes = await Promise.allSettled(this.#lanes.values());
    const aborts = lanes.map(async (lane) => {
      if (lane.status === 'fulfilled') await lane.value.transaction.end('abort', signal);
    });
    await Promise.allSettled(aborts);
    await Promise.all([this.#parts.cluster.close(), this.#parts.registry.close()]);
  }

  async #appendCheckpoint(
    publisher: Publisher,
    to: Destination,
    checkpoint: Checkpoint,
    signal: AbortSignal,
  ): Promise<readonly CheckpointRecord[]> {
    const records = this.#log.records(checkpoint);
    for (const { key, value } of records) {
      const bytes = Buffer.from(key + (value ?? ''));
      const keyEnd = Buffer.byteLength(key);
      const append = (): boolean => publisher.append(to, 0, bytes, 0, keyEnd, keyEnd, bytes.length, null);
      if (append()) continue;
      await publisher.flush(signal);
      append();
    }
    return records;
  }

  #own(signal: AbortSignal): Promise<Ownership> {
    this.#owning ??= this.#becomeOwner(signal);
    return this.#owning;
  }

  async #becomeOwner(signal: AbortSignal): Promise<Ownership> {
    const { cluster, pipeline, registry, replicationFactor } = this.#parts;
    const topic = checkpointTopic(pipeline);
    const { leaders } = await createTopic(
      cluster,
      {
        topic,
        partitions: 1,
        replicationFactor: replicationFactor ?? defaultReplication(cluster),
        settings: { 'cleanup.policy': 'compact', 'segment.bytes': String(16 * 1024 * 1024) },
      },
      signal,
    );
    const to: Claim = { cluster, pipeline, checkpoints: this.#log, topic, leader: leaders[0] ?? -1 };
    const owner = await claim(to, signal);
    const markerKeyId = await registry.registry.register(markerSubject(pipeline), markerKeySchema(), signal);
    return { claim: to, owner, checkpoints: { topic, leaders, maxBytes: 1_048_588 }, markerKeyId };
  }

  #lane(name: string, signal: AbortSignal): Promise<OpenLane> {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = this.#openLane(name, signal);
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  async #openLane(name: string, signal: AbortSignal): Promise<OpenLane> {
    const { claim, owner, markerKeyId } = await this.#own(signal);
    const transaction = await openLane(claim, owner, name, signal);
    const publisher = new Publisher(this.#parts.cluster, transaction, this.#parts.compression);
    return { transaction, publisher, encoder: new LaneEncoder(this.#tables, publisher, markerKeyId) };
  }

  async #guarded<T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      const ours = kafkaError(error, doing);
      throw ours instanceof LockstepError && ours.code === 'KAFKA_FENCED' ? await this.#fenced(ours, signal) : ours;
    }
  }

  /** Fenced by another owner, or by the brokers after a transaction that took too long: then the pipeline still is ours. */
  async #fenced(error: LockstepError, signal: AbortSignal): Promise<LockstepError> {
    if (this.#owning === null) return error;
    try {
      const { claim, owner } = await this.#owning;
      if (!(await isOwner(claim, owner, signal))) return fenced(this.#parts.pipeline);
    } catch {
      return error;
    }
    const fix =
      'it is tried again from the last checkpoint; if it stays, one source transaction takes more than 10 minutes to publish';
    return new LockstepError('CHECKPOINT_MOVED', `${error.message}; no other process has taken over`, {
      fix,
      cause: error,
    });
  }
}
