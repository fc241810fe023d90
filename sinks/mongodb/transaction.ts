import type { ClientSession, MongoClient } from 'mongodb';
import { sleep } from '../../core/signals.ts';
import { durable } from './connect.ts';
import { isTransient, isUnknownCommit, ofCommit } from './errors.ts';

/** What can heal within seconds is tried again here; what takes longer (an election) is for the run's own retry. */
const usualAttempts = 6;
/** Some three seconds: as long as what a predecessor has under way may take, and after which it counts as abandoned (`abandoned.ts`). */
export const patientAttempts = 9;

/**
 * Runs `work` in one transaction and commits it durably. A transaction that lost against another, or whose server went away, is run again
 * from the start; a commit of which nobody knows the outcome is sent again, which commits once. Throws the driver's errors.
 */
export async function inTransaction(
  client: MongoClient,
  work: (session: ClientSession) => Promise<void>,
  signal: AbortSignal,
  attempts = usualAttempts,
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
  return sleep(2 ** attempt * (1 + Math.random()) * 4, signal);
}
