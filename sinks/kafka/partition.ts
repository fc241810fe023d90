/**
 * The partition of a key: murmur2 of its bytes, made positive, modulo the count, which is what Kafka's own default partitioner does.
 * The key's bytes are taken without the five bytes of magic and schema id, so that a row stays in its partition when a schema change
 * gives its key a new id.
 */
export function partitionOf(bytes: Uint8Array, start: number, end: number, partitions: number): number {
  return partitions === 1 ? 0 : (murmur2(bytes, start, end) & 0x7fffffff) % partitions;
}

/** MurmurHash 2 as in Kafka's `Utils.murmur2`, a signed 32-bit number. */
export function murmur2(bytes: Uint8Array, start: number, end: number): number {
  const m = 0x5bd1e995;
  const length = end - start;
  let h = 0x9747b28c ^ length;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    let k =
      (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    k = Math.imul(k, m);
    k = Math.imul(k ^ (k >>> 24), m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = end - at;
  if (rest === 3) h ^= (bytes[at + 2] ?? 0) << 16;
  if (rest >= 2) h ^= (bytes[at + 1] ?? 0) << 8;
  if (rest >= 1) h = Math.imul(h ^ (bytes[at] ?? 0), m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
