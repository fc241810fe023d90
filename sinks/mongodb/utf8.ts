import { isUtf8 } from 'node:buffer';
import type { Bytes } from '../../core/bytes.ts';

/** From this length on a call into the runtime is faster than a look at each byte. */
const LONG_TEXT = 100;

/** Whether what was written from `from` on is well-formed UTF-8: MongoDB takes anything, and then those who read it fail over it. */
export function isText({ buffer, length }: Bytes, from: number): boolean {
  if (length - from > LONG_TEXT) return isUtf8(buffer.subarray(from, length));
  for (let at = from; at < length; at += 1) if ((buffer[at] ?? 0) >= 0x80) return isUtf8(buffer.subarray(from, length));
  return true;
}
