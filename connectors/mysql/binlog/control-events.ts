import type { Cursor } from './cursor.ts';

/** Which transaction an event group is. */
export interface TransactionId {
  /** For people and for Kafka; null where the server has none. */
  readonly gtid: string | null;
  /** MySQL: the source's UUID. MariaDB: the domain, in decimal. Null without GTIDs. */
  readonly source: string | null;
  readonly number: number;
  /** Exact where the event says so (MySQL 8 and later). */
  readonly committedAtMs: number | null;
}

/** GTID_EVENT and ANONYMOUS_GTID_EVENT have one layout. Source: libbinlogevents control_events.h, Gtid_event */
export function readAnonymousOrGtid(cursor: Cursor, named: boolean): TransactionId {
  cursor.skip(1);
  const uuid = readUuid(cursor);
  const number = cursor.u64();
  cursor.skip(17);
  const committedAtMs = cursor.end - cursor.at >= 7 ? commitTimestamp(cursor) : null;
  return named
    ? { gtid: `${uuid}:${number}`, source: uuid, number, committedAtMs }
    : { gtid: null, source: null, number: 0, committedAtMs };
}

const lastUuid = { bytes: Buffer.alloc(16), text: '00000000-0000-0000-0000-000000000000' };

/** Neighbouring transactions nearly always come from one server, so the last one's text is kept. */
function readUuid(cursor: Cursor): string {
  const { bytes, at } = cursor;
  cursor.at = at + 16;
  if (bytes.compare(lastUuid.bytes, 0, 16, at, at + 16) !== 0) {
    bytes.copy(lastUuid.bytes, 0, at, at + 16);
    const hex = bytes.toString('hex', at, at + 16);
    lastUuid.text = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
  return lastUuid.text;
}

/** Microseconds in 55 bits; the 56th says that the original commit's timestamp follows. */
function commitTimestamp(cursor: Cursor): number {
  const low = cursor.u32();
  const high = cursor.u24() & 0x7f_ffff;
  return Math.floor((high * 0x1_0000_0000 + low) / 1000);
}

/** Source: https://mariadb.com/kb/en/gtid_event/ */
export function readMariadbGtid(cursor: Cursor, serverId: number): TransactionId {
  const number = cursor.u64();
  const domain = cursor.u32();
  return { gtid: `${domain}-${serverId}-${number}`, source: String(domain), number, committedAtMs: null };
}

/** Source: libbinlogevents statement_events.h, Query_event */
export function readQuery(cursor: Cursor): { database: string; statement: string } {
  cursor.skip(8);
  const databaseLength = cursor.u8();
  cursor.skip(2);
  cursor.skip(cursor.u16());
  const database = cursor.text(databaseLength);
  cursor.skip(1);
  return { database, statement: cursor.text(cursor.end - cursor.at) };
}
