import type { Change, Moment } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import type { Place } from '../position/position.ts';
import type { TransactionId } from './control-events.ts';
import type { Query } from '../schema/ddl.ts';
import { MalformedEvent } from './malformed.ts';
import { Savepoints } from './savepoints.ts';

/** A transaction, or a part of a large one. */
export interface Piece {
  readonly id: TransactionId;
  readonly at: Moment;
  readonly changes: readonly Change[];
  /** Those of the changes that foreign keys followed without logging what they did. */
  readonly cascading: ReadonlySet<Change>;
  /** By origin, why rows of a table could not be read: an error unless the copy of the table shows them anyway. */
  readonly unread: ReadonlyMap<string, LockstepError>;
  /** A statement that may change the shape of captured tables; the reader waits with what follows until it is asked again. */
  readonly ddl: Query | null;
  /** What happened to an XA transaction in it. */
  readonly xa: XaStep | null;
  /** True for what was handed on in an earlier run: it tells of an XA transaction and nothing else. */
  readonly again: boolean;
  /** True while not all that was handed on in an earlier run has been met again. */
  readonly isCatchingUp: boolean;
  /** Behind the transaction's end; null for a part of it that is not the last. */
  readonly end: Place | null;
  readonly bytes: number;
}

/** `prepared`: its rows come with a later piece. `settled`: they came with this one, or never will. */
export interface XaStep {
  readonly step: 'prepared' | 'settled';
  readonly xid: string;
}

/** How an event group goes on. */
export interface Begun {
  readonly id: TransactionId;
  readonly at: Moment;
  /** True where a COMMIT or XID ends the group; else its one statement does. */
  readonly explicit: boolean;
  /** True for a group that was handed on in an earlier run and is read again only for what it tells of XA transactions. */
  readonly again: boolean;
  /** Whether there are more such groups to come. */
  readonly isCatchingUp: boolean;
}

const nothing: ReadonlyMap<string, LockstepError> = new Map();
const noChanges: ReadonlySet<Change> = new Set();

/** What a change takes in memory beside its bytes, about. */
const bytesPerChange = 300;

/** Puts the changes of an event group together and hands them over as pieces. */
export class Transaction {
  #begun: Begun | null = null;
  #explicit = false;
  #changes: Change[] = [];
  /** Of changes in the parts handed over before. */
  #handedOver = 0;
  #cascading: Set<Change> | null = null;
  #unread: Map<string, LockstepError> | null = null;
  #bytes = 0;
  /** Of the buffers in which its rows lie, those of earlier pieces left out. */
  #kept = 0;
  #lastKept: Buffer | null = null;
  #xa: XaStep | null = null;
  readonly #savepoints = new Savepoints();

  get isOpen(): boolean {
    return this.#begun !== null;
  }

  /** Errors: MalformedEvent outside of a transaction. */
  get begun(): Begun {
    if (this.#begun === null) throw new MalformedEvent('rows outside a transaction');
    return this.#begun;
  }

  /** True for a group of which nothing but its place is wanted. */
  get isAgain(): boolean {
    return this.#begun?.again === true;
  }

  get explicit(): boolean {
    return this.#explicit;
  }

  /** Bytes of log that are not handed over yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Errors: MalformedEvent where rows of another transaction are without their end. */
  begin(begun: Begun): void {
    if (this.#begun !== null && this.#handedOver + this.#changes.length > 0)
      throw new MalformedEvent('a transaction that begins inside another one');
    this.#begun = begun;
    this.#explicit = begun.explicit;
    this.#changes = [];
    this.#handedOver = 0;
    this.#cascading = null;
    this.#unread = null;
    this.#bytes = 0;
    this.#xa = null;
    this.#savepoints.clear();
  }

  /** A COMMIT or XID will end it. */
  beginExplicit(): void {
    this.#explicit = true;
  }

  /** Takes note of how much of the log went into it. */
  weigh(bytes: number): void {
    this.#bytes += bytes;
  }

  /**
   * Takes note of the buffer in which rows lie, which they keep in memory as a whole, however little of it they are (G6): where few tables of
   * many are captured, that is most of it.
   */
  keep(buffer: Buffer): void {
    if (buffer === this.#lastKept) return;
    this.#lastKept = buffer;
    this.#kept += buffer.length;
  }

  /** Nearly all transactions have one change: the room that an empty array makes at the first push would be most of what they take. */
  add(change: Change): void {
    if (this.#changes.length === 0) this.#changes = [change];
    else this.#changes.push(change);
  }

  /** Takes note that foreign keys followed a change unlogged. */
  addCascading(change: Change): void {
    this.#cascading ??= new Set();
    this.#cascading.add(change);
  }

  /** Rows of a table that cannot be read; the reason gets the place of the transaction. */
  addUnread(origin: string, reason: LockstepError): void {
    this.#unread ??= new Map();
    if (this.#unread.has(origin)) return;
    const { code, message, fix } = reason;
    const { file, offset } = this.begun.at;
    const located = `in the transaction at ${file}:${offset}: ${message}`;
    this.#unread.set(origin, new LockstepError(code, located, { fix, cause: reason }));
  }

  settle(xa: XaStep): void {
    this.#xa = xa;
  }

  savepoint(name: string): void {
    this.#savepoints.set(name, this.#handedOver + this.#changes.length);
  }

  /** Takes back what came behind a savepoint. Errors: SOURCE_EVENT_UNSUPPORTED where it was handed over already. */
  rollBackTo(name: string): void {
    const mark = this.#savepoints.rollBackTo(name);
    if (mark === null) throw new MalformedEvent('a ROLLBACK TO a savepoint that was not set');
    if (mark < this.#handedOver) throw handedOver();
    this.#changes.length = mark - this.#handedOver;
  }

  /** Takes everything back. Errors: SOURCE_EVENT_UNSUPPORTED where a part was handed over already. */
  rollBack(): void {
    if (this.#handedOver > 0) throw handedOver();
    this.#changes = [];
    this.#unread = null;
  }

  /** The transaction will not go on: the server ended in the middle of it. Errors: as of `rollBack`. */
  abandon(): void {
    if (this.#begun === null) return;
    this.rollBack();
    this.#begun = null;
  }

  /** What has gathered; with `end` the transaction is over. */
  piece(end: Place | null, ddl: Query | null): Piece {
    const { id, at, again, isCatchingUp } = this.begun;
    const bytes = Math.max(this.#bytes, this.#kept) + this.#changes.length * bytesPerChange;
    const xa = end === null ? null : this.#xa;
    const piece = {
      id,
      at,
      xa,
      changes: this.#changes,
      cascading: this.#cascading ?? noChanges,
      unread: this.#unread ?? nothing,
      ddl,
      again,
      isCatchingUp,
      end,
      bytes,
    };
    this.#handedOver += this.#changes.length;
    this.#changes = [];
    this.#cascading = null;
    this.#unread = null;
    this.#bytes = 0;
    this.#kept = 0;
    if (end !== null) this.#begun = null;
    return piece;
  }
}

/**
 * Servers log what was rolled back only where they could not simply forget it, with temporary tables or tables without transactions; and what is
 * handed over in parts is large. Both at once is for a person.
 */
function handedOver(): LockstepError {
  return new LockstepError(
    'SOURCE_EVENT_UNSUPPORTED',
    'a large transaction was rolled back in the log when a part of it had been handed on',
    {
      fix: 'resync the tables it wrote, so that the pipeline begins behind it',
    },
  );
}
