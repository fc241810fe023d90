import { LockstepError } from '../../../core/errors.ts';
import type { PackedColumn } from '../../../core/row.ts';
import { inflated } from './inflate.ts';
import { MalformedEvent } from './malformed.ts';

interface Content {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * A value of a COMPRESSED column (MariaDB), as `plain` reads it. A byte of method, flags and the size's size, the size, most significant byte
 * first, zlib's bytes; behind a byte of zero the value itself. An empty value is nothing at all. Source: MariaDB sql/field_comp.cc,
 * compress_zlib; sql/field.cc, Field_longstr::uncompress.
 */
export function compressedColumn(plain: PackedColumn, where: string): PackedColumn {
  const { print } = plain;
  const content = (bytes: Buffer, start: number, end: number): Content => contentOf(bytes, start, end, where);
  return {
    decode: (packed, at, behind) => {
      const { bytes, start, end } = content(packed, at, behind);
      return plain.decode(bytes, start, end);
    },
    print:
      print === null
        ? null
        : (out, packed, at, behind) => {
            const { bytes, start, end } = content(packed, at, behind);
            print(out, bytes, start, end);
          },
  };
}

const zlib = 8;

function contentOf(bytes: Buffer, start: number, end: number, where: string): Content {
  const head = start < end ? (bytes[start] ?? 0) : 0;
  const method = head >> 4;
  if (method === 0) return { bytes, start: Math.min(start + 1, end), end };
  if (method !== zlib) throw corrupt(where, `a value compressed by method ${method}`);
  const sizeBytes = head & 7;
  let size = 0;
  for (let i = 1; i <= sizeBytes; i += 1) size = size * 256 + (bytes[start + i] ?? 0);
  try {
    const plain = inflated(bytes.subarray(start + 1 + sizeBytes, end), size, (head & 8) !== 0);
    return { bytes: plain, start: 0, end: plain.length };
  } catch (error) {
    if (error instanceof MalformedEvent) throw corrupt(where, error.message);
    throw error;
  }
}

function corrupt(where: string, what: string): LockstepError {
  return new LockstepError('SOURCE_EVENT_CORRUPT', `${where}: the binlog holds ${what}`, {
    fix: 'check the file with mysqlbinlog --verify-binlog-checksum; if it is sound there, the network or Lockstep is at fault',
  });
}
