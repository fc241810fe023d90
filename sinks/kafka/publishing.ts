import { LockstepError } from '../../core/errors.ts';
import { markerKeySchema } from '../../codec/avro/schema.ts';
import type { Compression } from '../../codec/kafka/compression.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { kafkaError } from '../../codec/kafka/errors.ts';
import { checkpointTopic, markerSubject } from '../../codec/kafka/names.ts';
import type { OpenedRegistry } from '../../codec/kafka/open-registry.ts';
import { createTopic, defaultReplication } from '../../codec/kafka/topics.ts';
import { CheckpointLog } from './checkpoints.ts';
import { HeldLetters, LaneLetters } from './held-letters.ts';
import { LaneEncoder } from './lane-encoder.ts';
import { claim, isOwner, leave, openLane, outrun, type Claim, type Role } from './ownership.ts';
import { PublishedTables } from './published-tables.ts';
import { Publisher, type Destination } from './publisher.ts';
import type { Transaction } from './transaction.ts';

export interface PublishingParts {
  readonly cluster: Cluster;
  readonly registry: OpenedRegistry;
  readonly pipeline: string;
  readonly partitions: number;
  readonly replicationFactor: number | null;
  readonly compression: Compression;
  readonly deadLetterLimit: number;
}

/** What this process owns as the pipeline's one publisher. */
export interface Ownership {
  readonly claim: Claim;
  readonly owner: string;
  readonly checkpoints: Destination;
  readonly letters: HeldLetters;
  readonly markerKeyId: number;
}

/** One lane with a transactional id of its own. */
export interface OpenLane {
  readonly transaction: Transaction;
  readonly publisher: Publisher;
  readonly encoder: LaneEncoder;
  readonly letters: LaneLetters;
}

/** Ownership of a pipeline's topics, from the first write on (G8), and the lanes in which they are written. */
export class Publishing {
  readonly log: CheckpointLog;
  readonly tables: PublishedTables;
  readonly #parts: PublishingParts;
  readonly #role: Role;
  readonly #lanes = new Map<string, Promise<OpenLane>>();
  #claim: Claim | null = null;
  #owner: string | null = null;
  #owning: Promise<Ownership> | null = null;

  constructor(parts: PublishingParts, role: Role) {
    this.#parts = parts;
    this.#role = role;
    this.log = new CheckpointLog(checkpointTopic(parts.pipeline));
    this.tables = new PublishedTables(parts.cluster, parts.registry.registry, parts);
  }

  /** Null before the first write. */
  get owning(): Promise<Ownership> | null {
    return this.#owning;
  }

  own(signal: AbortSignal): Promise<Ownership> {
    this.#owning ??= this.#becomeOwner(signal);
    return this.#owning;
  }

  lane(name: string, signal: AbortSignal): Promise<OpenLane> {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = this.#openLane(name, signal);
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  /** Gives up what is not committed. */
  async abort(signal: AbortSignal): Promise<void> {
    const lanes = await Promise.allSettled(this.#lanes.values());
    const aborts = lanes.map(async (lane) => {
      if (lane.status === 'fulfilled') await lane.value.transaction.end('abort', signal);
    });
    await Promise.allSettled(aborts);
  }

  /** Lets go of the pipeline before the process ends, so that nobody waits for it. `lane` has nothing open. */
  async leave({ transaction }: OpenLane, signal: AbortSignal): Promise<void> {
    if (this.#owning !== null) await leave((await this.#owning).claim, transaction, signal);
  }

  /** Errors are translated; who was fenced is told by whom. */
  async guarded<T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      const ours = kafkaError(error, doing);
      throw ours instanceof LockstepError && ours.code === 'KAFKA_FENCED' ? await this.#fenced(ours, signal) : ours;
    }
  }

  async #becomeOwner(signal: AbortSignal): Promise<Ownership> {
    const { cluster, pipeline, registry, replicationFactor, deadLetterLimit } = this.#parts;
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
    const to: Claim = { cluster, pipeline, checkpoints: this.log, topic, leader: leaders[0] ?? -1, role: this.#role };
    this.#claim = to;
    const owner = await claim(to, signal);
    this.#owner = owner;
    const letters = await HeldLetters.load(this.#parts, deadLetterLimit, signal);
    const markerKeyId = await registry.registry.register(markerSubject(pipeline), markerKeySchema(), signal);
    return { claim: to, owner, checkpoints: { topic, leaders, maxBytes: 1_048_588 }, letters, markerKeyId };
  }

  async #openLane(name: string, signal: AbortSignal): Promise<OpenLane> {
    const { claim, owner, letters, markerKeyId } = await this.own(signal);
    const transaction = await openLane(claim, owner, name, signal);
    const publisher = new Publisher(this.#parts.cluster, transaction, this.#parts.compression);
    const encoder = new LaneEncoder(this.tables, publisher, markerKeyId);
    return { transaction, publisher, encoder, letters: new LaneLetters(letters) };
  }

  /** Fenced by another owner, or by the brokers after a transaction that took too long: then the pipeline still is ours. */
  async #fenced(error: LockstepError, signal: AbortSignal): Promise<LockstepError> {
    if (this.#claim === null) return error;
    try {
      if (!(await isOwner(this.#claim, this.#owner, signal))) return outrun(this.#claim);
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
