import type { Cluster } from '../../codec/kafka/cluster.ts';
import { throwIfError } from '../../codec/kafka/errors.ts';
import { Reader, Writer, type Api } from '../../codec/kafka/protocol.ts';
import { partitionName, type PartitionName } from './partition-name.ts';

const api = {
  offsetCommit: { key: 8, version: 7, name: 'OffsetCommit' },
  joinGroup: { key: 11, version: 5, name: 'JoinGroup' },
  heartbeat: { key: 12, version: 3, name: 'Heartbeat' },
  leaveGroup: { key: 13, version: 3, name: 'LeaveGroup' },
  syncGroup: { key: 14, version: 3, name: 'SyncGroup' },
} as const satisfies Record<string, Api>;

const MEMBER_ID_REQUIRED = 79;
const PROTOCOL = 'lockstep';
const SUBSCRIPTION_VERSION = 1;

/** A member of a consumer group, as its coordinator knows it. */
export interface Member {
  readonly coordinator: number;
  readonly group: string;
  /** Empty until the coordinator has given it one. */
  readonly memberId: string;
  /** Who joins with the same one takes the member's place, and what it is assigned, at once (KIP-345); null for who has none. */
  readonly instance: string | null;
}

/** A member of one generation. */
export interface Membership extends Member {
  readonly generation: number;
}

/** What a member tells the leader when it joins. */
export interface Subscription {
  readonly topics: readonly string[];
  /** What it holds now, and since which generation: a claim of an older generation yields to a newer one. */
  readonly held: readonly PartitionName[];
  readonly generation: number;
  /** Changes with the topics' partition counts, so that joining with a new one makes the group share anew. */
  readonly shape: string;
}

export interface Joined extends Membership {
  /** Of all members for the leader, empty for the others. */
  readonly members: readonly { readonly memberId: string; readonly subscription: Subscription }[];
}

export interface Timeouts {
  /** A member not heard of for so long has left. */
  readonly sessionMs: number;
  /** So long a rebalance waits for members to join again. */
  readonly rebalanceMs: number;
}

/**
 * Joins a group; resolves when all its members have joined, and calls `named` as soon as this one has an id.
 *   JoinGroup v5 => group session_timeout rebalance_timeout member instance? protocol_type [protocol metadata]
 */
export async function joinGroup(
  cluster: Cluster,
  as: Member,
  subscription: Subscription,
  timeouts: Timeouts,
  named: (member: Member) => void,
  signal: AbortSignal,
): Promise<Joined> {
  const { coordinator, group, instance } = as;
  for (let memberId = as.memberId; ;) {
    const request = new Writer().string(group).int32(timeouts.sessionMs).int32(timeouts.rebalanceMs).string(memberId);
    request.string(instance).string('consumer').int32(1).string(PROTOCOL).data(encodeSubscription(subscription));
    const answer = await cluster.call(coordinator, api.joinGroup, request, signal, timeouts.rebalanceMs + 10_000);
    // => throttle error generation protocol leader member [member instance? metadata]
    answer.int32();
    const error = answer.int16();
    const generation = answer.int32();
    answer.string();
    answer.string();
    memberId = answer.text();
    if (memberId !== '') named({ ...as, memberId });
    if (error === MEMBER_ID_REQUIRED) continue;
    throwIfError(error);
    const members = answer.array(() => {
      const id = answer.text();
      answer.string();
      return { memberId: id, subscription: decodeSubscription(answer.data() ?? Buffer.alloc(0)) };
    });
    return { ...as, generation, memberId, members };
  }
}

/**
 * Gives the leader's `shares` to the group, none from the others, and gets this member's own.
 *   SyncGroup v3 => group generation member instance? [member assignment]
 */
export async function syncGroup(
  cluster: Cluster,
  as: Membership,
  shares: ReadonlyMap<string, readonly PartitionName[]>,
  signal: AbortSignal,
): Promise<PartitionName[]> {
  const request = member(as);
  request.array([...shares], ([id, share]) => request.string(id).data(encodeShare(share)));
  const answer = await cluster.call(as.coordinator, api.syncGroup, request, signal);
  // => throttle error assignment
  answer.int32();
  throwIfError(answer.int16());
  return decodeShare(answer.data() ?? Buffer.alloc(0));
}

/** Heartbeat v3 => group generation member instance?. Throws REBALANCE_IN_PROGRESS when the group shares anew. */
export async function heartbeat(cluster: Cluster, as: Membership, signal: AbortSignal): Promise<void> {
  const answer = await cluster.call(as.coordinator, api.heartbeat, member(as), signal);
  answer.int32();
  throwIfError(answer.int16());
}

/** LeaveGroup v3 => group [member instance?]; who has no id yet is known by its instance. */
export async function leaveGroup(cluster: Cluster, as: Member, signal: AbortSignal): Promise<void> {
  const request = new Writer().string(as.group).int32(1).string(as.memberId).string(as.instance);
  await cluster.call(as.coordinator, api.leaveGroup, request, signal);
}

/** OffsetCommit v7 => group generation member instance? [topic [partition offset leader_epoch metadata?]] */
export async function commitOffsets(
  cluster: Cluster,
  as: Membership,
  offsets: readonly { topic: string; partition: number; offset: number }[],
  signal: AbortSignal,
): Promise<void> {
  const request = member(as);
  request.array(offsets, ({ topic, partition, offset }) =>
    request.string(topic).int32(1).int32(partition).int64(offset).int32(-1).string(''),
  );
  const answer = await cluster.call(as.coordinator, api.offsetCommit, request, signal);
  // => throttle [topic [partition error]]
  answer.int32();
  answer.array(() => {
    answer.string();
    answer.array(() => {
      answer.int32();
      throwIfError(answer.int16());
    });
  });
}

function member({ group, generation, memberId, instance }: Membership): Writer {
  return new Writer().string(group).int32(generation).string(memberId).string(instance);
}

/** Kafka's own ConsumerProtocolSubscription, so that its tools can show the group: version [topic] user_data */
function encodeSubscription({ topics, held, generation, shape }: Subscription): Buffer {
  const writer = new Writer().int16(SUBSCRIPTION_VERSION);
  writer.array([...topics].sort(), (topic) => writer.string(topic));
  return writer.data(Buffer.from(JSON.stringify({ held, generation, shape }))).bytes;
}

function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new Reader(bytes);
  reader.int16();
  const topics = reader.array(() => reader.text());
  const { held, generation, shape } = JSON.parse(reader.data()?.toString() ?? '') as Subscription;
  return { topics, held, generation, shape };
}

/** ConsumerProtocolAssignment: version [topic [partition]] user_data */
function encodeShare(share: readonly PartitionName[]): Buffer {
  const topics = Map.groupBy(share, (name) => name.slice(0, name.lastIndexOf('/')));
  const writer = new Writer().int16(SUBSCRIPTION_VERSION);
  writer.array([...topics], ([topic, names]) => {
    writer.string(topic).array(names, (name) => writer.int32(Number(name.slice(topic.length + 1))));
  });
  return writer.data(Buffer.alloc(0)).bytes;
}

function decodeShare(bytes: Buffer): PartitionName[] {
  if (bytes.length === 0) return [];
  const reader = new Reader(bytes);
  reader.int16();
  return reader
    .array(() => {
      const topic = reader.text();
      return reader.array(() => partitionName(topic, reader.int32()));
    })
    .flat();
}
