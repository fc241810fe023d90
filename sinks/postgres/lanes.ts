import { applyGroups, STAGE_ROWS, type Work, writerOf } from './apply.ts';
import { ownedBy, type Owner, takeOver } from './checkpoints.ts';
import { sqlStateOf } from './errors.ts';
import { isOfRow } from './isolate.ts';
import { type Group, segments } from './segments.ts';
import type { Session, Sessions } from './session.ts';
import { Transaction } from './transaction.ts';

/** How long a lane waits for a lock before the batch is applied in one: what it waits for might be another lane, which waits for it. */
const LOCK_TIMEOUT = `SET LOCAL lock_timeout = '2s'`;

/**
 * Connections that apply the rows of one batch side by side. The batch is folded first, so that a key is in one lane only, and rows of different keys
 * have nothing to do with each other. All lanes have committed before the next batch begins.
 *
 * The first lane moves the checkpoint, and commits last: what a crash leaves of the others is applied again, which changes nothing (G1). It has moved
 * the checkpoint, and holds it, before the others commit, so that none of them commits for a process that was overtaken (G8). Should its connection
 * be lost just then, the process that takes over waits for the others first (`takeOver`).
 */
export class Lanes {
  readonly #sessions: Sessions;
  readonly #owner: Owner;
  readonly #count: number;
  /** By lane of the stream, the version that makes it this process's. */
  readonly #owned = new Map<string, Promise<number>>();

  constructor(sessions: Sessions, owner: Owner, count: number) {
    this.#sessions = sessions;
    this.#owner = owner;
    this.#count = count;
  }

  /** Makes a lane of the stream this process's; must be done before its first batch, also where one connection applies it. */
  own(lane: string, signal: AbortSignal): Promise<number> {
    const known = this.#owned.get(lane);
    if (known !== undefined) return known;
    const taken = this.#sessions.using(signal, async (session) => {
      const [outcome] = await session.query(takeOver(this.#owner, lane), signal);
      return Number(outcome?.rows[0]?.[0]);
    });
    this.#owned.set(lane, taken);
    return taken;
  }

  /** Checkpoints are loaded again: lanes may have been another process's meanwhile. */
  loaded(): void {
    this.#owned.clear();
  }

  /**
   * Applies a batch and commits; `move` adds what moves the checkpoint to the batch's own transaction. False where rows or locks stand in the way: then the transaction must be
   * undone, and the batch applied otherwise; what others have committed of it does not matter.
   */
  async apply(lane: string, work: Work, move: () => Promise<void>): Promise<boolean> {
    const { transaction, signal } = work;
    const shares = this.#count === 1 ? null : await this.#shares(work);
    if (shares === null) return false;
    const owned = await this.own(lane, signal);
    const others: Transaction[] = [];
    try {
      for (let n = 1; n < this.#count; n += 1) others.push(await this.#begin(work, ownedBy(this.#owner, lane, owned)));
      await transaction.add(LOCK_TIMEOUT, signal);
      const all = [transaction, ...others];
      await together(all.map((each, n) => applyShare({ ...work, transaction: each }, shares[n] ?? [])));
      await move();
      await transaction.flush(signal);
      await together(others.map((other) => other.commit(signal)));
      await transaction.commit(signal);
    } catch (error) {
      await Promise.all(others.map(({ session }) => this.#takeBack(session, signal)));
      if (standsInTheWay(error)) return false;
      throw error;
    }
    for (const { session, changed } of others) {
      this.#sessions.release(session);
      transaction.changed.addAll(changed.take());
    }
    return true;
  }

  /** What each lane applies; null where the batch is too small to be shared, or not of rows alone. What cannot be shared is the first one's. */
  async #shares(work: Work): Promise<Group[][] | null> {
    const { batch, transaction } = work;
    if (!transaction.isFresh || !transaction.session.replica || batch.changes.length < this.#count * STAGE_ROWS)
      return null;
    // Rows that wait behind a dead letter are sorted out by those who write letters.
    if (transaction.letters.sift(batch.changes) !== batch.changes) return null;
    const [segment, ...more] = segments(batch);
    if (segment === undefined || 'kind' in segment || more.length > 0) return null;
    const shares = Array.from({ length: this.#count }, (): Group[] => []);
    for (const group of segment.groups) {
      const writer = await writerOf(work, group.table);
      const parts =
        'folded' in group && writer.onlyKeyExcludes && group.folded.size >= this.#count * STAGE_ROWS
          ? group.folded.split(this.#count).map((folded) => ({ table: group.table, folded }))
          : [group];
      for (const [n, part] of parts.entries()) shares[n]?.push(part);
    }
    return shares.slice(1).some((share) => share.length > 0) ? shares : null;
  }

  async #begin({ transaction: { letters }, signal }: Work, condition: string): Promise<Transaction> {
    const transaction = new Transaction(await this.#sessions.take(signal), letters);
    transaction.begin();
    await transaction.add(condition, signal);
    await transaction.add(LOCK_TIMEOUT, signal);
    return transaction;
  }

  async #takeBack(session: Session, signal: AbortSignal): Promise<void> {
    try {
      await session.query('ROLLBACK', signal);
      session.stages.clear();
      this.#sessions.release(session);
    } catch {
      this.#sessions.discard(session);
    }
  }
}

async function applyShare(work: Work, groups: readonly Group[]): Promise<void> {
  await applyGroups(work, groups);
  await work.transaction.flush(work.signal);
}

/** Waits for all, also where one fails: nobody must go on with a connection that is in use. */
async function together(all: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(all);
  await Promise.all(all);
}

function standsInTheWay(error: unknown): boolean {
  const state = sqlStateOf(error);
  return isOfRow(error) || state === '55P03' || state === '40P01';
}
