/** From this size on, in bytes, a copy costs more memory than what else lies in the buffer that a view keeps alive. */
const largeValue = 1024 * 1024;

/** The bytes of a value: of a small one a copy, so that it does not keep a large buffer alive, of a large one a view. */
export function bytesOf(bytes: Buffer, start: number, end: number): Uint8Array {
  return end - start >= largeValue
    ? new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
    : Uint8Array.prototype.slice.call(bytes, start, end);
}
