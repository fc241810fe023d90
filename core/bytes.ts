const DIGIT_ZERO = 0x30;
const MINUS = 0x2d;
const KEPT_BYTES = 1024 * 1024;

/** Bytes in the making: a buffer that grows. What is written is `buffer[0, length)`; `buffer` is another one after it had to grow. */
export class Bytes {
  buffer: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.buffer = Buffer.allocUnsafeSlow(capacity);
  }

  /** Forgets all, also the room it took. */
  release(): void {
    this.buffer = Buffer.allocUnsafeSlow(1024);
    this.length = 0;
  }

  /** Forgets what was written, and gives back the room that one large value took (G6). */
  reset(): void {
    if (this.buffer.length > KEPT_BYTES) this.release();
    else this.length = 0;
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.buffer.length) return;
    const needed = this.length + count;
    // Twice the room of a large value would be most of what it takes (G6).
    const room = needed < KEPT_BYTES ? Math.max(needed, 2 * this.buffer.length) : needed + (needed >> 3);
    const larger = Buffer.allocUnsafeSlow(room);
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  /** A signed number in two bytes, the most significant one first. */
  int16(value: number): void {
    this.reserve(2);
    this.buffer[this.length] = value >> 8;
    this.buffer[this.length + 1] = value;
    this.length += 2;
  }

  /** A number's low 32 bits, the most significant byte first. */
  int32(value: number): void {
    this.reserve(4);
    this.putInt32(this.length, value);
    this.length += 4;
  }

  /** The same over what was written at `at`. */
  putInt32(at: number, value: number): void {
    const { buffer } = this;
    buffer[at] = value >> 24;
    buffer[at + 1] = value >> 16;
    buffer[at + 2] = value >> 8;
    buffer[at + 3] = value;
  }

  /** A number's low 32 bits, the least significant byte first. */
  int32le(value: number): void {
    this.reserve(4);
    this.putInt32le(this.length, value);
    this.length += 4;
  }

  /** The same over what was written at `at`. */
  putInt32le(at: number, value: number): void {
    const { buffer } = this;
    buffer[at] = value;
    buffer[at + 1] = value >> 8;
    buffer[at + 2] = value >> 16;
    buffer[at + 3] = value >> 24;
  }

  /** A whole number up to 2^53 in eight bytes, the least significant one first. */
  int64le(value: number): void {
    const high = Math.floor(value / 0x1_0000_0000);
    this.int32le(value - high * 0x1_0000_0000);
    this.int32le(high);
  }

  /** A double, the least significant byte first. */
  float64le(value: number): void {
    this.reserve(8);
    this.length = this.buffer.writeDoubleLE(value, this.length);
  }

  /** `from[start, end)`. */
  copy(from: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    const { buffer, length } = this;
    if (count > 32) buffer.set(from.subarray(start, end), length);
    else for (let i = 0; i < count; i += 1) buffer[length + i] = from[start + i] ?? 0;
    this.length = length + count;
  }

  /** Text of which every character is ASCII. */
  ascii(text: string): void {
    const count = text.length;
    this.reserve(count);
    const { buffer, length } = this;
    if (count > 32) buffer.write(text, length, 'latin1');
    else for (let i = 0; i < count; i += 1) buffer[length + i] = text.charCodeAt(i);
    this.length = length + count;
  }

  /** Text in UTF-8. */
  text(text: string): void {
    this.reserve(text.length < KEPT_BYTES ? 3 * text.length : Buffer.byteLength(text));
    this.length += this.buffer.write(text, this.length);
  }

  /** A whole number up to 2^53 in decimal. */
  integer(value: number): void {
    this.reserve(17);
    if (value >= 0) return this.#digits(value, digitsOf(value));
    this.buffer[this.length++] = MINUS;
    this.#digits(-value, digitsOf(-value));
  }

  /** The last `count` digits of a number, with zeros in front. */
  digits(value: number, count: number): void {
    this.reserve(count);
    this.#digits(value, count);
  }

  #digits(value: number, count: number): void {
    const { buffer, length } = this;
    let rest = value;
    let at = length + count;
    // Above 2^31 the remainder is no small integer to V8: nine digits at a time are.
    while (rest > 0x7fff_ffff && at > length) {
      const upper = Math.floor(rest / 1e9);
      let lower = rest - upper * 1e9;
      for (let i = 0; i < 9 && at > length; i += 1) {
        const next = (lower / 10) | 0;
        buffer[--at] = DIGIT_ZERO + lower - next * 10;
        lower = next;
      }
      rest = upper;
    }
    let small = rest | 0;
    while (at > length) {
      const next = (small / 10) | 0;
      buffer[--at] = DIGIT_ZERO + small - next * 10;
      small = next;
    }
    this.length = length + count;
  }
}

function digitsOf(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count += 1;
  return count;
}
