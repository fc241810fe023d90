import { crc32 } from 'node:zlib';
import type { Change, Moment } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import type { TableSchema } from '../../../core/table.ts';
import { classify } from '../ddl.ts';
import { sourceError } from '../errors.ts';
import type { Place } from '../position.ts';
import type { Wire } from '../wire.ts';
import { Cursor } from './cursor.ts';
import { describeUnsupported, event, isSkipped } from './event-types.ts';
import { readAnonymousOrGtid, readMariadbGtid, readQuery, type TransactionId } from './control-events.ts';
import { requireFullImage, rowDecoder, type RowDecoder } from './rows.ts';
import { readTableMap, type TableMap } from './table-map.ts';

/** A transaction, or a part of a large one. */
export interface Piece {
  readonly id: TransactionId;
  readonly at: Moment;
  readonly changes: readonly Change[];
  /** By origin, why rows of a table could not be read: an error unless the copy of the table shows them anyway. */
  readonly unread: ReadonlyMap<string, LockstepError>;
  /** A statement that may change the shape of captured tables; the reader waits with what follows until it is asked again. */
  readonly ddl: { readonly database: string; readonly statement: string } | null;
  /** Behind the transaction's end; null for a part of it that is not the last. */
  readonly end: Place | null;
  readonly bytes: number;
}

export interface ReaderOptions {
  readonly wire: Wire;
  readonly where: string;
  readonly start: Place;
  readonly checksums: boolean;
  /** The schema of a table as it is in this transaction, null where its rows are not wanted. */
  readonly lookup: (database: string, table: string, transaction: Pick<Piece, 'id' | 'at'>) => TableSchema | null;
  /** Size of the log's bytes above which a transaction is handed over in parts. */
  readonly partBytes: number;
}

interface MappedTable {
  readonly raw: Buffer;
  readonly database: string;
  readonly table: string;
  readonly schema: TableSchema | null;
  readonly decode: RowDecoder | LockstepError | null;
}

/** Values in memory take about this many times the room they have in the log. */
const memoryFactor = 3;
const checksumBytes = 4;
/** FL_STANDALONE of MariaDB's GTID event: no COMMIT follows. */
const standaloneFlag = 1;
const headerBytes = 19;

