import type { RowChange } from '../../../core/contracts.ts';
import { FieldRoom } from '../../../core/row.ts';
import type { TableSchema } from '../../../core/table.ts';
import { Body } from './body.ts';
import { inflate } from './control-events.ts';
import { Cursor } from './cursor.ts';
import { event, uncompressedRows } from './event-types.ts';
import { MalformedEvent } from './malformed.ts';
import type { MappedTable, MappedTables } from './mapped-tables.ts';
import { requireFullImage } from './rows.ts';
import type { Piece, Transaction } from './transaction.ts';

/** Reads the events that hold rows, of every kind, into a transaction. Each gives a piece where the transaction has grown large. */
export class RowEvents {
  readonly #tables: MappedTables;
  readonly #transaction: Transaction;
  readonly #partBytes: number;
  readonly #leads: (table: TableSchema) => boolean;
  /** Whether the event that is read is of a table to whose rows others refer, and foreign keys followed it unlogged. */
  #cascades = false;
  readonly #cursor = new Cursor();
  readonly #room = new FieldRoom();

  constructor(
    tables: MappedTables,
    transaction: Transaction,
    {
      partBytes,
      leads = () => false,
    }: { readonly partBytes: number; readonly leads?: (table: TableSchema) => boolean },
  ) {
    this.#tables = tables;
    this.#transaction = transaction;
    this.#partBytes = partBytes;
    this.#leads = leads;
  }

  read(body: Body, type: number, version: 1 | 2): Piece | null {
    const mapped = this.#mapped(body, version);
    if (mapped === null) return null;
    const { schema, scan } = mapped;
    const transaction = this.#transaction;
    const { at } = transaction.begun;
    const cursor = this.#cursor;
    const room = this.#room;
    requireFullImage(cursor, type === event.updateRows ? 2 : 1, schema.origin);
    while (cursor.at < cursor.end) {
      if (type === event.writeRows)
        transaction.add({ kind: 'insert', table: schema, before: null, after: scan(cursor, room, at), at });
      else if (type === event.deleteRows)
        this.#add({ kind: 'delete', table: schema, before: scan(cursor, room, at), after: null, at });
      else
        this.#add({
          kind: 'update',
          table: schema,
          before: scan(cursor, room, at),
          after: scan(cursor, room, at),
          at,
        });
    }
    return this.#end(schema.origin);
  }

  /** MariaDB compresses what stands behind the bitmaps of the columns (log_bin_compress). */
  readCompressed(body: Body, compressedType: number): Piece | null {
    const { type, version } = uncompressedRows(compressedType);
    const { at, end } = body;
    body.skip(8);
    if (version === 2) skipExtra(body);
    const bitmapBytes = Math.ceil(body.lenenc() / 8);
    body.skip(type === event.updateRows ? 2 * bitmapBytes : bitmapBytes);
    const head = body.bytes.subarray(at, body.at);
    const bytes = Buffer.concat([head, inflate(body)]);
    this.#transaction.weigh(bytes.length - (end - at));
    return this.read(new Body(bytes, 0, bytes.length), type, version);
  }

  /** Updates whose after images may hold JSON values as differences to the row before (binlog_row_value_options=PARTIAL_JSON). */
  readPartial(body: Body): Piece | null {
    const mapped = this.#mapped(body, 2);
    if (mapped === null) return null;
    const { schema, scan } = mapped;
    const { at } = this.#transaction.begun;
    const cursor = this.#cursor;
    const decodePartial = this.#tables.partialDecoder(mapped);
    requireFullImage(cursor, 2, schema.origin);
    while (cursor.at < cursor.end) {
      const before = scan(cursor, this.#room, at);
      this.#add({ kind: 'update', table: schema, before, after: decodePartial(cursor, before), at });
    }
    return this.#end(schema.origin);
  }

  #add(change: RowChange): void {
    this.#transaction.add(change);
    if (this.#cascades) this.#transaction.addCascading(change);
  }

  /** Reads the head of a rows event; the bitmaps of its columns stand at the cursor then. Null where its rows are not wanted, or cannot be read. */
  #mapped(body: Body, version: 1 | 2): MappedTable | null {
    if (this.#transaction.isAgain) return null;
    const id = body.u48();
    const flags = body.u16();
    if (version === 2) skipExtra(body);
    const mapped = this.#tables.get(id);
    if (mapped === undefined) throw new MalformedEvent(`rows of table id ${id}, which no TABLE_MAP announced`);
    if (mapped === null) return null;
    if ('reason' in mapped) {
      this.#transaction.addUnread(mapped.schema.origin, mapped.reason);
      return null;
    }
    this.#cascades = (flags & (noForeignKeyChecks | foreignKeysLogged)) === 0 && this.#leads(mapped.schema);
    this.#transaction.keep(body.bytes);
    this.#cursor.set(body.bytes, body.at, body.end);
    return mapped;
  }

  #end(origin: string): Piece | null {
    const cursor = this.#cursor;
    if (cursor.at !== cursor.end) throw new MalformedEvent(`a row of ${origin} that is longer than its event`);
    return this.#transaction.bytes >= this.#partBytes ? this.#transaction.piece(null, null) : null;
  }
}

/** The session had foreign_key_checks=0: nothing was followed. Source: NO_FOREIGN_KEY_CHECKS_F of both servers. */
const noForeignKeyChecks = 0x02;
/** From MySQL 9.6 on, unless innodb_native_foreign_keys is on: what foreign keys do is in the log. Source: USE_SQL_FOREIGN_KEY_F. */
const foreignKeysLogged = 0x10;

/** What version 2 has before the columns; the length counts itself. */
function skipExtra(body: Body): void {
  const length = body.u16();
  if (length < 2) throw new MalformedEvent('rows with less than nothing before them');
  body.skip(length - 2);
}
