import { crc32 as crc32OfMany } from 'node:zlib';
import { crc32, viewOf } from '../../../core/crc.ts';
import { MalformedEvent } from './malformed.ts';

export const headerBytes = 19;
export const checksumBytes = 4;

/** One event as it lies in a buffer, valid until the next one is read: header at `start`, body in `bytes[body, end)`, its checksum left out. */
export interface LogEvent {
  bytes: Buffer;
  start: number;
  body: number;
  end: number;
  type: number;
  flags: number;
  /** Seconds since 1970 at which the statement began. */
  seconds: number;
  serverId: number;
  /** The lower 32 bits of where the event ends in its file; 0 where it stands in none. */
  logPos: number;
  /** Bytes that it takes in the log. */
  size: number;
}

export function emptyEvent(): LogEvent {
  const none = Buffer.alloc(0);
  return { bytes: none, start: 0, body: 0, end: 0, type: 0, flags: 0, seconds: 0, serverId: 0, logPos: 0, size: 0 };
}

/**
 * Reads the header of the event that fills `bytes[start, end)`. Errors: MalformedEvent where it is too short or says another length.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html
 */
export function readHeader(event: LogEvent, bytes: Buffer, start: number, end: number): void {
  if (end - start < headerBytes) throw new MalformedEvent(`an event of ${end - start} bytes`);
  event.bytes = bytes;
  event.start = start;
  event.body = start + headerBytes;
  event.end = end;
  event.seconds = bytes.readUInt32LE(start);
  event.type = bytes[start + 4] ?? 0;
  event.serverId = bytes.readUInt32LE(start + 5);
  event.size = sizeInHeader(bytes, start);
  event.logPos = bytes.readUInt32LE(start + 13);
  event.flags = bytes.readUInt16LE(start + 17);
  if (event.size !== end - start) throw new MalformedEvent(`an event of ${end - start} bytes that says ${event.size}`);
}

/** How long an event says it is, in bytes with its header. */
export function sizeInHeader(bytes: Buffer, start: number): number {
  return bytes.readUInt32LE(start + 9);
}

/** Leaves the checksum at the event's end out. Errors: MalformedEvent where it has no room for one. */
export function cutChecksum(event: LogEvent): void {
  if (event.end - event.body < checksumBytes) throw new MalformedEvent('an event without its checksum');
  event.end -= checksumBytes;
}

/** Below so many bytes a call of `node:zlib` costs more than the bytes. */
const manyBytes = 256;

/** Verifies checksums. Neighbouring events lie in one buffer, whose view is kept. */
export class Checksums {
  #bytes: Uint8Array = Buffer.alloc(0);
  #view = viewOf(this.#bytes);

  /** Whether the four bytes behind the event, as it is cut now, are its CRC32. */
  hold({ bytes, start, end }: LogEvent): boolean {
    return this.#of(bytes, start, end) === bytes.readUInt32LE(end);
  }

  #of(bytes: Buffer, start: number, end: number): number {
    if (end - start >= manyBytes) return crc32OfMany(bytes.subarray(start, end));
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = viewOf(bytes);
    }
    return crc32(this.#view, start, end);
  }
}