/** Turns the events of a binlog dump into transactions, on demand. Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication.html */
export class BinlogReader {
  readonly #options: ReaderOptions;
  readonly #cursor = new Cursor();
  readonly #tables = new Map<number, MappedTable>();
  #checksums: boolean;
  readonly #server: string;
  #file: string;
  #offset: number;
  #id: TransactionId | null = null;
  #moment: Moment | null = null;
  /** True where a COMMIT or XID ends the transaction; else its one statement does. */
  #explicit = false;
  #changes: Change[] = [];
  #unread = new Map<string, LockstepError>();
  #bytes = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#checksums = options.checksums;
    this.#server = options.start.server;
    this.#file = options.start.file;
    this.#offset = options.start.offset;
  }

  /** Behind the last event that was read. */
  get place(): Place {
    return { file: this.#file, offset: this.#offset, server: this.#server };
  }

  /** True between the begin and the end of a transaction. */
  get insideTransaction(): boolean {
    return this.#id !== null;
  }

  /** The pieces that have arrived, at most about `maxBytes` of log; empty when none has. Errors: the SOURCE_ codes of the log. */
  take(maxBytes: number): Piece[] {
    const pieces: Piece[] = [];
    const { wire } = this.#options;
    for (let taken = 0; taken < maxBytes && wire.next();) {
      const { bytes, start, end } = wire.packet;
      taken += end - start;
      const piece = this.#event(bytes, start, end);
      if (piece === null) continue;
      pieces.push(piece);
      if (piece.ddl !== null) break;
    }
    return pieces;
  }

  #event(bytes: Buffer, start: number, end: number): Piece | null {
    if (bytes[start] !== 0) throw this.#refused(bytes, start, end);
    const at = start + 1;
    const type = bytes[at + 4] ?? 0;
    const bodyEnd = this.#checksums || type === event.formatDescription ? end - checksumBytes : end;
    if (this.#checksums && type !== event.formatDescription) this.#verify(bytes, at, bodyEnd);
    const cursor = this.#cursor;
    cursor.set(bytes, at + headerBytes, bodyEnd);
    const logPos = bytes.readUInt32LE(at + 13);
    if (logPos !== 0 && type !== event.heartbeat) this.#offset = logPos;
    this.#bytes += end - start;
    return this.#dispatch(type, bytes, at);
  }

  #dispatch(type: number, bytes: Buffer, at: number): Piece | null {
    switch (type) {
      case event.tableMap:
        this.#map();
        return null;
      case event.writeRows:
      case event.updateRows:
      case event.deleteRows:
        return this.#rows(type, 2);
      case event.writeRowsV1:
      case event.updateRowsV1:
      case event.deleteRowsV1:
        return this.#rows(type + event.writeRows - event.writeRowsV1, 1);
      case event.xid:
        return this.#end(null);
      case event.gtid:
      case event.anonymousGtid:
        return this.#begin(readAnonymousOrGtid(this.#cursor, type === event.gtid), bytes, at);
      case event.mariadbGtid:
        this.#begin(readMariadbGtid(this.#cursor, bytes.readUInt32LE(at + 5)), bytes, at);
        this.#explicit = (this.#cursor.u8() & standaloneFlag) === 0;
        return null;
      case event.query:
        return this.#query(bytes, at);
      case event.rotate:
        this.#rotate();
        return null;
      case event.heartbeat:
        this.#heartbeat(bytes.readUInt32LE(at + 13));
        return null;
      case event.formatDescription:
        this.#format(bytes);
        return null;
      case event.incident:
        throw new LockstepError(
          'SOURCE_INCIDENT',
          `${this.#here()}: the server reports an incident: changes may be missing from its log`,
          {
            fix: 'find out what happened in the server’s error log, then resync by verify and repair',
          },
        );
      default:
        return this.#other(type, bytes.readUInt16LE(at + 17));
    }
  }

  /** An unknown event is skipped only where the server itself marks it as safe to ignore. */
  #other(type: number, flags: number): null {
    if (isSkipped(type) || (flags & 0x80) !== 0) return null;
    const { name, fix } = describeUnsupported(type);
    throw new LockstepError('SOURCE_EVENT_UNSUPPORTED', `${this.#here()}: the binlog holds ${name}`, { fix });
  }

  #begin(id: TransactionId, bytes: Buffer, at: number): null {
    this.#id = id;
    this.#explicit = false;
    this.#bytes = 0;
    this.#changes = [];
    this.#moment = {
      committedAtMs: id.committedAtMs ?? bytes.readUInt32LE(at) * 1000,
      gtid: id.gtid,
      file: this.#file,
      offset: this.#offset,
      serverId: bytes.readUInt32LE(at + 5),
    };
    return null;
  }

  #rows(type: number, version: 1 | 2): Piece | null {
    const cursor = this.#cursor;
    const id = cursor.u48();
    cursor.skip(2);
    if (version === 2) cursor.skip(cursor.u16() - 2);
    const mapped = this.#tables.get(id);
    if (mapped === undefined) throw this.#corrupt(`rows of table id ${id}, which no TABLE_MAP announced`);
    const { schema, decode } = mapped;
    const at = this.#moment;
    if (schema === null || decode === null) return null;
    if (decode instanceof LockstepError) {
      this.#unread.set(schema.origin, decode);
      return null;
    }
    if (at === null) throw this.#corrupt('rows outside a transaction');
    requireFullImage(cursor, type === event.updateRows ? 2 : 1, schema.origin);
    const changes = this.#changes;
    while (cursor.at < cursor.end) {
      if (type === event.writeRows)
        changes.push({ kind: 'insert', table: schema, before: null, after: decode(cursor), at });
      else if (type === event.deleteRows)
        changes.push({ kind: 'delete', table: schema, before: decode(cursor), after: null, at });
      else changes.push({ kind: 'update', table: schema, before: decode(cursor), after: decode(cursor), at });
    }
    if (cursor.at !== cursor.end) throw this.#corrupt(`a row of ${schema.origin} that is longer than its event`);
    return this.#bytes >= this.#options.partBytes ? this.#piece(null, null) : null;
  }

  #map(): void {
    if (this.#id === null || this.#moment === null) throw this.#corrupt('rows outside a transaction');
    const transaction = { id: this.#id, at: this.#moment };
    const cursor = this.#cursor;
    const raw = cursor.bytes.subarray(cursor.at, cursor.end);
    const known = this.#tables.get(raw.readUIntLE(0, 6));
    if (known !== undefined && known.raw.equals(raw)) {
      if (this.#options.lookup(known.database, known.table, transaction) === known.schema) return;
    }
    const map = readTableMap(cursor);
    const { database, table } = map;
    const schema = this.#options.lookup(database, table, transaction);
    this.#tables.set(map.id, {
      raw: Buffer.from(raw),
      database,
      table,
      schema,
      decode: schema === null ? null : decoderOrReason(map, schema),
    });
  }

  #query(bytes: Buffer, at: number): Piece | null {
    const { database, statement } = readQuery(this.#cursor);
    const classified = classify(statement, database);
    switch (classified.kind) {
      case 'begin':
        if (this.#id === null) this.#begin({ gtid: null, source: null, number: 0, committedAtMs: null }, bytes, at);
        this.#explicit = true;
        return null;
      case 'commit':
        return this.#end(null);
      case 'savepoint':
        return null;
      case 'nothing':
        return this.#explicit ? null : this.#end(null);
      case 'rollback':
      case 'rollback-to':
      case 'xa':
        throw this.#unsupported(
          `the log holds ${classified.kind === 'xa' ? 'an XA transaction' : 'a rolled back transaction'}`,
        );
      case 'rows':
        throw new LockstepError(
          'SOURCE_BINLOG_FORMAT',
          `${this.#here()}: a session logged a statement in place of its rows (binlog_format is not ROW there)`,
          {
            fix: "SET GLOBAL binlog_format = 'ROW', end the sessions that still have another value, then resync the tables they wrote",
          },
        );
      case 'unknown':
        throw this.#unsupported(`the log holds a statement that is not understood: ${statement.slice(0, 60)}`);
      default:
        if (this.#id === null) this.#begin({ gtid: null, source: null, number: 0, committedAtMs: null }, bytes, at);
        // CREATE TABLE … SELECT: the rows follow in the same transaction.
        return this.#explicit ? this.#piece(null, { database, statement }) : this.#end({ database, statement });
    }
  }

  #rotate(): void {
    this.#offset = this.#cursor.u64();
    this.#file = this.#cursor.text(this.#cursor.end - this.#cursor.at);
  }

  /** Says how far the log has been sent, also past transactions that were skipped because we have them. */
  #heartbeat(offset: number): void {
    const file = this.#cursor.text(this.#cursor.end - this.#cursor.at);
    if (this.#id !== null || offset === 0) return;
    this.#file = file;
    this.#offset = offset;
  }

  /** Behind the fixed fields and the post-header lengths stands the checksum algorithm; only then the event's own checksum. */
  #format(bytes: Buffer): void {
    this.#checksums = bytes[this.#cursor.end - 1] === 1;
    this.#tables.clear();
  }

  #end(ddl: Piece['ddl']): Piece | null {
    if (this.#id === null) return null;
    const piece = this.#piece(this.place, ddl);
    this.#id = null;
    this.#moment = null;
    this.#explicit = false;
    return piece;
  }

  #piece(end: Place | null, ddl: Piece['ddl']): Piece {
    if (this.#id === null || this.#moment === null) throw this.#corrupt('rows outside a transaction');
    const piece = {
      id: this.#id,
      at: this.#moment,
      changes: this.#changes,
      unread: this.#unread,
      ddl,
      end,
      bytes: this.#bytes * memoryFactor,
    };
    this.#changes = [];
    this.#unread = new Map();
    this.#bytes = 0;
    return piece;
  }

  #verify(bytes: Buffer, at: number, bodyEnd: number): void {
    if (crc32(bytes.subarray(at, bodyEnd)) !== bytes.readUInt32LE(bodyEnd))
      throw this.#corrupt('an event whose checksum is wrong');
  }

  #here(): string {
    return `${this.#options.where} at ${this.#file}:${this.#offset}`;
  }

  #corrupt(what: string): LockstepError {
    return new LockstepError('SOURCE_EVENT_CORRUPT', `${this.#here()}: the binlog holds ${what}`, {
      fix: 'check the file with mysqlbinlog --verify-binlog-checksum; if it is sound there, the network or Lockstep is at fault',
    });
  }

  #unsupported(what: string): LockstepError {
    return new LockstepError('SOURCE_EVENT_UNSUPPORTED', `${this.#here()}: ${what}`, {
      fix: 'report the statement; resync the tables it touched to go on',
    });
  }

  /** The dump thread ends with an error packet, or with EOF when the server stops. */
  #refused(bytes: Buffer, start: number, end: number): LockstepError {
    if (bytes[start] !== 0xff)
      return new LockstepError('SOURCE_CONNECTION_LOST', `${this.#options.where} ended the binlog stream`);
    const errno = bytes.readUInt16LE(start + 1);
    const message = bytes.toString('utf8', start + 9, end);
    const lost = errno === 1236 || errno === 1373 || errno === 1789 || errno === 1955;
    if (lost) {
      return new LockstepError('SOURCE_HISTORY_LOST', `${this.#options.where}: ${message} (error ${errno})`, {
        fix: 'the log this pipeline needs is gone from the server: keep logs longer (binlog_expire_logs_seconds), then resync',
      });
    }
    const known = sourceError(Object.assign(new Error(message), { errno }), this.#options.where, 'following the log');
    return known.code === 'SOURCE_QUERY' ? new LockstepError('SOURCE_CONNECTION_LOST', known.message) : known;
  }
}

function decoderOrReason(map: TableMap, schema: TableSchema): RowDecoder | LockstepError {
  try {
    return rowDecoder(map, schema);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'SOURCE_SCHEMA') return error;
    throw error;
  }
}
