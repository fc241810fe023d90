import { createRequire } from 'node:module';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { murmur2, partitionOf } from '../../../../sinks/kafka/partition.ts';

it("hashes as Kafka's default partitioner does", () => {
  const theirs = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2') as (
    key: Buffer,
  ) => number;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(murmur2(bytes, 0, bytes.length)).toBe(theirs(Buffer.from(bytes)));
    }),
  );
});

it('leaves the schema id out of the partition', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 50 }), (key, partitions) => {
      const message = (id: number): Uint8Array => Uint8Array.from([0, 0, 0, 0, id, ...key]);
      const partition = partitionOf(message(1), 5, 5 + key.length, partitions);
      expect(partitionOf(message(2), 5, 5 + key.length, partitions)).toBe(partition);
      expect(partition).toBeGreaterThanOrEqual(0);
      expect(partition).toBeLessThan(partitions);
    }),
  );
});
