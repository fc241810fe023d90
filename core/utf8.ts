import { isUtf8 as isWellFormed } from 'node:buffer';

/** From here on the runtime's own check costs less than a byte after the other, in spite of the view that it needs. */
const LONG = 512;

/** Whether `bytes[start, end)` is well-formed UTF-8. */
export function isValidUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start >= LONG) return isWellFormed(bytes.subarray(start, end));
  let at = start;
  while (at < end) {
    if ((bytes[at] ?? 0) < 0x80) {
      at += 1;
      continue;
    }
    const count = sequenceAt(bytes, at);
    if (count === 0 || at + count > end) return false;
    at += count;
  }
  return true;
}

/** How many bytes the character of two or more that begins at `at` has; 0 where none does. Source: Unicode, table 3-7. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  if (first < 0xc2 || first > 0xf4) return 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  const count = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let i = 2; i < count; i += 1) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return count;
}
