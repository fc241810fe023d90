import type { TableSchema } from '../../../core/table.ts';
import type { Piece } from '../binlog/reader.ts';
import { comparePlaces, type Place, type Position } from '../position/position.ts';
import { lists, listsAll } from './gate.ts';
import type { RowCondition } from './condition.ts';
import { laterPlace, type Range } from './ranges.ts';

/** What becomes of a change of a table in copy. */
export type Fate = 'apply' | 'drop' | 'again';

/** The copy of one table: its ranges, who reads them, and when it will be consistent. */
export class TableCopy {
  schema: TableSchema;
  /** The rows that are copied again while the others stay; null for all. */
  where: RowCondition | null;
  /** Null until a reader has cut the table. */
  ranges: Range[] | null;
  /** Chunks read or being read that are not durable yet. */
  inFlight = 0;
  /** Ranges a reader is walking now. */
  readonly taken = new Set<number>();
  /** Counts restarts: a reader stops walking a range of an earlier one. */
  epoch = 0;
  /** A table that is read in one go was read at a state between these two: one without a key, and one whose rows refer to each other. */
  between: { readonly low: Position; readonly high: Place } | null = null;

  /** In what the server's shape of the table differs from what is known although the whole log is read: what is known is wrong then. */
  contradiction: string | null = null;
  /** The low position of the first chunk; null before it. */
  firstLow: Position | null = null;
  #pauses = 0;
  /** True when an earlier run may have written rows, also of a chunk that it did not finish, at positions not known any more. */
  #restored: boolean;

  constructor(schema: TableSchema, ranges: Range[] | null, where: RowCondition | null = null) {
    this.schema = schema;
    this.where = where;
    // Where the copy of a table without a key was read is not stored: an interrupted one is made again.
    this.ranges = schema.key.length === 0 ? null : ranges;
    this.#restored = this.ranges !== null;
  }

  /** What an earlier run copied does not count: the table is emptied and read anew, in one go. */
  forget(): void {
    this.ranges = null;
    this.where = null;
    this.#restored = false;
  }

  /**
   * True when every chunk, read or still to come, shows the transaction: its changes need not be applied again (rule 3). Before the
   * first chunk this is so only for what is being handed on now, which that chunk's low position must then list. Never where only some rows are
   * copied: others, and those that leave, are in no chunk.
   */
  holds(piece: Pick<Piece, 'id' | 'at'>): boolean {
    return this.where === null && !this.#restored && (this.firstLow === null || lists(this.firstLow, piece));
  }

  /** False for a low position that was read before the first chunk's and taken up after it: that chunk would lack what is held. */
  isSameOrLater(low: Position): boolean {
    return this.firstLow === null || listsAll(low, { position: this.firstLow, underWay: null });
  }

  /** The same, said early: for a transaction that has arrived but waits to be handed on, while a first chunk may begin. */
  willHold(piece: Pick<Piece, 'id' | 'at'>): boolean {
    return this.firstLow !== null && this.holds(piece);
  }

  /** From when the stream decides to restart this copy until that is durable, as often as it does: no new chunk is begun. */
  pause(): void {
    this.#pauses += 1;
  }

  resume(): void {
    this.#pauses -= 1;
  }

  get paused(): boolean {
    return this.#pauses > 0;
  }

  get isRead(): boolean {
    return this.ranges !== null && this.inFlight === 0 && this.ranges.every((range) => range.done);
  }

  /** The stream must reach this place before the copy is consistent. */
  get high(): Place | null {
    return (this.ranges ?? []).reduce<Place | null>((high, range) => laterPlace(high, range.high), null);
  }

  /** A range that nobody reads, or null. */
  free(): Range | null {
    return this.paused
      ? null
      : ((this.ranges ?? []).find((range) => !range.done && !this.taken.has(range.index)) ?? null);
  }

  update(range: Range): void {
    this.ranges = (this.ranges ?? []).map((known) => (known.index === range.index ? range : known));
  }

  restart(schema: TableSchema): void {
    this.schema = schema;
    this.where = null;
    this.ranges = null;
    this.between = null;
    this.firstLow = null;
    this.#restored = false;
    this.taken.clear();
    this.epoch += 1;
  }

  /** What becomes of a change of the table: `drop` where the copy shows it. */
  fate(piece: Pick<Piece, 'id' | 'at'>): Fate {
    if (this.schema.key.length === 0) return this.fateAtOnce(piece);
    return this.holds(piece) ? 'drop' : 'apply';
  }

  /**
   * The same by the moment at which a table was read in one go; without a key rows cannot be told apart, so what the copy shows must not be
   * applied again. `again` means that the change fell into that very moment.
   */
  fateAtOnce(piece: Pick<Piece, 'id' | 'at'>): Fate {
    if (this.between === null || lists(this.between.low, piece)) return 'drop';
    return comparePlaces({ ...this.between.high, file: piece.at.file, offset: piece.at.offset }, this.between.high) >= 0
      ? 'apply'
      : 'again';
  }
}
