import { exact, type Body } from './body.ts';
import { inflated } from './inflate.ts';
import { MalformedEvent } from './malformed.ts';
import { unsupported } from './refusals.ts';
import { formatXid } from './xa.ts';
import type { Query } from '../schema/ddl.ts';

/** Which transaction an event group is. */
export interface TransactionId {
  /** For people and for Kafka; null where the server has none. */
  readonly gtid: string | null;
  /** MySQL: the source's UUID, with a tag `uuid:tag`. MariaDB: the domain, in decimal. Null without GTIDs. */
  readonly source: string | null;
  readonly number: number;
  /** Exact where the event says so (MySQL 8 and later). */
  readonly committedAtMs: number | null;
}

/** GTID_EVENT and ANONYMOUS_GTID_EVENT have one layout. Source: libs/mysql/binlog/event/control_events.h, Gtid_event */
export function readAnonymousOrGtid(body: Body, named: boolean): TransactionId {
  body.skip(1);
  const uuid = readUuid(body);
  const number = body.u64();
  body.skip(body.left < 17 ? body.left : 17);
  const committedAtMs = body.left >= 7 ? commitTimestamp(body) : null;
  return named
    ? { gtid: `${uuid}:${number}`, source: uuid, number, committedAtMs }
    : { gtid: null, source: null, number: 0, committedAtMs };
}

const lastUuid = { bytes: Buffer.alloc(16), text: '00000000-0000-0000-0000-000000000000' };

/** Neighbouring transactions nearly always come from one server, so the last one's text is kept. */
function readUuid(body: Body): string {
  const { bytes, at } = body;
  body.skip(16);
  if (lastUuid.bytes.compare(bytes, at, at + 16) !== 0) {
    bytes.copy(lastUuid.bytes, 0, at, at + 16);
    lastUuid.text = formatUuid(lastUuid.bytes);
  }
  return lastUuid.text;
}

function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Microseconds in 55 bits; the 56th says that the original commit's timestamp follows. */
function commitTimestamp(body: Body): number {
  const low = body.u32();
  const high = body.u24() & 0x7f_ffff;
  return Math.floor((high * 0x1_0000_0000 + low) / 1000);
}

/** Fields of GTID_TAGGED_LOG_EVENT. Source: libs/mysql/binlog/event/control_events.h, Gtid_event::define_fields */
const taggedField = { flags: 0, uuid: 1, number: 2, tag: 3, lastCommitted: 4, sequence: 5, committedAt: 6 } as const;

/**
 * GTID_TAGGED_LOG_EVENT (MySQL 8.3 and later): version, size and last field that must be understood, then fields in order, each its
 * number and its value; numbers have a variable length. Source: libs/mysql/serialization/readme.md
 */
export function readTaggedGtid(body: Body): TransactionId {
  const version = readVariable(body);
  readVariable(body);
  const lastNeeded = readVariable(body);
  if (version !== 1 || lastNeeded > taggedField.committedAt + 6)
    throw unsupported(`a tagged GTID of format ${version} with field ${lastNeeded}, which must be understood`);
  let uuid = '';
  let tag = '';
  let number = 0;
  let committedAtMs: number | null = null;
  while (body.left > 0 && committedAtMs === null) {
    const field = readVariable(body);
    if (field === taggedField.uuid)
      uuid = formatUuid(Buffer.from(Array.from({ length: 16 }, () => readVariable(body))));
    else if (field === taggedField.tag) tag = body.text(readVariable(body));
    else if (field === taggedField.number) number = readSigned(body);
    else if (field === taggedField.committedAt) committedAtMs = Math.floor(readVariable(body) / 1000);
    else if (field <= taggedField.sequence) readVariable(body);
    else throw new MalformedEvent(`a tagged GTID with field ${field} before its time`);
  }
  if (uuid === '' || number < 1 || !/^(?:[a-z_][a-z0-9_]{0,31})?$/.test(tag))
    throw new MalformedEvent('a GTID that is none');
  const source = tag === '' ? uuid : `${uuid}:${tag}`;
  return { gtid: `${source}:${number}`, source, number, committedAtMs };
}

