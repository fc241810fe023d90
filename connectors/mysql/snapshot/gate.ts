import { Bell } from '../../../core/signals.ts';
import type { Piece } from '../binlog/reader.ts';
import { comparePlaces, type Position } from '../position/position.ts';

/** True when `low` lists the piece's transaction. */
export function lists(low: Position, piece: Pick<Piece, 'id' | 'at'>): boolean {
  if (low.by === 'gtid') return piece.id.source !== null && low.set.has(piece.id.source, piece.id.number);
  return (
    low.place.file === '' ||
    comparePlaces({ ...low.place, file: piece.at.file, offset: piece.at.offset }, low.place) < 0
  );
}

/** What the stream has handed on: all up to a position, and maybe a part of the transaction behind it. */
export interface HandedOn {
  readonly position: Position;
  readonly underWay: Pick<Piece, 'id' | 'at'> | null;
}

/** True when `low` lists everything that the stream has handed on. */
export function listsAll(low: Position, { position, underWay }: HandedOn): boolean {
  if (underWay !== null && !lists(low, underWay)) return false;
  if (low.by === 'gtid' && position.by === 'gtid') return low.set.covers(position.set);
  return comparePlaces(low.place, position.place) >= 0;
}

/**
 * Keeps the stream behind the chunks that are on their way: it never passes the low position of a chunk that is not durable yet
 * (rule 1), so no chunk can overwrite something newer.
 */
export class Gate {
  /** Rings when a chunk has become durable. */
  readonly opened = new Bell();
  readonly #held = new Set<Position>();
  #closed = 0;

  /** Stops the stream while a low position is read: otherwise it would be past it again before the answer is here. */
  close(): void {
    this.#closed += 1;
  }

  open(): void {
    this.#closed -= 1;
    this.opened.notify();
  }

  /**
   * Holds the stream at `low` if the stream is not beyond it already (rule 0: a chunk is read only when all that the stream has
   * handed on is visible); false where it is.
   */
  hold(low: Position, stream: HandedOn): boolean {
    if (!listsAll(low, stream)) return false;
    this.#held.add(low);
    return true;
  }

  release(low: Position): void {
    this.#held.delete(low);
    this.opened.notify();
  }

  passes(piece: Pick<Piece, 'id' | 'at'>): boolean {
    if (this.#closed > 0) return false;
    for (const low of this.#held) if (!lists(low, piece)) return false;
    return true;
  }
}
