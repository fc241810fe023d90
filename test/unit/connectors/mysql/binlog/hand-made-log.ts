import { crc32 } from 'node:zlib';
import { event } from '../../../../../connectors/mysql/binlog/event-types.ts';
import { wire } from '../../../../../connectors/mysql/binlog/table-map.ts';
import type { Values } from '../../../../../core/contracts.ts';
import { column, int, table, text } from '../../../../contract/changes.ts';
import { framed } from '../connection/socket-pair.ts';

/** Events of a binlog, written down a second time from the servers' own description of them (libbinlogevents). */
export interface LogEvent {
  readonly type: number;
  readonly body: Buffer;
  readonly flags?: number;
  /** Events that the server makes up for us stand nowhere in the log, or tell another place. */
  readonly logPos?: number;
}

export const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
export const committedAtMs = 1_760_000_000_123;

/** `shop.t (id INT, v VARCHAR(200))`, as the rows below lie in the log. */
export const schema = table('t', [column('id', int), column('v', text)], ['id']);

export function gtid(number: number): LogEvent {
  const times = Buffer.alloc(7);
  times.writeUIntLE((committedAtMs * 1000) % 2 ** 32, 0, 4);
  times.writeUIntLE(Math.floor((committedAtMs * 1000) / 2 ** 32), 4, 3);
  const source = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  return { type: event.gtid, body: Buffer.concat([Buffer.of(0), source, uint(number, 8), Buffer.alloc(17), times]) };
}

/** MariaDB's; `standalone`: no COMMIT follows; `prepares`: the group prepares an XA transaction. */
export function mariadbGtid(number: number, standalone = false, domain = 0, prepares = false): LogEvent {
  const flags = Buffer.of((standalone ? 1 : 0) | (prepares ? 0x40 : 0));
  return { type: event.mariadbGtid, body: Buffer.concat([uint(number, 8), uint(domain, 4), flags, Buffer.alloc(6)]) };
}

export const anonymousGtid: LogEvent = { ...gtid(0), type: event.anonymousGtid };

/** The end of an XA transaction's first phase, and the name that statements give it. */
export function xaPrepare(name: string, onePhase = false): LogEvent {
  const lengths = [uint(1, 4), uint(name.length, 4), uint(0, 4)];
  return { type: event.xaPrepare, body: Buffer.concat([Buffer.of(onePhase ? 1 : 0), ...lengths, Buffer.from(name)]) };
}
export const xidOf = (name: string): string => `X'${Buffer.from(name).toString('hex')}',X'',1`;

export function query(statement: string, database = 'shop'): LogEvent {
  const name = Buffer.from(database);
  const fixed = Buffer.concat([Buffer.alloc(8), Buffer.of(name.length), uint(0, 2), uint(3, 2), Buffer.from('xyz')]);
  return { type: event.query, body: Buffer.concat([fixed, name, Buffer.of(0), Buffer.from(statement)]) };
}

export const xid: LogEvent = { type: event.xid, body: uint(1, 8) };

/** Announces a table of the shape above; without `names` as with binlog_row_metadata=MINIMAL. */
export function tableMap(id: number, name = 't', names: readonly string[] | null = null, database = 'shop'): LogEvent {
  const named = (text: string): Buffer => Buffer.concat([Buffer.of(text.length), Buffer.from(text), Buffer.of(0)]);
  const types = Buffer.of(2, wire.long, wire.varchar);
  const meta = Buffer.concat([Buffer.of(2), uint(800, 2)]);
  const listed = Buffer.concat((names ?? []).map((text) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)])));
  const more = names === null ? Buffer.alloc(0) : Buffer.concat([Buffer.of(1, 1, 0x80, 4, listed.length), listed]);
  const body = [uint(id, 6), uint(1, 2), named(database), named(name), types, meta, Buffer.of(2), more];
  return { type: event.tableMap, body: Buffer.concat(body) };
}

/** Rows of the announced table: for an update before and after take turns. `present`: a bit for each column that was logged. */
export function rows(
  kind: 'insert' | 'update' | 'delete',
  id: number,
  images: readonly Values[],
  version: 1 | 2 = 2,
  present = 3,
): LogEvent {
  const types = { insert: event.writeRows, update: event.updateRows, delete: event.deleteRows };
  const extra = version === 2 ? uint(2, 2) : Buffer.alloc(0);
  const bitmaps = Buffer.alloc(kind === 'update' ? 2 : 1, present);
  const head = [uint(id, 6), uint(1, 2), extra, Buffer.of(2), bitmaps];
  const type = types[kind] - (version === 1 ? event.writeRows - event.writeRowsV1 : 0);
  return { type, body: Buffer.concat([...head, ...images.map(image)]) };
}

function image([id = null, v = null]: Values): Buffer {
  const parts: Buffer[] = [Buffer.of((id === null ? 1 : 0) | (v === null ? 2 : 0))];
  if (typeof id === 'number') parts.push(uint(id >>> 0, 4));
  if (typeof v === 'string') parts.push(uint(Buffer.byteLength(v), 2), Buffer.from(v));
  return Buffer.concat(parts);
}

export function rotate(file: string, offset: number): LogEvent {
  return { type: event.rotate, body: Buffer.concat([uint(offset, 8), Buffer.from(file)]), logPos: 0 };
}

/** The same with the whole offset. */
export function heartbeatV2(file: string, offset: number): LogEvent {
  const body = [Buffer.of(1, file.length), Buffer.from(file), Buffer.of(2, 9, 0xfe), uint64(offset), Buffer.of(0)];
  return { type: event.heartbeatV2, body: Buffer.concat(body), logPos: offset % 2 ** 32 };
}

export function heartbeat(file: string, offset: number): LogEvent {
  return { type: event.heartbeat, body: Buffer.from(file), logPos: offset };
}

export function formatDescription(checksums: boolean): LogEvent {
  const fixed = Buffer.alloc(2 + 50 + 4 + 1 + 40);
  fixed.writeUInt16LE(4, 0);
  fixed.writeUInt8(headerBytes, 2 + 50 + 4);
  return { type: event.formatDescription, body: Buffer.concat([fixed, Buffer.of(checksums ? 1 : 0)]), logPos: 0 };
}

/** The events as the packets of a dump, one behind the other from offset 4 on. */
export function packets(events: readonly LogEvent[], checksums = true): Buffer {
  let end = 4;
  return Buffer.concat(
    events.map((one) => {
      const summed = checksums || one.type === event.formatDescription;
      end += headerBytes + one.body.length + (summed ? 4 : 0);
      return framed(Buffer.concat([Buffer.of(0), logged(one, one.logPos ?? end, summed)]));
    }),
  );
}

/** Where the log ends behind these events. */
export function endOf(events: readonly LogEvent[]): number {
  return events.reduce((end, { body }) => end + headerBytes + body.length + 4, 4);
}

const headerBytes = 19;

function logged({ type, body, flags = 0 }: LogEvent, logPos: number, summed: boolean): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(Math.floor(committedAtMs / 1000), 0);
  header.writeUInt8(type, 4);
  header.writeUInt32LE(7, 5);
  header.writeUInt32LE(headerBytes + body.length + (summed ? 4 : 0), 9);
  header.writeUInt32LE(logPos % 2 ** 32, 13);
  header.writeUInt16LE(flags, 17);
  const whole = Buffer.concat([header, body]);
  return summed ? Buffer.concat([whole, uint(crc32(whole), 4)]) : whole;
}

function uint(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntLE(value, 0, Math.min(size, 6));
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
