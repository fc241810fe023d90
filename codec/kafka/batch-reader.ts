import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { LockstepError } from '../../core/errors.ts';
import { crc32c, viewOf } from '../../core/crc.ts';

export interface KafkaRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  /** Null is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: ReadonlyMap<string, Buffer> | null;
  readonly timestampMs: number;
}

/** A transaction that was given up: what its producer wrote from `firstOffset` up to its abort marker does not count. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** What one partition brought in one fetch. */
export interface FetchedRecords {
  /** Of committed transactions (and of none), at or after the offset asked for, in order. */
  readonly records: KafkaRecord[];
  /** Where to read on: behind everything read, also what was aborted and the control records that nobody gets to see. */
  readonly nextOffset: number;
}

const HEADER = 61;

/**
 * Reads the record batches of one partition (layout: see BatchWriter), leaves out aborted transactions and control records, and what
 * lies before `fromOffset`. A batch that was cut off at the end is left for the next fetch. Throws SOURCE_EVENT_CORRUPT where a
 * checksum is wrong, SOURCE_EVENT_UNSUPPORTED for a compression that Node.js does not have (lz4, snappy).
 */
export function readRecords(
  bytes: Buffer | null,
  aborted: readonly AbortedTransaction[],
  fromOffset: number,
  where: string,
): FetchedRecords {
  const records: KafkaRecord[] = [];
  let nextOffset = fromOffset;
  if (bytes === null) return { records, nextOffset };
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const abortedNow = new Set<bigint>();
  for (let at = 0; at + HEADER <= bytes.length;) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    const batch = readHeader(bytes, at, end, where);
    nextOffset = Math.max(nextOffset, batch.lastOffset + 1);
    while ((waiting[0]?.firstOffset ?? Infinity) <= batch.lastOffset) {
      const transaction = waiting.shift();
      if (transaction !== undefined) abortedNow.add(transaction.producerId);
    }
    if (batch.control) {
      if (isAbortMarker(bytes, at + HEADER)) abortedNow.delete(batch.producerId);
    } else if (!batch.transactional || !abortedNow.has(batch.producerId)) {
      appendRecords(batch, decompress(bytes.subarray(at + HEADER, end), batch.compression, where), fromOffset, records);
    }
    at = end;
  }
  return { records, nextOffset };
}

interface BatchHeader {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly baseTimestampMs: number;
  readonly count: number;
  readonly producerId: bigint;
  readonly compression: number;
  readonly transactional: boolean;
  readonly control: boolean;
}

function readHeader(bytes: Buffer, at: number, end: number, where: string): BatchHeader {
  const baseOffset = Number(bytes.readBigInt64BE(at));
  const magic = bytes.readInt8(at + 16);
  if (magic !== 2) throw unsupported(`${where} holds messages in format ${magic}, older than Kafka 0.11`, OLD_FORMAT);
  if (bytes.readUInt32BE(at + 17) !== crc32c(viewOf(bytes), at + 21, end)) {
    const fix = 'check the disks and the network of the brokers; kafka-dump-log.sh shows which segment is damaged';
    throw new LockstepError(
      'SOURCE_EVENT_CORRUPT',
      `${where}: the record batch at offset ${baseOffset} fails its checksum`,
      { fix },
    );
  }
  const attributes = bytes.readInt16BE(at + 21);
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(at + 23),
    baseTimestampMs: Number(bytes.readBigInt64BE(at + 27)),
    producerId: bytes.readBigInt64BE(at + 43),
    count: bytes.readInt32BE(at + 57),
    compression: attributes & 7,
    transactional: (attributes & 0x10) !== 0,
    control: (attributes & 0x20) !== 0,
  };
}

const OLD_FORMAT = 'copy the topic into a new one with a current producer';

function unsupported(message: string, fix: string): LockstepError {
  return new LockstepError('SOURCE_EVENT_UNSUPPORTED', message, { fix });
}

function decompress(records: Buffer, compression: number, where: string): Buffer {
  switch (compression) {
    case 0:
      return records;
    case 1:
      return gunzipSync(records);
    case 4:
      return zstdDecompressSync(records);
    default:
      throw unsupported(
        `${where} is compressed with ${compression === 2 ? 'snappy' : 'lz4'}, which cannot be read here`,
        'set compression.type of the producer or the topic to zstd, gzip or none',
      );
  }
}

/** A control record's key is version(2) type(2); type 0 is abort, 1 commit. */
function isAbortMarker(bytes: Buffer, at: number): boolean {
  const cursor = new Varints(bytes, at);
  cursor.next();
  cursor.at += 1;
  cursor.next();
  cursor.next();
  cursor.next();
  return bytes.readInt16BE(cursor.at + 2) === 0;
}

function appendRecords(batch: BatchHeader, bytes: Buffer, fromOffset: number, records: KafkaRecord[]): void {
  const cursor = new Varints(bytes, 0);
  for (let i = 0; i < batch.count; i++) {
    const length = cursor.next();
    const end = cursor.at + length;
    cursor.at += 1;
    const timestampMs = batch.baseTimestampMs + cursor.next();
    const offset = batch.baseOffset + cursor.next();
    const key = cursor.bytes();
    const value = cursor.bytes();
    const headers = readHeaders(cursor);
    cursor.at = end;
    if (offset >= fromOffset) records.push({ offset, key, value, headers, timestampMs });
  }
}

function readHeaders(cursor: Varints): ReadonlyMap<string, Buffer> | null {
  const count = cursor.next();
  if (count === 0) return null;
  const headers = new Map<string, Buffer>();
  for (let i = 0; i < count; i++) {
    const name = cursor.bytes()?.toString() ?? '';
    const value = cursor.bytes();
    if (value !== null) headers.set(name, value);
  }
  return headers;
}

class Varints {
  at: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** A zig-zag varint; plain arithmetic from the fifth byte on, for time differences beyond 32 bits. */
  next(): number {
    let byte = this.#bytes[this.at++] ?? 0;
    let value = byte & 0x7f;
    for (let factor = 0x80; byte > 0x7f; factor *= 0x80) {
      byte = this.#bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * factor;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  bytes(): Buffer | null {
    const size = this.next();
    if (size < 0) return null;
    const start = this.at;
    this.at += size;
    return this.#bytes.subarray(start, this.at);
  }
}
