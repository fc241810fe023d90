import type { Bytes } from '../../core/bytes.ts';

/** Whether what was written from `from` on is well-formed UTF-8. MongoDB takes anything, and then those who read it fail over it. */
export function isText({ buffer, length }: Bytes, from: number): boolean {
  let at = from;
  while (at < length) {
    if ((buffer[at] ?? 0) < 0x80) {
      at += 1;
      continue;
    }
    const count = sequenceAt(buffer, at);
    if (count === 0 || at + count > length) return false;
    at += count;
  }
  return true;
}

/** How many bytes the character of two or more that begins at `at` has; 0 where none does. Source: Unicode, table 3-7. */
function sequenceAt(buffer: Uint8Array, at: number): number {
  const first = buffer[at] ?? 0;
  const second = buffer[at + 1] ?? 0;
  if (first < 0xc2 || first > 0xf4) return 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  const count = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let i = 2; i < count; i += 1) if (((buffer[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return count;
}
