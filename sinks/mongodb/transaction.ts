import type { ClientSession, MongoClient } from 'mongodb';
import { sleep } from '../../core/signals.ts';
import { endAbandoned } from './abandoned.ts';
import { durable } from './connect.ts';
import { isTransient, isUnknownCommit, ofCommit } from './errors.ts';

/** What can heal within seconds is tried again here; what takes longer (an election) is for the run's own retry. */
const usualAttempts = 6;
/** Four seconds at least, and so longer than a predecessor's transaction may stand still before it is ended. */
const takeoverAttempts = 21;
const longestPause = 6;

/**
 * Runs `work` in one transaction and commits it durably. A transaction that lost against another, or whose server went away, is run again
 * from the start; a commit of which nobody knows the outcome is sent again, which commits once. Throws the driver's errors.
 */
export async function inTransaction(
  client: MongoClient,
  work: (session: ClientSession) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await untilItHolds(client, work, signal, usualAttempts, async () => undefined);
}

/**
 * As `inTransaction`, for what conflicts with the transactions of a predecessor: waits for those that it is at, and ends those that it has
 * left alone.
 */
export async function takeOver(
  client: MongoClient,
  work: (session: ClientSession) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await untilItHolds(client, work, signal, takeoverAttempts, () => endAbandoned(client));
}

async function untilItHolds(
  client: MongoClient,
  work: (session: ClientSession) => Promise<void>,
  signal: AbortSignal,
  attempts: number,
  clearTheWay: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    const session = client.startSession();
    try {
      session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: durable });
      await work(session);
      await commit(session, signal);
      return;
    } catch (error) {
      if (session.inTransaction()) await session.abortTransaction().catch(() => undefined);
      if (!isTransient(error) || attempt === attempts) throw error;
    } finally {
      await session.endSession();
    }
    await pause(attempt, signal);
    await clearTheWay();
  }
}

async function commit(session: ClientSession, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await session.commitTransaction();
      return;
    } catch (thrown) {
      const error = ofCommit(thrown);
      if (!isUnknownCommit(error) || isTransient(error) || attempt === usualAttempts) throw error;
    }
    await pause(attempt, signal);
  }
}

/** Different for each, so that two that met do not meet again. */
function pause(attempt: number, signal: AbortSignal): Promise<void> {
  return sleep(2 ** Math.min(attempt, longestPause) * (1 + Math.random()) * 4, signal);
}
