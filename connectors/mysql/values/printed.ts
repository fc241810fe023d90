import { Bytes } from '../../../core/bytes.ts';
import type { PackedColumn } from '../../../core/row.ts';

/** Appends a value that lies in `bytes[start, end)` as text. */
export type Print = NonNullable<PackedColumn['print']>;

const scratch = new Bytes(1024);

/** A column whose canonical value is the text that `print` writes: there is one way to make it, and bytes and string cannot differ. */
export function printedColumn(print: Print, encoding: 'latin1' | 'utf8' = 'latin1'): PackedColumn {
  return { print, decode: (bytes, start, end) => printedText(print, bytes, start, end, encoding) };
}

/** What `print` writes, as a string. */
export function printedText(
  print: Print,
  bytes: Buffer,
  start: number,
  end: number,
  encoding: 'latin1' | 'utf8' = 'latin1',
): string {
  scratch.reset();
  print(scratch, bytes, start, end);
  const text = scratch.buffer.toString(encoding, 0, scratch.length);
  scratch.reset();
  return text;
}
