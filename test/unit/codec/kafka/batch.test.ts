import { createRequire } from 'node:module';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { readRecords } from '../../../../codec/kafka/batch-reader.ts';
import { BatchWriter, recordHeaders } from '../../../../codec/kafka/batch-writer.ts';
import { COMPRESSIONS } from '../../../../codec/kafka/compression.ts';
import { crc32c, viewOf } from '../../../../core/crc.ts';

const load = createRequire(import.meta.url);
const producer = { id: 7n, epoch: 3, transactional: false };
const transactional = { ...producer, transactional: true };

/** A batch at an offset, as a broker stores it. */
function stored(records: Buffer, baseOffset: number): Buffer {
  const copy = Buffer.from(records);
  copy.writeBigInt64BE(BigInt(baseOffset), 0);
  return copy;
}

function batchOf(values: readonly (string | null)[], from = transactional, headers: Uint8Array | null = null): Buffer {
  const writer = new BatchWriter();
  for (const [i, value] of values.entries()) {
    const bytes = Buffer.from(`k${i}${value ?? ''}`);
    writer.append(bytes, 0, 2, 2, bytes.length, headers);
  }
  return Buffer.from(writer.finish(from, 0, 1_700_000_000_000));
}

/** A control record: version 0, type 0 (abort) or 1 (commit). */
function control(type: 0 | 1, baseOffset: number): Buffer {
  const writer = new BatchWriter();
  writer.append(Buffer.from([0, 0, 0, type, 0, 0, 0, 0, 0, 0]), 0, 4, 4, 10, null);
  const records = Buffer.from(writer.finish(transactional, -1, 0));
  return sealed(records, 0x30, baseOffset);
}

function sealed(records: Buffer, attributes: number, baseOffset: number): Buffer {
  records.writeInt16BE(attributes, 21);
  records.writeInt32BE(records.length - 12, 8);
  records.writeUInt32BE(crc32c(viewOf(records), 21, records.length), 17);
  return stored(records, baseOffset);
}

it('computes the checksum that kafkajs computes', () => {
  const theirs = load('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(crc32c(viewOf(bytes), 0, bytes.length)).toBe(theirs(Buffer.from(bytes)));
    }),
  );
});

it('reads back the records it wrote, empty keys and values as null', () => {
  const records = fc.array(fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 5000 })), {
    minLength: 1,
  });
  fc.assert(
    fc.property(records, (expected) => {
      const writer = new BatchWriter();
      for (const [key, value] of expected) {
        const bytes = Buffer.concat([key, value]);
        writer.append(bytes, 0, key.length, key.length, bytes.length, null);
      }
      const { records, nextOffset } = readRecords(stored(writer.finish(producer, 0, 5), 40), [], 40, 'here');
      expect(nextOffset).toBe(40 + expected.length);
      expect(
        records.map(({ offset, key, value }) => [offset, key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]),
      ).toEqual(expected.map(([key, value], i) => [40 + i, Buffer.from(key), Buffer.from(value)]));
    }),
  );
});

it('is read by kafkajs as it was written', async () => {
  const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
  const decode = load('kafkajs/src/protocol/recordBatch/v0/decoder') as (from: object) => Promise<{
    producerId: string;
    inTransaction: boolean;
    records: { key: Buffer; value: Buffer | null; headers: Record<string, Buffer>; timestamp: string }[];
  }>;
  const batch = await decode(new Decoder(batchOf(['one', null], transactional, recordHeaders('h', 'žluť'))));
  expect(batch).toMatchObject({ producerId: '7', inTransaction: true });
  expect(
    batch.records.map(({ key, value, headers, timestamp }) => [
      String(key),
      value && String(value),
      String(headers['h']),
      timestamp,
    ]),
  ).toEqual([
    ['k0', 'one', 'žluť', '1700000000000'],
    ['k1', null, 'žluť', '1700000000000'],
  ]);
});

it('leaves out what was aborted and what is before the offset asked for, and goes on behind control records', () => {
  const log = Buffer.concat([
    stored(batchOf(['a', 'b']), 0),
    control(1, 2),
    stored(batchOf(['lost']), 3),
    control(0, 4),
    stored(batchOf(['c']), 5),
    stored(batchOf(['plain'], producer), 6),
    control(1, 7),
  ]);
  const aborted = [{ producerId: 7n, firstOffset: 3 }];
  const { records, nextOffset } = readRecords(log, aborted, 1, 'here');
  expect(records.map(({ value }) => String(value))).toEqual(['b', 'c', 'plain']);
  expect(nextOffset).toBe(8);
});

it('leaves a batch that was cut off for the next fetch', () => {
  const whole = stored(batchOf(['a']), 0);
  const cut = stored(batchOf(['b', 'c']), 1).subarray(0, 80);
  const { records, nextOffset } = readRecords(Buffer.concat([whole, cut]), [], 0, 'here');
  expect(records.map(({ value }) => String(value))).toEqual(['a']);
  expect(nextOffset).toBe(1);
});

it.each([
  ['gzip', 1, gzipSync],
  ['zstd', 4, zstdCompressSync],
] as const)('reads %s', (_name, codec, compress) => {
  const plain = batchOf(['a', 'b'], producer);
  const packed = Buffer.concat([plain.subarray(0, 61), compress(plain.subarray(61))]);
  const { records } = readRecords(sealed(packed, codec, 0), [], 0, 'here');
  expect(records.map(({ value }) => String(value))).toEqual(['a', 'b']);
});

it.each(COMPRESSIONS)('reads back what it compressed with %s', async (compression) => {
  const writer = new BatchWriter();
  const value = Buffer.from('a value that repeats itself, a value that repeats itself, a value that repeats itself');
  for (let i = 0; i < 100; i += 1) writer.append(value, 0, 1, 1, value.length, null);
  const batch = await writer.compressed(compression, producer, 0, 5);
  expect(batch.length < writer.size / 2).toBe(compression !== 'none');
  const { records } = readRecords(stored(batch, 0), [], 0, 'here');
  expect(records.map((record) => String(record.value))).toEqual(
    Array.from({ length: 100 }, () => String(value.subarray(1))),
  );
});

it('refuses a damaged batch and a compression it does not know', () => {
  const damaged = batchOf(['a'], producer);
  damaged[damaged.length - 1] = 9;
  expect(() => readRecords(damaged, [], 0, 'here')).toThrow(expect.objectContaining({ code: 'SOURCE_EVENT_CORRUPT' }));
  const lz4 = sealed(batchOf(['a'], producer), 3, 0);
  expect(() => readRecords(lz4, [], 0, 'here')).toThrow(expect.objectContaining({ code: 'SOURCE_EVENT_UNSUPPORTED' }));
});