/** As many bytes follow the first as it has ones at its end; the number lies above them. Source: libs/mysql/serialization/readme.md */
function readVariable(body: Body): number {
  const first = body.u8();
  if ((first & 1) === 0) return first >> 1;
  const more = first === 0xff ? 8 : 31 - Math.clz32(~first & -~first);
  let value = BigInt(first);
  for (let i = 1; i <= more; i += 1) value |= BigInt(body.u8()) << BigInt(8 * i);
  return exact(value >> BigInt(more === 8 ? 8 : more + 1));
}

/** The sign stands in the lowest bit. */
function readSigned(body: Body): number {
  const value = readVariable(body);
  const half = Math.floor(value / 2);
  return value % 2 === 0 ? half : -half - 1;
}

/** What MariaDB's GTID says of its event group. */
export interface MariadbGtid {
  readonly id: TransactionId;
  /** No COMMIT follows. */
  readonly standalone: boolean;
  /** The group prepares an XA transaction; it has no XA START. */
  readonly prepares: boolean;
}

const mariadbFlag = { standalone: 0x01, preparedXa: 0x40 } as const;

/** Source: https://mariadb.com/kb/en/gtid_event/ and MariaDB sql/log_event.h, Gtid_log_event */
export function readMariadbGtid(body: Body, serverId: number): MariadbGtid {
  const number = body.u64();
  const domain = body.u32();
  const flags = body.u8();
  return {
    id: { gtid: `${domain}-${serverId}-${number}`, source: String(domain), number, committedAtMs: null },
    standalone: (flags & mariadbFlag.standalone) !== 0,
    prepares: (flags & mariadbFlag.preparedXa) !== 0,
  };
}

const begin: Query = { database: '', statement: 'BEGIN' };

/** Source: libs/mysql/binlog/event/statement_events.h, Query_event */
export function readQuery(body: Body): Query {
  if (endsWithBegin(body)) return begin;
  const database = readQueryHead(body);
  return { database, statement: body.rest() };
}

/** Every transaction begins so: its text need not be made. A database before it ends with a zero byte. */
function endsWithBegin({ bytes, at, end }: Body): boolean {
  const start = end - 6;
  return start > at && bytes[start] === 0 && bytes.readUInt32LE(start + 1) === BEGI && bytes[start + 5] === N;
}

const BEGI = 0x49474542;
const N = 0x4e;

/** MariaDB's QUERY_COMPRESSED_EVENT: the statement is compressed. */
export function readCompressedQuery(body: Body): Query {
  const database = readQueryHead(body);
  return { database, statement: inflate(body).toString('utf8') };
}

function readQueryHead(body: Body): string {
  body.skip(8);
  const databaseLength = body.u8();
  body.skip(2);
  body.skip(body.u16());
  const database = body.text(databaseLength);
  body.skip(1);
  return database;
}

/**
 * The rest of a body that MariaDB compressed (log_bin_compress): a byte of algorithm and the size's size, the size, most significant byte first, a
 * zlib stream. Source: MariaDB sql/log_event.cc, binlog_buf_uncompress.
 */
export function inflate(body: Body): Buffer {
  const head = body.u8();
  const algorithm = (head >> 4) & 7;
  if ((head & 0x80) === 0 || algorithm !== 0) throw unsupported(`bytes compressed by algorithm ${algorithm}`);
  let size = 0;
  for (let i = 0; i < (head & 7); i += 1) size = size * 256 + body.u8();
  return inflated(body.view(body.left), size);
}

export interface XaPrepare {
  readonly xid: string;
  /** Prepared and committed at once. */
  readonly onePhase: boolean;
}

/** XA_PREPARE_LOG_EVENT. Source: libs/mysql/binlog/event/control_events.h, XA_prepare_event */
export function readXaPrepare(body: Body): XaPrepare {
  const onePhase = body.u8() !== 0;
  const format = body.u32() | 0;
  const global = body.u32();
  const branch = body.u32();
  return { xid: formatXid(body.view(global), body.view(branch), format), onePhase };
}
