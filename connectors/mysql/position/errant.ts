import type { LockstepError } from '../../../core/errors.ts';
import type { Piece } from '../binlog/reader.ts';
import { comparePlaces, type Position } from './position.ts';
import { errant, several } from './refused-history.ts';

/** Whether a transaction that is new stands in the log before what was handed on from another server's: done now it would come too late. */
export function isErrant(position: Position, { id, at, again }: Pick<Piece, 'id' | 'at' | 'again'>): boolean {
  if (position.by !== 'gtid' || position.mixed === undefined || again) return false;
  return comparePlaces(at, position.mixed.until) < 0 && id.source !== position.mixed.source;
}

export function errantIn(where: string, { id }: Pick<Piece, 'id'>): LockstepError {
  return errant(where, several(id.gtid ?? '', 1));
}
