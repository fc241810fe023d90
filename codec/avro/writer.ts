/** Bytes before the Avro in Confluent's wire format: magic 0 and the schema's id, big endian. */
export const HEADER_BYTES = 5;

/** A buffer that grew beyond this for one large message is given back at the next `reset` (G6). */
const KEEP_BYTES = 16 * 1024 * 1024;
const SHORT_TEXT = 63;
/** Above this a text's size is counted before it is written, so that the buffer need not have room for the worst case. */
const LONG_TEXT = 64 * 1024;
/** Numbers up to this size have an exact zig-zag form in a double. */
const EXACT = 2 ** 52;

/**
 * Bytes in the making: Avro's binary encoding (https://avro.apache.org/docs/1.12.0/specification/#binary-encoding) appended to one
 * buffer that grows. Used again after `reset`.
 */
export class AvroWriter {
  #buffer: Buffer;
  #length = 0;
  readonly #initialBytes: number;

  constructor(initialBytes = 64 * 1024) {
    this.#initialBytes = initialBytes;
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  /** The buffer itself: the bytes from 0 to `length` are written. It is another one after it had to grow. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** How many bytes are written. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was written from `length` on. */
  reset(length = 0): void {
    this.#length = length;
    if (length === 0 && this.#buffer.length > KEEP_BYTES) this.#buffer = Buffer.allocUnsafe(this.#initialBytes);
  }

  /** Confluent's header: magic 0 and a schema's id. */
  header(schemaId: number): void {
    this.#reserve(HEADER_BYTES);
    this.#buffer[this.#length] = 0;
    this.#buffer.writeInt32BE(schemaId, this.#length + 1);
    this.#length += HEADER_BYTES;
  }

  /** One byte as it is: a boolean, or the branch of a union times two. */
  byte(value: number): void {
    if (this.#length === this.#buffer.length) this.#grow(1);
    this.#buffer[this.#length++] = value;
  }

  /** An int or long that is a whole number up to 2^53. */
  long(value: number): void {
    this.#reserve(10);
    if (value > 0x3fff_ffff || value < -0x4000_0000) {
      this.#wideLong(value);
      return;
    }
    let zigzag = (value << 1) ^ (value >> 31);
    while (zigzag > 0x7f) {
      this.#buffer[this.#length++] = (zigzag & 0x7f) | 0x80;
      zigzag >>>= 7;
    }
    this.#buffer[this.#length++] = zigzag;
  }

  /** A long to its full 64 bits. */
  bigLong(value: bigint): void {
    const near = Number(value);
    if (near <= EXACT && near >= -EXACT) {
      this.long(near);
      return;
    }
    this.#reserve(10);
    const low = Number(BigInt.asUintN(32, value)) | 0;
    const high = Number(BigInt.asIntN(32, value >> 32n));
    const sign = high >> 31;
    this.#halves(((low << 1) ^ sign) >>> 0, (((high << 1) | (low >>> 31)) ^ sign) >>> 0);
  }

  /** The long `seconds * perSecond + rest`, exact also where a double is not. */
  scaledLong(seconds: number, perSecond: number, rest: number): void {
    const value = seconds * perSecond + rest;
    if (value <= EXACT && value >= -EXACT) this.long(value);
    else if (seconds > 0 && value < 2 ** 62) this.#product(seconds, perSecond, rest);
    else this.bigLong(BigInt(seconds) * BigInt(perSecond) + BigInt(rest));
  }

  float(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeFloatLE(value, this.#length);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  /** Length and UTF-8. */
  string(value: string): void {
    const { length } = value;
    if (length <= SHORT_TEXT && this.#ascii(value, length)) return;
    if (length > LONG_TEXT) {
      const bytes = Buffer.byteLength(value);
      this.long(bytes);
      this.#reserve(bytes);
      this.#length += this.#buffer.write(value, this.#length, bytes, 'utf8');
      return;
    }
    this.#reserve(length * 3 + 10);
    const start = this.#length;
    this.long(length);
    const guessed = this.#length;
    const bytes = this.#buffer.write(value, guessed, 'utf8');
    if (bytes !== length) {
      // A longer length may need one more byte: the text moves before that byte would be written over it.
      const from = start + varintBytes(bytes);
      if (from !== guessed) this.#buffer.copyWithin(from, guessed, guessed + bytes);
      this.#length = start;
      this.long(bytes);
    }
    this.#length += bytes;
  }

  /** Length and bytes from `from` on. */
  bytes(value: Uint8Array, from = 0): void {
    this.long(value.length - from);
    this.raw(value, from, value.length);
  }

  /** Bytes as they are, without a length. */
  raw(value: Uint8Array, from: number, to: number): void {
    const count = to - from;
    this.#reserve(count);
    if (count > 64)
      this.#buffer.set(from === 0 && to === value.length ? value : value.subarray(from, to), this.#length);
    else for (let i = 0; i < count; i++) this.#buffer[this.#length + i] = value[from + i] ?? 0;
    this.#length += count;
  }

  /** What another writer holds. */
  append(other: AvroWriter): void {
    this.#reserve(other.#length);
    other.#buffer.copy(this.#buffer, this.#length, 0, other.#length);
    this.#length += other.#length;
  }

  /** Room for `count` bytes that the caller fills; gives where they begin in `buffer`. */
  room(count: number): number {
    this.#reserve(count);
    const at = this.#length;
    this.#length += count;
    return at;
  }

  /** Writes a short text that is ASCII and says so; else leaves everything as it was. */
  #ascii(value: string, length: number): boolean {
    this.#reserve(SHORT_TEXT + 1);
    const buffer = this.#buffer;
    const at = this.#length + 1;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      buffer[at + i] = code;
    }
    buffer[at - 1] = length << 1;
    this.#length = at + length;
    return true;
  }

  #wideLong(value: number): void {
    if (value > EXACT || value < -EXACT) {
      const low = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
      this.#halves(Number(low & 0xffff_ffffn), Number(low >> 32n));
      return;
    }
    const zigzag = value < 0 ? -2 * value - 1 : 2 * value;
    this.#halves(zigzag % 0x1_0000_0000, Math.floor(zigzag / 0x1_0000_0000));
  }

  /** `a * b + c` of positive numbers up to 2^43, 2^20 and 2^20, by parts that doubles hold exactly. */
  #product(a: number, b: number, c: number): void {
    this.#reserve(10);
    const upper = Math.floor(a / 0x40_0000) * b;
    const lower = (a % 0x40_0000) * b + c + (upper % 0x400) * 0x40_0000;
    const low = lower % 0x1_0000_0000;
    const high = Math.floor(upper / 0x400) + Math.floor(lower / 0x1_0000_0000);
    this.#halves((low << 1) >>> 0, high * 2 + (low >= 0x8000_0000 ? 1 : 0));
  }

  /** A varint of 64 bits in two halves. */
  #halves(low: number, high: number): void {
    while (high !== 0) {
      this.#buffer[this.#length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    while (low > 0x7f) {
      this.#buffer[this.#length++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    this.#buffer[this.#length++] = low;
  }

  #reserve(count: number): void {
    if (this.#length + count > this.#buffer.length) this.#grow(count);
  }

  #grow(count: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#length + count, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** The size of a length (below 2^30) as a zig-zag varint, in bytes. */
function varintBytes(length: number): number {
  let size = 1;
  for (let rest = length << 1; rest > 0x7f; rest >>>= 7) size += 1;
  return size;
}
