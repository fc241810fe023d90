/**
 * The primitive types of Kafka's protocol, big endian (https://kafka.apache.org/protocol#protocol_types). Requests are written and
 * responses read with these; each request's grammar stands above the function that speaks it.
 */

/** One request kind in the version that we speak. All are older than Kafka 3.0 and still served by 4.x. */
export interface Api {
  readonly key: number;
  readonly version: number;
  readonly name: string;
}

export class Writer {
  #buffer: Buffer;
  #length = 0;
  /** What stands before `#buffer[#start]`. */
  readonly #before: Buffer[] = [];
  #start = 0;

  constructor(size = 256) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  /** What was written, copied. */
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }

  /** What was written, piece by piece. Valid until the next write. */
  get parts(): readonly Buffer[] {
    return [...this.#before, this.#buffer.subarray(this.#start, this.#length)];
  }

  int8(value: number): this {
    const at = this.#grow(1);
    this.#buffer.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.#grow(2);
    this.#buffer.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.#grow(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  int64(value: number | bigint): this {
    const at = this.#grow(8);
    this.#buffer.writeBigInt64BE(BigInt(value), at);
    return this;
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const size = Buffer.byteLength(value);
    this.int16(size);
    const at = this.#grow(size);
    this.#buffer.write(value, at, 'utf8');
    return this;
  }

  data(value: Uint8Array): this {
    this.int32(value.length);
    const at = this.#grow(value.length);
    this.#buffer.set(value, at);
    return this;
  }

  /** The same without a copy: the bytes must stay as they are until the request is answered. */
  borrowed(value: Buffer): this {
    this.int32(value.length);
    this.#before.push(this.#buffer.subarray(this.#start, this.#length), value);
    this.#start = this.#length;
    return this;
  }

  array<T>(items: Iterable<T> & { readonly length: number }, write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  #grow(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    return at;
  }
}

/** Reads past the end throw a RangeError: a response that is too short is a bug, not data. */
export class Reader {
  readonly buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at = 0) {
    this.buffer = buffer;
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  int8(): number {
    return this.buffer.readInt8(this.#step(1));
  }

  int16(): number {
    return this.buffer.readInt16BE(this.#step(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.#step(4));
  }

  int64(): bigint {
    return this.buffer.readBigInt64BE(this.#step(8));
  }

  /** An int64 that is an offset or a time: exact up to 2^53. */
  long(): number {
    return Number(this.int64());
  }

  string(): string | null {
    const size = this.int16();
    if (size < 0) return null;
    const at = this.#step(size);
    return this.buffer.toString('utf8', at, at + size);
  }

  text(): string {
    return this.string() ?? '';
  }

  data(): Buffer | null {
    const size = this.int32();
    if (size < 0) return null;
    const at = this.#step(size);
    return this.buffer.subarray(at, at + size);
  }

  array<T>(read: () => T): T[] {
    const items: T[] = [];
    const length = this.int32();
    for (let i = 0; i < length; i++) items.push(read());
    return items;
  }

  /** An unsigned varint: lengths (plus one) and tags in the flexible versions. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.buffer.readUInt8(this.#step(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  compactString(): string {
    const size = this.uvarint() - 1;
    const at = this.#step(Math.max(0, size));
    return this.buffer.toString('utf8', at, this.#at);
  }

  #step(size: number): number {
    const at = this.#at;
    this.#at += size;
    return at;
  }
}
