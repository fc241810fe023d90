import { setImmediate } from 'node:timers/promises';
import { LockstepError } from '../../../core/errors.ts';
import type { TableSchema } from '../../../core/table.ts';
import type { Again } from '../position/again.ts';
import { comparePlaces, type Place } from '../position/position.ts';
import type { Wire } from '../connection/wire.ts';
import { Body } from './body.ts';
import {
  readAnonymousOrGtid,
  readCompressedQuery,
  readMariadbGtid,
  readQuery,
  readTaggedGtid,
  readXaPrepare,
} from './control-events.ts';
import { dumpEnd } from './dump-end.ts';
import { emptyEvent, type LogEvent } from './event.ts';
import { event, flag, isSkipped } from './event-types.ts';
import { EventGroups } from './event-groups.ts';
import { Framing } from './framing.ts';
import type { InnerEvents } from './inner-events.ts';
import { LogPlace } from './log-place.ts';
import { MalformedEvent } from './malformed.ts';
import { MappedTables, type Lookup } from './mapped-tables.ts';
import { openPayload } from './payload.ts';
import { incident, statementLogged, unknownEvent } from './refusals.ts';
import { RowEvents } from './row-events.ts';
import { Transaction, type Piece } from './transaction.ts';

export type { Piece } from './transaction.ts';

export interface ReaderOptions {
  readonly wire: Pick<Wire, 'next' | 'packet' | 'arrived'>;
  readonly where: string;
  /** Where the dump begins. */
  readonly start: Place;
  /** Set where the dump begins before what was handed on in an earlier run, so that prepared XA transactions are met again. */
  readonly again: Again | null;
  readonly lookup: Lookup;
  /** The origins of all captured tables. */
  readonly captured: () => Iterable<string>;
  /** Whether rows of others refer to the table's, so that foreign keys may follow its changes. Default: of none. */
  readonly leads?: (table: TableSchema) => boolean;
  /** Size of the log's bytes above which a transaction is handed over in parts. */
  readonly partBytes: number;
}

/** Pieces of compressed events may hold this many times the bytes that were read. */
const maxGrowth = 4;

/**
 * Turns the events of a binlog dump into transactions, on demand: `Framing` takes an event out of a packet, `#dispatch` gives it to what
 * reads its kind, `Transaction` puts the changes together. Events inside others (a compressed transaction, a prepared one at its commit) go
 * the same way. Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication.html
 */
