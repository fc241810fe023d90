import type { Batch, Checkpoint } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';

/** What to do when a checkpoint of the lane is durable. */
export type Pending = Map<Checkpoint, () => void>;

/** From so many bytes on the rows of a chunk are handed on in parts. */
export const partBytes = 1024 * 1024;

/** Rows, before the batch that ends them. */
export function part(changes: Batch['changes'], bytes: number): Batch {
  return { changes, checkpoint: null, bytes, copying: new Set(), barrier: null };
}

/** A batch that ends what came before it; `whenDurable` is called once the target holds it all. */
export function ending(pending: Pending, set: Checkpoint['set'], whenDurable: () => void): Batch {
  const checkpoint = { set, drop: [] };
  pending.set(checkpoint, whenDurable);
  return { changes: [], checkpoint, bytes: 0, copying: new Set(), barrier: null };
}

/** A table that is not there, or not as it was, is one that the stream will tell of; anything else is thrown. */
export function nullIfGone(error: unknown): null {
  const code = error instanceof LockstepError ? error.code : null;
  if (code === 'SOURCE_SCHEMA' || code === 'SOURCE_NO_TABLES') return null;
  throw error;
}
