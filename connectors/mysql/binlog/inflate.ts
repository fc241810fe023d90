import { inflateRawSync, inflateSync } from 'node:zlib';
import { MalformedEvent } from './malformed.ts';

/** zlib's best: more than that no stream can hold. */
const bestRatio = 1032;

/** The `size` bytes that zlib made `compressed` of; `bare` without its header and checksum. Errors: MalformedEvent. */
export function inflated(compressed: Buffer, size: number, bare = false): Buffer {
  if (size === 0 || size > bestRatio * compressed.length + 64)
    throw new MalformedEvent('compressed bytes that cannot be that many');
  let bytes: Buffer;
  try {
    bytes = (bare ? inflateRawSync : inflateSync)(compressed, { maxOutputLength: size });
  } catch (error) {
    throw new MalformedEvent('compressed bytes that are broken', { cause: error });
  }
  if (bytes.length !== size) throw new MalformedEvent('compressed bytes that are fewer than they say');
  return bytes;
}
