import { LockstepError } from '../../core/errors.ts';
import { sleep, untilAborted } from '../../core/signals.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { errorType, isPassing, kafkaError } from '../../codec/kafka/errors.ts';
import { share } from './assign.ts';
import type { Instance } from './instance.ts';
import {
  commitOffsets,
  heartbeat,
  joinGroup,
  leaveGroup,
  syncGroup,
  type Member,
  type Membership,
  type Timeouts,
} from './membership.ts';
import type { PartitionName } from './partition-name.ts';

/** What the group asks of, and tells, whoever works on the partitions. */
export interface GroupWork {
  /** The topics to read and their partition counts. */
  topics(): ReadonlyMap<string, number>;
  /** The partitions worked on, those that are being finished included. */
  held(): readonly PartitionName[];
  /** The partitions to work on from now on; the others are to be finished, then `rejoin` called. */
  assign(partitions: ReadonlySet<PartitionName>): void;
  /** The group has gone on without this member: others may have its partitions already. */
  lose(): void;
}

export interface GroupSettings extends Timeouts {
  readonly group: string;
  readonly instance: Instance | null;
  readonly heartbeatMs: number;
}

/** So long errors that pass are borne before the run fails. */
const PATIENCE_MS = 15_000;
const RETRY_MS = 200;
const NONE = -1;
/** The group knows the member no more, or another one in its place. */
const LOST: ReadonlySet<string | null> = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID']);

/**
 * A consumer group's member that lives beside the work, not inside it: however long a target takes, the heartbeats go on, and the
 * partition stays. Offsets are committed for people to see the lag; nobody starts from them.
 */
export class Group {
  readonly #cluster: Cluster;
  readonly #settings: GroupSettings;
  readonly #work: GroupWork;
  /** As which it belongs to the group or is about to: the coordinator waits for it, whether it has joined or not. */
  #member: Member | null = null;
  #membership: Membership | null = null;
  #generation = NONE;
  #instance: string | null;
  #rejoin = false;
  #wake = (): void => {};

  constructor(cluster: Cluster, settings: GroupSettings, work: GroupWork) {
    this.#cluster = cluster;
    this.#settings = settings;
    this.#instance = settings.instance?.id ?? null;
    this.#work = work;
  }

  /** Joins again soon, because topics appeared or a partition has been finished. */
  rejoin(): void {
    this.#rejoin = true;
    this.#wake();
  }

  /** Takes part in the group until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failingSinceMs: number | null = null;
    for (;;) {
      try {
        await this.#oneGeneration(() => (failingSinceMs = null), signal);
      } catch (error) {
        signal.throwIfAborted();
        failingSinceMs ??= Date.now();
        if (!isPassing(error) || Date.now() - failingSinceMs > PATIENCE_MS) throw this.#explained(error);
        await sleep(RETRY_MS, signal);
      }
    }
  }

  /** Says goodbye, so that others take over at once; over another connection, because a join holds up what comes behind it on its own. */
  async leave(cluster: Cluster, signal: AbortSignal): Promise<void> {
    if (this.#member !== null) await leaveGroup(cluster, this.#member, signal);
    this.#member = null;
    this.#membership = null;
  }

  /** Commits offsets for monitoring; a refusal is no harm. */
  async commit(
    offsets: readonly { topic: string; partition: number; offset: number }[],
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#membership === null || offsets.length === 0) return;
    try {
      await commitOffsets(this.#cluster, this.#membership, offsets, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw this.#explained(error);
    }
  }

  async #oneGeneration(healthy: () => void, signal: AbortSignal): Promise<void> {
    const { group } = this.#settings;
    const coordinator = await this.#cluster.coordinator('group', group, signal);
    this.#rejoin = false;
    this.#member = { coordinator, group, memberId: this.#member?.memberId ?? '', instance: this.#instance };
    try {
      const joined = await joinGroup(
        this.#cluster,
        this.#member,
        this.#subscription(),
        this.#settings,
        (member) => (this.#member = member),
        signal,
      );
      const shares = joined.members.length === 0 ? new Map() : share(joined.members, this.#work.topics());
      const assigned = await syncGroup(this.#cluster, joined, shares, signal);
      this.#membership = joined;
      // Who takes a dead process's place has what that one had, and nothing is shared anew: what it was about to let go is free after another join.
      if (this.#instance !== null && this.#generation === NONE && joined.members.length === 0) this.#rejoin = true;
      this.#generation = joined.generation;
      this.#work.assign(new Set(assigned));
      await this.#stay(joined, healthy, signal);
    } catch (error) {
      const type = errorType(error);
      if (type === 'REBALANCE_IN_PROGRESS') return;
      if (!LOST.has(type)) throw error;
      // Another process has the same name and number, as on machines that are called the same: each of them would throw the other one out.
      if (type === 'FENCED_INSTANCE_ID') this.#instance = null;
      this.#member = null;
      this.#membership = null;
      this.#work.lose();
    }
  }

  /** Heartbeats until there is a reason to join again. */
  async #stay(as: Membership, healthy: () => void, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (this.#rejoin) return;
      await heartbeat(this.#cluster, as, signal);
      healthy();
      await this.#nap(signal);
    }
  }

  /** Until the next heartbeat is due or `rejoin` is called. */
  async #nap(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#settings.heartbeatMs);
    this.#wake = resolve;
    await untilAborted(signal, promise).finally(() => clearTimeout(timer));
  }

  #subscription() {
    const topics = this.#work.topics();
    const shape = [...topics].map(([topic, count]) => `${topic}:${count}`).sort();
    return {
      topics: [...topics.keys()],
      held: this.#work.held(),
      generation: this.#generation,
      shape: String(shape.length === 0 ? 0 : hash(shape.join())),
    };
  }

  #explained(error: unknown): unknown {
    const { group } = this.#settings;
    if (errorType(error) !== 'INCONSISTENT_GROUP_PROTOCOL') return kafkaError(error, `consumer group ${group}`);
    return new LockstepError('KAFKA_TOPIC', `the consumer group ${group} is in use by another program`, {
      fix: 'stop that program, or give the pipeline or the target another name',
      cause: error,
    });
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
