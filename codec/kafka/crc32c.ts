/** Four tables, so that the loop takes four bytes a turn (slicing-by-4). CRC-32C, the Castagnoli polynomial, reflected: 0x82f63b78. */
const tables = buildTables();
const [t0, t1, t2, t3] = tables;

function buildTables(): [Int32Array, Int32Array, Int32Array, Int32Array] {
  const [first, second, third, fourth] = [0, 1, 2, 3].map(() => new Int32Array(256));
  if (first === undefined || second === undefined || third === undefined || fourth === undefined)
    throw new RangeError();
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    first[byte] = crc;
  }
  for (const [next, previous] of [
    [second, first],
    [third, second],
    [fourth, third],
  ] as const) {
    for (let byte = 0; byte < 256; byte++) {
      const crc = previous[byte] ?? 0;
      next[byte] = (crc >>> 8) ^ (first[crc & 0xff] ?? 0);
    }
  }
  return [first, second, third, fourth];
}

/** CRC-32C of the bytes from `start` to `end`, unsigned. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    crc ^= (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    crc =
      (t3[crc & 0xff] ?? 0) ^ (t2[(crc >>> 8) & 0xff] ?? 0) ^ (t1[(crc >>> 16) & 0xff] ?? 0) ^ (t0[crc >>> 24] ?? 0);
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return (crc ^ -1) >>> 0;
}
