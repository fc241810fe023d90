import type { RowChange } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { isRowChange } from '../../core/transform.ts';
import { type Work, applyFolded } from './apply.ts';
import { sqlStateOf } from './errors.ts';
import { letterStatement } from './letters.ts';

/**
 * Whether an error is about a row, so that others can go on without it: data that does not fit (22), constraints (23, 44), an index entry or row that
 * is too large (54000), a trigger that says no (P0001), or a value that PostgreSQL cannot hold.
 */
export function isOfRow(error: unknown): error is LockstepError {
  if (!(error instanceof LockstepError) || error.code === 'CHECKPOINT_MOVED') return false;
  return error.code === 'TARGET_VALUE_UNSUPPORTED' || /^(?:2[23]|44|54000|P0001)/.test(sqlStateOf(error) ?? '');
}

/**
 * Applies a batch of which the target refuses rows: each of these is set aside, with the later changes of its key, and the rest is applied in the
 * source's order (G2, G9). Errors: TARGET_DEAD_LETTERS where that are too many, and those that are not of rows.
 */
export async function applyIsolated(work: Work): Promise<void> {
  const { transaction, signal } = work;
  // What would only be checked at the end could not be told from the row that is guilty of it.
  await transaction.add('SET CONSTRAINTS ALL IMMEDIATE', signal);
  let rows: RowChange[] = [];
  for (const change of work.batch.changes) {
    if (isRowChange(change)) {
      rows.push(change);
      continue;
    }
    await settle(work, rows);
    rows = [];
    await applyFolded(withChanges(work, transaction.letters.sift([change])));
    await writeLetters(work);
    await transaction.flush(signal);
  }
  await settle(work, rows);
}

/** Applies what can be applied of changes, in order: all at once, else each half for itself, down to the single row that is refused. */
async function settle(work: Work, changes: readonly RowChange[]): Promise<void> {
  const [first] = changes;
  if (first === undefined) return;
  const { transaction, signal } = work;
  const before = transaction.state();
  try {
    await transaction.savepoint(signal);
    await applyFolded(withChanges(work, transaction.letters.sift(changes)));
    await transaction.release(signal);
  } catch (error) {
    if (!isOfRow(error)) throw error;
    await transaction.rollback(signal);
    transaction.restore(before);
    if (changes.length > 1) {
      const half = changes.length >> 1;
      await settle(work, changes.slice(0, half));
      await settle(work, changes.slice(half));
      return;
    }
    transaction.letters.refuse(first, error);
  }
  await writeLetters(work);
}

/** Applies a batch but for what waits for earlier changes of its key. */
export function sifted(way: (work: Work) => Promise<void>): (work: Work) => Promise<void> {
  return async (work) => {
    await way(withChanges(work, work.transaction.letters.sift(work.batch.changes)));
    await writeLetters(work);
  };
}

function withChanges(work: Work, changes: Work['batch']['changes']): Work {
  return changes === work.batch.changes ? work : { ...work, batch: { ...work.batch, changes } };
}

async function writeLetters({ transaction, owner, signal }: Work): Promise<void> {
  for (const step of transaction.letters.takeSteps()) await transaction.add(letterStatement(owner, step), signal);
}
