import type { Bytes } from '../../core/bytes.ts';

/** Whether text from `from` on has no zero byte, which PostgreSQL cannot hold. */
export function hasNoNul({ buffer, length }: Bytes, from: number): boolean {
  for (let i = from; i < length; i += 1) if (buffer[i] === 0) return false;
  return true;
}

const BACKSLASH = 0x5c;
const U = 0x75;
const ZERO = 0x30;

/** Whether JSON from `from` on surely has no U+0000, which jsonb cannot hold; whether `\u0000` in it means it is for the encoder to say. */
export function hasNoEscapedNul({ buffer, length }: Bytes, from: number): boolean {
  for (let i = from; i < length; i += 1) {
    if (buffer[i] !== BACKSLASH) continue;
    if (buffer[i + 1] === U && buffer[i + 2] === ZERO && buffer[i + 3] === ZERO) return false;
  }
  return true;
}

/** Whether a date that begins at `from` is a zero or partial one: `0000-…`, `…-00-…` or `…-…-00`. `encode.ts` asks the same of strings. */
export function isZeroDate({ buffer }: Bytes, from: number): boolean {
  if (buffer[from + 5] === ZERO && buffer[from + 6] === ZERO) return true;
  if (buffer[from + 8] === ZERO && buffer[from + 9] === ZERO) return true;
  return buffer[from] === ZERO && buffer[from + 1] === ZERO && buffer[from + 2] === ZERO && buffer[from + 3] === ZERO;
}
