import { randomUUID } from 'node:crypto';
import { LockstepError } from '../../core/errors.ts';
import { sleep } from '../../core/signals.ts';
import { BatchWriter } from '../../codec/kafka/batch-writer.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { produce } from '../../codec/kafka/produce.ts';
import { entryRecord, ownerRecord, type CheckpointLog, type CheckpointRecord } from './checkpoints.ts';
import { takeOver, transactionalIds, type Transaction } from './transaction.ts';

/** A publisher stays; a guest is there to mend something, and who publishes waits for it to leave. */
export type Role = 'publisher' | 'guest';

const GUEST = 'guest/';
/** So long is waited for a guest: it may have died. */
const GUEST_MS = 30_000;

/** What a process needs to become the one publisher of a pipeline. */
export interface Claim {
  readonly cluster: Cluster;
  readonly pipeline: string;
  readonly checkpoints: CheckpointLog;
  /** The checkpoint topic and the leader of its only partition. */
  readonly topic: string;
  readonly leader: number;
  readonly role: Role;
}

/**
 * Makes this process the one publisher of a pipeline (G8) and gives the name by which it is known from now on. When this resolves, no
 * transaction of an earlier owner can be committed any more, in no lane, and `checkpoints` is what all of them left behind:
 * every transactional id of the pipeline is fenced, and one that an earlier owner takes over later shows it the new owner's record
 * (see `openLane`).
 */
export async function claim(to: Claim, signal: AbortSignal): Promise<string> {
  await guestsGone(to, signal);
  const owner = `${to.role === 'guest' ? GUEST : ''}${randomUUID()}`;
  const transaction = await takeOver(to.cluster, laneId(to.pipeline, ''), signal);
  // Before anybody is fenced: who is, looks for a reason.
  await writeRecord(to, transaction, ownerRecord(owner), signal);
  for (;;) {
    await to.checkpoints.catchUp(to.cluster, signal);
    if (to.checkpoints.owner === owner) break;
    await fence(to, transaction, signal);
    await sleep(10, signal);
  }
  await fence(to, transaction, signal);
  await to.checkpoints.catchUp(to.cluster, signal);
  to.checkpoints.own();
  return owner;
}

/** Lets go of the pipeline, unless another process has become the owner: then `transaction` is fenced. */
export async function leave(to: Claim, transaction: Transaction, signal: AbortSignal): Promise<void> {
  await writeRecord(to, transaction, ownerRecord(null), signal);
}

async function guestsGone({ checkpoints, cluster }: Claim, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + GUEST_MS;
  for (;;) {
    await checkpoints.catchUp(cluster, signal);
    if (checkpoints.owner?.startsWith(GUEST) !== true || Date.now() > deadline) return;
    await sleep(50, signal);
  }
}

/** The transaction of a lane. Throws KAFKA_FENCED where another process has become the owner. */
export async function openLane(to: Claim, owner: string, lane: string, signal: AbortSignal): Promise<Transaction> {
  await requireOwner(to, owner, signal);
  const transaction = await takeOver(to.cluster, laneId(to.pipeline, lane), signal);
  await requireOwner(to, owner, signal);
  return transaction;
}

/** Whether this process still is the owner; `owner` is null for one that did not become it. */
export async function isOwner(to: Claim, owner: string | null, signal: AbortSignal): Promise<boolean> {
  await to.checkpoints.catchUp(to.cluster, signal);
  return to.checkpoints.owner === owner;
}

async function requireOwner(to: Claim, owner: string, signal: AbortSignal): Promise<void> {
  if (!(await isOwner(to, owner, signal))) throw outrun(to);
}

/** The error of a process that is not the owner any more, as of the last look. */
export function outrun({ pipeline, role, checkpoints: { owner } }: Claim): LockstepError {
  if (role === 'guest' || owner === null || owner.startsWith(GUEST)) {
    const what = role === 'guest' ? 'what publishes' : '`lockstep rejects`';
    const message = `${what} has become the owner of the topics of ${pipeline} meanwhile; nothing of this transaction was done`;
    return new LockstepError('CHECKPOINT_MOVED', message, {
      fix: role === 'guest' ? 'run the command again' : 'it is tried again from the last checkpoint',
    });
  }
  const fix = 'one process publishes a pipeline at a time: stop one of the two, then start this one again';
  return new LockstepError('KAFKA_FENCED', `another process publishes the pipeline ${pipeline} now`, { fix });
}

function laneId(pipeline: string, lane: string): string {
  return `${pipeline}/${lane}`;
}

async function fence({ cluster, pipeline }: Claim, own: Transaction, signal: AbortSignal): Promise<void> {
  const ids = await transactionalIds(cluster, laneId(pipeline, ''), signal);
  await Promise.all(ids.filter((id) => id !== own.transactionalId).map((id) => takeOver(cluster, id, signal)));
}

/** Writes an entry beside the owner, who goes on; its name must be of `requestEntries`, the only ones that an owner looks for. */
export async function writeBeside(
  to: Omit<Claim, 'checkpoints' | 'role'>,
  name: string,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  // No lane's: a new owner does not fence it.
  const transaction = await takeOver(to.cluster, `${to.pipeline}.requests`, signal);
  await writeRecord(to, transaction, entryRecord(name, token), signal);
}

async function writeRecord(
  to: Pick<Claim, 'cluster' | 'topic' | 'leader'>,
  transaction: Transaction,
  { key, value }: CheckpointRecord,
  signal: AbortSignal,
): Promise<void> {
  const bytes = Buffer.from(key + (value ?? ''));
  const writer = new BatchWriter();
  const keyEnd = Buffer.byteLength(key);
  writer.append(bytes, 0, keyEnd, keyEnd, bytes.length, null);
  const partition = { topic: to.topic, partition: 0 };
  await transaction.include([partition], signal);
  const records = writer.finish(transaction, transaction.sequence(`${to.topic}/0`, 1), Date.now());
  await produce(to.cluster, to.leader, transaction.transactionalId, [{ ...partition, records }], signal);
  await transaction.end('commit', signal);
}
