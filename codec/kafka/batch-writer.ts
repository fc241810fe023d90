import { crc32c, viewOf } from '../../core/crc.ts';
import { compress, compressionCodes, type Compression } from './compression.ts';

/** Who sends a record batch: what the broker recognises duplicates and fenced producers by. */
export interface Producer {
  readonly id: bigint;
  readonly epoch: number;
  readonly transactional: boolean;
}

/** Bytes of a record batch before its records. */
const HEADER = 61;
/** A record's own bytes beside key, value and headers, at most: five varints, attributes, and a header count. */
const RECORD_OVERHEAD = 32;

/**
 * One record batch (version 2, https://kafka.apache.org/documentation/#recordbatch) that grows record by record in one buffer:
 *   baseOffset(8) batchLength(4) partitionLeaderEpoch(4) magic(1)=2 crc(4) attributes(2) lastOffsetDelta(4) baseTimestamp(8)
 *   maxTimestamp(8) producerId(8) producerEpoch(2) baseSequence(4) count(4) records
 *   record: length attributes(1)=0 timestampDelta=0 offsetDelta keyLength key valueLength value headers, the lengths as zig-zag varints
 * Used again after `reset`.
 */
export class BatchWriter {
  #buffer = Buffer.allocUnsafe(2048);
  #length = HEADER;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The size of the batch in bytes as a topic's `max.message.bytes` counts it. */
  get size(): number {
    return this.#length;
  }

  /** The most that a record of this many bytes (key, value and headers together) can add. */
  static sizeOf(bytes: number): number {
    return bytes + RECORD_OVERHEAD;
  }

  /** Appends a record whose key and value lie side by side in `source`; an empty range is null. `headers` as `recordHeaders` makes them. */
  append(
    source: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
    headers: Uint8Array | null,
  ): void {
    const key = keyEnd - keyStart;
    const value = valueEnd - valueStart;
    const tail = headers === null ? 1 : headers.length;
    const body =
      2 +
      varintSize(this.#count) +
      varintSize(key === 0 ? -1 : key) +
      key +
      varintSize(value === 0 ? -1 : value) +
      value +
      tail;
    this.#reserve(body + 5);
    let at = this.#varint(this.#length, body);
    this.#buffer[at++] = 0;
    this.#buffer[at++] = 0;
    at = this.#varint(at, this.#count);
    at = this.#bytes(at, source, keyStart, keyEnd);
    at = this.#bytes(at, source, valueStart, valueEnd);
    if (headers === null) this.#buffer[at++] = 0;
    else {
      this.#buffer.set(headers, at);
      at += headers.length;
    }
    this.#length = at;
    this.#count += 1;
  }

  /** The finished batch, valid until the next `reset`. */
  finish(producer: Producer, sequence: number, nowMs: number): Buffer {
    const batch = this.#buffer.subarray(0, this.#length);
    return sealed(batch, this.#count, 'none', { producer, sequence, nowMs });
  }

  /** The finished batch with its records compressed, beside the main thread. `reset` must wait for it. */
  async compressed(compression: Compression, producer: Producer, sequence: number, nowMs: number): Promise<Buffer> {
    if (compression === 'none') return this.finish(producer, sequence, nowMs);
    const records = await compress[compression](this.#buffer.subarray(HEADER, this.#length));
    const batch = Buffer.allocUnsafe(HEADER + records.length);
    records.copy(batch, HEADER);
    return sealed(batch, this.#count, compression, { producer, sequence, nowMs });
  }

  reset(): void {
    this.#length = HEADER;
    this.#count = 0;
  }

  #bytes(at: number, source: Uint8Array, start: number, end: number): number {
    if (start === end) return this.#varint(at, -1);
    const to = this.#varint(at, end - start);
    if (end - start < 64) for (let i = start, j = to; i < end; i++, j++) this.#buffer[j] = source[i] ?? 0;
    else this.#buffer.set(source.subarray(start, end), to);
    return to + end - start;
  }

  #varint(at: number, value: number): number {
    let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
    while (zigzag > 0x7f) {
      this.#buffer[at++] = (zigzag & 0x7f) | 0x80;
      zigzag >>>= 7;
    }
    this.#buffer[at++] = zigzag;
    return at;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#length + bytes, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

const TRANSACTIONAL = 0x10;

/** Writes the header before the records of a batch. */
function sealed(
  batch: Buffer,
  count: number,
  compression: Compression,
  { producer, sequence, nowMs }: { readonly producer: Producer; readonly sequence: number; readonly nowMs: number },
): Buffer {
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch[16] = 2;
  batch.writeInt16BE(compressionCodes[compression] | (producer.transactional ? TRANSACTIONAL : 0), 21);
  batch.writeInt32BE(count - 1, 23);
  batch.writeBigInt64BE(BigInt(nowMs), 27);
  batch.writeBigInt64BE(BigInt(nowMs), 35);
  batch.writeBigInt64BE(producer.id, 43);
  batch.writeInt16BE(producer.epoch, 51);
  batch.writeInt32BE(sequence, 53);
  batch.writeInt32BE(count, 57);
  batch.writeUInt32BE(crc32c(viewOf(batch), 21, batch.length), 17);
  return batch;
}

function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5;
}

/** One header as the tail of a record: count, then key and value with their lengths. */
export function recordHeaders(name: string, value: string): Uint8Array {
  const key = Buffer.from(name);
  const content = Buffer.from(value);
  return Buffer.concat([varint(1), varint(key.length), key, varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let zigzag = value * 2;
  for (; zigzag > 0x7f; zigzag = Math.floor(zigzag / 128)) bytes.push((zigzag & 0x7f) | 0x80);
  return Buffer.from([...bytes, zigzag]);
}
