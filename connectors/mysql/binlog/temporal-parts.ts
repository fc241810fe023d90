import type { Bytes } from '../../../core/bytes.ts';
import { printEpochSeconds } from '../values/calendar.ts';
import type { Print } from '../values/printed.ts';

/** How a column of dates or times lies in the log: its width in bytes and how it is printed. */
export interface Temporal {
  readonly width: number;
  readonly print: Print;
}

export const minus = 0x2d;

/** `size` bytes, most significant first; exact up to 6. */
export function bigEndian(bytes: Buffer, start: number, size: number): number {
  let value = 0;
  for (let i = start; i < start + size; i += 1) value = value * 256 + (bytes[i] ?? 0);
  return value;
}

/** Zero seconds without a fraction are the zero date. */
export function printTimestamp(out: Bytes, seconds: number, fraction: number): void {
  if (seconds === 0 && fraction === 0) out.ascii('0000-00-00 00:00:00');
  else printEpochSeconds(out, seconds);
}
