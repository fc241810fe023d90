/** The CRC of the bytes from `start` to `end`, unsigned. */
export type Crc = (view: DataView, start: number, end: number) => number;

/** CRC-32, of binary logs. For more than some hundred bytes that of `node:zlib` is faster, which has a high price per call. */
export const crc32 = compileCrc(0xedb88320);
/** CRC-32C (Castagnoli), of Kafka's record batches. */
export const crc32c = compileCrc(0x82f63b78);

/**
 * Of a polynomial in its reflected form. The loop takes 16 bytes a turn, each from a table of its own that says what it does to the
 * result that many bytes later (slicing-by-16). Source: Kounavis and Berry, Novel table lookup-based algorithms for CRC generation.
 */
function compileCrc(polynomial: number): Crc {
  const table = buildTable(polynomial);
  const of = (slice: number, word: number, shift: number): number =>
    table[(slice << 8) | ((word >>> shift) & 0xff)] ?? 0;
  return (view, start, end) => {
    let crc = -1;
    let at = start;
    for (const last = end - 15; at < last; at += 16) {
      const a = view.getInt32(at, true) ^ crc;
      const b = view.getInt32(at + 4, true);
      const c = view.getInt32(at + 8, true);
      const d = view.getInt32(at + 12, true);
      crc = of(15, a, 0) ^ of(14, a, 8) ^ of(13, a, 16) ^ of(12, a, 24);
      crc ^= of(11, b, 0) ^ of(10, b, 8) ^ of(9, b, 16) ^ of(8, b, 24);
      crc ^= of(7, c, 0) ^ of(6, c, 8) ^ of(5, c, 16) ^ of(4, c, 24);
      crc ^= of(3, d, 0) ^ of(2, d, 8) ^ of(1, d, 16) ^ of(0, d, 24);
    }
    for (; at < end; at++) crc = (crc >>> 8) ^ of(0, crc ^ view.getUint8(at), 0);
    return (crc ^ -1) >>> 0;
  };
}

/** 16 tables of 256 in a row. */
function buildTable(polynomial: number): Int32Array {
  const table = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    table[byte] = crc;
  }
  for (let i = 256; i < table.length; i++) {
    const crc = table[i - 256] ?? 0;
    table[i] = (crc >>> 8) ^ (table[crc & 0xff] ?? 0);
  }
  return table;
}

export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
