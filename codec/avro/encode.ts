import type { Change, Moment, Row } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import { compileColumnWriter, type ColumnWriter } from './encodecolumn.ts';
import { RowWriter } from './rows.ts';
import { AvroWriter } from './writer.ts';

/** `source.version`: not Debezium's, though the envelope is. */
const VERSION = 'lockstep';

export interface EncoderOptions {
  /** The ids under which a registry keeps `keySchema` and `valueSchema`; `key` is null for a table without a key. */
  readonly ids: { readonly key: number | null; readonly value: number };
  /** The pipeline's name: `source.name`. */
  readonly name: string;
}

/** Appends whole messages (5 bytes of Confluent header, then Avro) to a writer. Makes no promise, closure or object per message. */
export interface Encoder {
  /** The key of a row. BUG for a table without a key. */
  key(row: Row, writer: AvroWriter): void;
  /**
   * The envelope of a change: a row's, `t` for a truncate, `m` for a marker or a schema change. `nowMs` becomes `ts_ms`. KAFKA_MESSAGE
   * where the Avro type cannot hold a value; what was appended until then is for the caller to take back (`writer.reset`).
   */
  value(change: Change, writer: AvroWriter, nowMs: number): void;
}

/** An encoder for a table's messages on `topic`, as its `keySchema` and `valueSchema` say them. */
export function compileEncoder(table: TableSchema, topic: string, options: EncoderOptions): Encoder {
  const columns = table.columns.map((column) => compileColumnWriter(column, `${table.origin} to topic ${topic}`));
  const rows = new RowWriter(columns);
  const tail = new TimesTail();
  const origin = new SourceBlock(table, options.name);
  const { ids } = options;
  return {
    key: compileKey(table, topic, columns, ids.key),
    value(change, writer, nowMs) {
      writer.header(ids.value);
      const { kind } = change;
      if (kind === 'truncate' || kind === 'schema' || kind === 'marker' || kind === 'cascade') {
        writer.byte(0);
        writer.byte(0);
      } else {
        rows.write(writer, change.before, change.after);
      }
      origin.write(writer, change.at, kind === 'read');
      writer.byte(0); // transaction
      writer.byte(2); // the length of op
      writer.byte(opOf(kind));
      tail.write(writer, nowMs);
    },
  };
}

/** The key of a marker, truncate or schema change, as a whole message; `schemaId` is that of `markerKeySchema`. */
export function encodeMarkerKey(token: string, schemaId: number, writer: AvroWriter): void {
  writer.header(schemaId);
  writer.string(token);
}

function compileKey(
  table: TableSchema,
  topic: string,
  columns: readonly ColumnWriter[],
  id: number | null,
): Encoder['key'] {
  const parts = table.key.map((index) => ({ index, write: columns[index] }));
  return (row, writer) => {
    if (id === null || parts.length === 0)
      throw new LockstepError('BUG', `${table.origin} to topic ${topic} has no key to encode`);
    writer.header(id);
    for (const { index, write } of parts) write?.(writer, row, index);
  };
}

function opOf(kind: Change['kind']): number {
  switch (kind) {
    case 'read':
      return 0x72;
    case 'insert':
      return 0x63;
    case 'update':
      return 0x75;
    case 'delete':
      return 0x64;
    case 'truncate':
      return 0x74;
    case 'schema':
    case 'cascade':
    case 'marker':
      return 0x6d;
    default:
      return unreachable(kind);
  }
}

/** The `source` record, encoded once for all changes of a transaction: they share one Moment. Neighbouring transactions share its beginning. */
class SourceBlock {
  readonly #bytes = new AvroWriter(512);
  readonly #name: string;
  readonly #database: string;
  readonly #table: string;
  #moment: Moment | null = null;
  #snapshot = false;
  /** How much of the bytes is the same for all transactions of one server, committed in one millisecond. */
  #shared = 0;

  constructor(table: TableSchema, name: string) {
    const dot = table.origin === `${table.database}.${table.name}` ? table.database.length : table.origin.indexOf('.');
    this.#name = name;
    this.#database = table.origin.slice(0, dot);
    this.#table = table.origin.slice(dot + 1);
  }

  write(writer: AvroWriter, moment: Moment, snapshot: boolean): void {
    if (moment !== this.#moment || snapshot !== this.#snapshot) this.#encode(moment, snapshot);
    writer.append(this.#bytes);
  }

  #encode(moment: Moment, snapshot: boolean): void {
    const bytes = this.#bytes;
    if (this.#shares(moment, snapshot)) bytes.reset(this.#shared);
    else this.#encodeShared(moment, snapshot);
    if (moment.gtid === null) bytes.byte(0);
    else {
      bytes.byte(2);
      bytes.string(moment.gtid);
    }
    bytes.string(moment.file);
    bytes.long(moment.offset);
    bytes.long(0); // row
    bytes.byte(0); // thread
    bytes.byte(0); // query
    this.#moment = moment;
    this.#snapshot = snapshot;
  }

  #shares({ committedAtMs, serverId }: Moment, snapshot: boolean): boolean {
    const last = this.#moment;
    return last?.committedAtMs === committedAtMs && last.serverId === serverId && this.#snapshot === snapshot;
  }

  #encodeShared({ committedAtMs, serverId }: Moment, snapshot: boolean): void {
    const bytes = this.#bytes;
    bytes.reset();
    const ms = Math.trunc(committedAtMs);
    bytes.string(VERSION);
    bytes.string('mysql');
    bytes.string(this.#name);
    bytes.long(ms);
    bytes.byte(0);
    bytes.string(snapshot ? 'true' : 'false');
    bytes.string(this.#database);
    bytes.byte(0); // sequence
    bytes.byte(2);
    bytes.long(ms * 1000);
    bytes.byte(2);
    bytes.scaledLong(ms, 1_000_000, 0);
    bytes.byte(2);
    bytes.string(this.#table);
    bytes.long(serverId);
    this.#shared = bytes.length;
  }
}

/** `ts_ms`, `ts_us` and `ts_ns`, encoded once a millisecond. */
class TimesTail {
  readonly #bytes = new AvroWriter(64);
  #nowMs = Number.NaN;

  write(writer: AvroWriter, nowMs: number): void {
    if (nowMs !== this.#nowMs) {
      const ms = Math.trunc(nowMs);
      this.#bytes.reset();
      this.#bytes.byte(2);
      this.#bytes.long(ms);
      this.#bytes.byte(2);
      this.#bytes.long(ms * 1000);
      this.#bytes.byte(2);
      this.#bytes.scaledLong(ms, 1_000_000, 0);
      this.#nowMs = nowMs;
    }
    writer.append(this.#bytes);
  }
}
