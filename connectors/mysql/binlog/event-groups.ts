import type { Again } from '../position/again.ts';
import { classify, type Query } from '../schema/ddl.ts';
import type { MariadbGtid, TransactionId, XaPrepare } from './control-events.ts';
import type { LogEvent } from './event.ts';
import { isKeptOfPrepared } from './event-types.ts';
import type { InnerEvents } from './inner-events.ts';
import type { LogPlace } from './log-place.ts';
import { PreparedTransactions } from './prepared.ts';
import { statementLogged, unsupported } from './refusals.ts';
import { savepointName } from './savepoints.ts';
import type { Piece, Transaction } from './transaction.ts';
import { readXa } from './xa.ts';

export interface EventGroupsOptions {
  readonly transaction: Transaction;
  readonly place: LogPlace;
  readonly again: Again | null;
  /** The origins of all captured tables. */
  readonly captured: () => Iterable<string>;
  /** Has these events read before any other. */
  readonly replay: (events: InnerEvents) => void;
}

const anonymous: TransactionId = { gtid: null, source: null, number: 0, committedAtMs: null };

/**
 * What begins and ends an event group, and what its statements do. A group is a transaction, a statement that stands alone, or one step of an XA
 * transaction: its rows are kept when it is prepared and read when it commits.
 */
export class EventGroups {
  readonly #options: EventGroupsOptions;
  readonly #transaction: Transaction;
  readonly #prepared = new PreparedTransactions();
  /** True while the events of a prepared transaction are read, at its commit. */
  #isCommitting = false;

  constructor(options: EventGroupsOptions) {
    this.#options = options;
    this.#transaction = options.transaction;
  }

  close(): void {
    this.#prepared.close();
  }

  /** What a server did not finish before it ended stands in the log before the next file, and was rolled back. */
  beginFile(): void {
    this.#transaction.abandon();
    this.#prepared.forget();
    this.#isCommitting = false;
  }

  /** A group begins; a COMMIT or XID ends it if `explicit`, else its one statement does. */
  begin({ seconds, serverId }: LogEvent, id: TransactionId, explicit = false): null {
    const { file, offset } = this.#options.place;
    this.#prepared.forget();
    const earlier = this.#options.again;
    const again = earlier?.isAgain(id, { file, offset }) ?? false;
    const isCatchingUp = earlier?.isOver === false;
    const committedAtMs = id.committedAtMs ?? seconds * 1000;
    const at = { committedAtMs, gtid: id.gtid, file, offset, serverId };
    this.#transaction.begin({ id, at, explicit, again, isCatchingUp });
    return null;
  }

  beginMariadb(read: LogEvent, { id, standalone, prepares }: MariadbGtid): null {
    this.begin(read, id, !standalone);
    if (prepares) this.#prepared.begin();
    return null;
  }

  /** True for an event of a transaction that is being prepared: it is kept for later. */
  keeps(read: LogEvent): boolean {
    if (!this.#prepared.isPreparing || !isKeptOfPrepared(read.type)) return false;
    this.#prepared.keep(read);
    return true;
  }

  query(read: LogEvent, query: Query): Piece | null {
    const { statement, database } = query;
    const transaction = this.#transaction;
    const { kind } = classify(statement, database);
    switch (kind) {
      case 'begin':
        if (!transaction.isOpen) this.begin(read, anonymous);
        transaction.beginExplicit();
        return null;
      case 'commit':
        return this.end(null);
      case 'rollback':
        transaction.rollBack();
        return this.end(null);
      case 'xa':
        return this.#xa(read, statement);
      case 'nothing':
        return transaction.explicit ? null : this.end(null);
      default:
        if (transaction.isAgain) return transaction.explicit ? null : this.end(null);
    }
    switch (kind) {
      case 'savepoint':
        if (/^\s*SAVEPOINT/i.test(statement)) transaction.savepoint(savepointName(statement));
        return null;
      case 'rollback-to':
        transaction.rollBackTo(savepointName(statement));
        return null;
      case 'rows':
        throw statementLogged();
      case 'unknown':
        throw unsupported(`a statement that is not understood: ${statement.slice(0, 60)}`);
      default:
        if ((kind === 'create' || kind === 'replace') && hasQuery(statement)) throw statementLogged();
        if (!transaction.isOpen) this.begin(read, anonymous);
        // CREATE TABLE … SELECT: the rows follow in the same transaction.
        return transaction.explicit ? transaction.piece(null, query) : this.end(query);
    }
  }

  #xa(read: LogEvent, statement: string): Piece | null {
    const xa = readXa(statement);
    if (xa === null) throw unsupported(`a statement that is not understood: ${statement.slice(0, 60)}`);
    switch (xa.kind) {
      case 'start':
        if (!this.#transaction.isOpen) this.begin(read, anonymous);
        this.#prepared.begin();
        return null;
      case 'end':
        return null;
      case 'commit':
        return this.#transaction.isAgain ? this.#settle(xa.xid) : this.#commit(xa.xid);
      case 'rollback':
        return this.#settle(xa.xid);
    }
  }

  /** The end of a prepared transaction: in the log's order, or as the last of its events at its commit. */
  xaPrepare(read: LogEvent, { xid, onePhase }: XaPrepare): Piece | null {
    if (this.#isCommitting) {
      this.#isCommitting = false;
      return this.end(null);
    }
    this.#prepared.keep(read);
    this.#prepared.prepared(xid);
    if (onePhase) return this.#transaction.isAgain ? this.#settle(xid) : this.#replay(xid);
    this.#transaction.settle({ step: 'prepared', xid });
    return this.end(null);
  }

  /** Its rows come now, as if they stood here. */
  #commit(xid: string): Piece | null {
    this.#transaction.settle({ step: 'settled', xid });
    return this.#replay(xid);
  }

  #replay(xid: string): Piece | null {
    const events = this.#prepared.settle(xid);
    if (events === null) return this.#commitUnknown(xid);
    this.#transaction.beginExplicit();
    this.#isCommitting = true;
    this.#options.replay(events);
    return null;
  }

  /** It was prepared before the pipeline began. Which tables it wrote is not known; one whose copy began after this commit has the rows. */
  #commitUnknown(xid: string): Piece | null {
    const reason = unsupported(
      `the commit of the XA transaction ${xid}, which was prepared before this pipeline began`,
    );
    for (const origin of this.#options.captured()) this.#transaction.addUnread(origin, reason);
    return this.end(null);
  }

  #settle(xid: string): Piece | null {
    this.#prepared.drop(xid);
    this.#transaction.settle({ step: 'settled', xid });
    return this.end(null);
  }

  /** Nothing is handed on again, but what happens to XA transactions must be known. */
  end(ddl: Query | null): Piece | null {
    const transaction = this.#transaction;
    if (!transaction.isOpen) return null;
    const { isAgain } = transaction;
    const piece = transaction.piece(this.#options.place.place, ddl);
    return isAgain && piece.xa === null ? null : piece;
  }
}

/** A table that is created from a query is logged without the query, and its rows behind it, where rows are logged. */
function hasQuery(statement: string): boolean {
  return /\bSELECT\b/i.test(statement.replaceAll(/`(?:[^`]|``)*`|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, ''));
}