export class BinlogReader {
  readonly #options: ReaderOptions;
  readonly #framing = new Framing();
  readonly #place: LogPlace;
  readonly #tables: MappedTables;
  readonly #transaction = new Transaction();
  readonly #groups: EventGroups;
  readonly #rows: RowEvents;
  readonly #event = emptyEvent();
  readonly #body = new Body(this.#event.bytes, 0, 0);
  /** What is read before the dump is asked for more; the last one first. */
  readonly #inner: InnerEvents[] = [];
  /** Where the event that is read began. */
  #began: number;
  #failure: LockstepError | null = null;
  /** True where the last take ended at its bound, so that there may be more without anything arriving. */
  #isFull = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#place = new LogPlace(options.start);
    this.#tables = new MappedTables(options.lookup);
    this.#groups = new EventGroups({
      transaction: this.#transaction,
      place: this.#place,
      again: options.again,
      captured: options.captured,
      replay: (events) => this.#inner.push(events),
    });
    this.#rows = new RowEvents(this.#tables, this.#transaction, options);
    this.#began = options.start.offset;
  }

  /** Behind the last event that was read, and before one that cannot be; never before what was handed on in an earlier run. */
  get place(): Place {
    const place = this.#failure === null ? this.#place.place : this.#beforeFailure();
    const until = this.#options.again?.until ?? null;
    return until !== null && comparePlaces(place, until) < 0 ? until : place;
  }

  /** True between the begin and the end of a transaction. */
  get insideTransaction(): boolean {
    return this.#transaction.isOpen;
  }

  /**
   * The pieces that have arrived, at most about `maxBytes` of log; empty when none has. Errors: the SOURCE_ codes of the log, once
   * everything before it was taken.
   */
  take(maxBytes: number): Piece[] {
    const pieces: Piece[] = [];
    try {
      if (this.#failure !== null) throw this.#failure;
      this.#isFull = false;
      for (let taken = 0, held = 0; !this.#isFull && this.#next();) {
        taken += this.#event.size;
        this.#isFull = taken >= maxBytes || held >= maxGrowth * maxBytes;
        const piece = this.#dispatch(this.#event);
        if (piece === null) continue;
        held += piece.bytes;
        pieces.push(piece);
        if (piece.ddl !== null) break;
      }
    } catch (error) {
      this.#failure = this.#located(error);
      if (pieces.length === 0) throw this.#failure;
    }
    return pieces;
  }

  /** Waits until there is more to take. Errors: SOURCE_CONNECTION_LOST, SOURCE_SILENT. */
  async arrived(signal: AbortSignal): Promise<void> {
    if (this.#isFull) await setImmediate(undefined, { signal });
    else await (this.#inner.at(-1) ?? this.#options.wire).arrived(signal);
  }

  close(): void {
    for (const inner of this.#inner.splice(0)) inner.close();
    this.#groups.close();
  }

  #next(): boolean {
    for (;;) {
      const inner = this.#inner.at(-1);
      if (inner === undefined) return this.#nextOfDump();
      if (inner.next(this.#event)) return true;
      if (!inner.ended) return false;
      this.#inner.pop();
    }
  }

  #nextOfDump(): boolean {
    const { wire, where } = this.#options;
    if (!wire.next()) return false;
    this.#began = this.#place.offset;
    if (wire.packet.bytes[wire.packet.start] !== 0) throw dumpEnd(wire.packet, where);
    this.#framing.open(this.#event, wire.packet);
    this.#place.pass(this.#event);
    return true;
  }

  #dispatch(read: LogEvent): Piece | null {
    const { type } = read;
    if (this.#groups.keeps(read)) return null;
    // What is compressed counts by what comes out of it.
    if (type !== event.transactionPayload) this.#transaction.weigh(read.size);
    const body = this.#body.open(read);
    switch (type) {
      case event.tableMap:
        if (!this.#transaction.isAgain) this.#tables.announce(body, this.#transaction.begun);
        return null;
      case event.writeRows:
      case event.updateRows:
      case event.deleteRows:
        return this.#rows.read(body, type, 2);
      case event.writeRowsV1:
      case event.updateRowsV1:
      case event.deleteRowsV1:
        return this.#rows.read(body, type + event.writeRows - event.writeRowsV1, 1);
      case event.writeRowsCompressed:
      case event.updateRowsCompressed:
      case event.deleteRowsCompressed:
      case event.writeRowsCompressedV1:
      case event.updateRowsCompressedV1:
      case event.deleteRowsCompressedV1:
        return this.#rows.readCompressed(body, type);
      case event.partialUpdateRows:
        return this.#rows.readPartial(body);
      case event.transactionPayload:
        this.#inner.push(openPayload(body));
        return null;
      case event.xid:
        return this.#groups.end(null);
      case event.gtid:
      case event.anonymousGtid:
        return this.#groups.begin(read, readAnonymousOrGtid(body, type === event.gtid));
      case event.gtidTagged:
        return this.#groups.begin(read, readTaggedGtid(body));
      case event.mariadbGtid:
        return this.#groups.beginMariadb(read, readMariadbGtid(body, read.serverId));
      case event.query:
        return this.#groups.query(read, readQuery(body));
      case event.queryCompressed:
        return this.#groups.query(read, readCompressedQuery(body));
      case event.xaPrepare:
        return this.#groups.xaPrepare(read, readXaPrepare(body));
      case event.rotate:
        this.#place.rotate(body);
        return null;
      case event.heartbeat:
        if (!this.#transaction.isOpen) this.#place.heartbeat(body, read.logPos);
        return null;
      case event.heartbeatV2:
        if (!this.#transaction.isOpen) this.#place.heartbeatV2(body);
        return null;
      case event.formatDescription:
        this.#groups.beginFile();
        this.#tables.clear();
        return null;
      case event.incident:
        throw incident();
      case event.beginLoadQuery:
      case event.executeLoadQuery:
      case event.appendBlock:
      case event.deleteFile:
        throw statementLogged();
      default:
        if (isSkipped(type) || (read.flags & flag.ignorable) !== 0) return null;
        throw unknownEvent(type);
    }
  }

  /** Behind the event nobody may go: who stops there must meet it again. */
  #beforeFailure(): Place {
    const { place } = this.#place;
    return { ...place, offset: Math.min(this.#began, place.offset) };
  }

  /** An error with where it was found. */
  #located(error: unknown): LockstepError {
    const here = `${this.#options.where} at ${this.#place.file}:${this.#began}`;
    if (error instanceof LockstepError)
      return error.message.startsWith(this.#options.where)
        ? error
        : new LockstepError(error.code, `${here}: ${error.message}`, { fix: error.fix, cause: error.cause });
    // A RangeError is what reading past a buffer's end throws.
    if (!(error instanceof MalformedEvent || error instanceof RangeError)) throw error;
    const what = error instanceof MalformedEvent ? error.message : 'a value that goes beyond its event';
    return new LockstepError('SOURCE_EVENT_CORRUPT', `${here}: the binlog holds ${what}`, {
      fix: 'check the file with mysqlbinlog --verify-binlog-checksum; if it is sound there, the network or Lockstep is at fault',
      cause: error,
    });
  }
}
