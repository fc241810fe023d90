import { doubleText } from './number.ts';

/** Bytes are compared as strings of one character per byte. */
export function hexBytes(hex: string): string {
  return hex.startsWith('\\x') ? Buffer.from(hex.slice(2), 'hex').toString('latin1') : `?${hex}`;
}

/** A vector's bytes as its numbers joined by `,`. */
export function float32s(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  const numbers: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) numbers.push(doubleText(bytes.readFloatLE(at)));
  return numbers.join();
}
