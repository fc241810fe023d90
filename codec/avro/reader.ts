import { LockstepError } from '../../core/errors.ts';

/**
 * Reads Avro's binary encoding (https://avro.apache.org/docs/1.12.0/specification/#binary-encoding) from one message after another.
 * Every method throws KAFKA_MESSAGE where the bytes end too early or cannot be of the schema.
 */
export class AvroReader {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  /** What `splitLong` found: the whole seconds (rounded down) and the rest in units. */
  seconds = 0;
  rest = 0;

  open(message: Buffer, start: number): void {
    this.#buffer = message;
    this.#at = start;
  }

  /** Whether all bytes have been read. */
  get ended(): boolean {
    return this.#at === this.#buffer.length;
  }

  byte(): number {
    const value = this.#buffer[this.#at++];
    if (value === undefined) throw tooShort();
    return value;
  }

  /** An int or long that is exact as a number (up to 2^53). */
  long(): number {
    const first = this.byte();
    if (first < 0x80) return (first >>> 1) ^ -(first & 1);
    let low = first & 0x7f;
    let value = first;
    let shift = 7;
    for (; value > 0x7f && shift < 28; shift += 7) {
      value = this.byte();
      low |= (value & 0x7f) << shift;
    }
    if (value < 0x80) return (low >>> 1) ^ -(low & 1);
    let high = 0;
    let unit = 1;
    for (; value > 0x7f; shift += 7) {
      if (shift >= 70) throw new LockstepError('KAFKA_MESSAGE', 'a message has a number of more than 64 bits');
      value = this.byte();
      high += (value & 0x7f) * unit;
      unit *= 128;
    }
    // `high` holds bits 28 and up of the zig-zag form: exact while it has at most 53 bits.
    const half = high * 0x800_0000 + (low >>> 1);
    return (low & 1) === 1 ? -half - 1 : half;
  }

  /** A long to its full 64 bits. */
  bigLong(): bigint {
    const from = this.#at;
    const near = this.long();
    if (near <= 0x1f_ffff_ffff_ffff && near >= -0x1f_ffff_ffff_ffff) return BigInt(near);
    this.#at = from;
    let zigzag = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const value = this.byte();
      zigzag |= BigInt(value & 0x7f) << shift;
      if (value < 0x80) break;
    }
    return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n));
  }

  /** A long that counts `perSecond` units to the second, into `seconds` and `rest`. */
  splitLong(perSecond: number): void {
    const from = this.#at;
    const near = this.long();
    if (near <= 0x1f_ffff_ffff_ffff && near >= -0x1f_ffff_ffff_ffff) {
      this.seconds = Math.floor(near / perSecond);
      this.rest = near - this.seconds * perSecond;
      return;
    }
    this.#at = from;
    const exact = this.bigLong();
    const unit = BigInt(perSecond);
    const rest = ((exact % unit) + unit) % unit;
    this.rest = Number(rest);
    this.seconds = Number((exact - rest) / unit);
  }

  boolean(): boolean {
    return this.byte() !== 0;
  }

  float(): number {
    const at = this.#take(4);
    return this.#buffer.readFloatLE(at);
  }

  double(): number {
    const at = this.#take(8);
    return this.#buffer.readDoubleLE(at);
  }

  string(): string {
    const length = this.size();
    const at = this.#take(length);
    return length === 0 ? '' : this.#buffer.toString('utf8', at, at + length);
  }

  /** A string that mostly is the same as the last time: then no new one is made. */
  stringAgain(last: LastText): string {
    const length = this.size();
    const at = this.#take(length);
    const { bytes } = last;
    if (bytes.length !== length || bytes.compare(this.#buffer, at, at + length) !== 0) {
      last.bytes = Buffer.from(this.#buffer.subarray(at, at + length));
      last.text = last.bytes.toString();
    }
    return last.text;
  }

  /** A copy, so that a row does not keep the whole message in memory. */
  bytes(): Uint8Array {
    return this.fixed(this.size());
  }

  /** A copy of the next bytes behind `before` bytes of room. */
  fixed(length: number, before = 0): Uint8Array {
    const from = this.#take(length);
    const copy = new Uint8Array(before + length);
    this.#buffer.copy(copy, before, from, from + length);
    return copy;
  }

  /** A length or a count. */
  size(): number {
    const length = this.long();
    if (length < 0) throw new LockstepError('KAFKA_MESSAGE', 'a message has a negative length');
    return length;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** The next bytes as a two's complement, big endian: a number where it has up to 6 bytes. */
  integer(length: number): number | bigint {
    const at = this.#take(length);
    if (length === 0) return 0;
    if (length <= 6) return this.#buffer.readIntBE(at, length);
    return BigInt.asIntN(length * 8, BigInt(`0x${this.#buffer.toString('hex', at, at + length)}`));
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#buffer.length - at) throw tooShort();
    this.#at = at + length;
    return at;
  }
}

/** What `stringAgain` compares with; a new one has empty bytes and text. */
export interface LastText {
  bytes: Buffer;
  text: string;
}

function tooShort(): LockstepError {
  return new LockstepError('KAFKA_MESSAGE', 'a message ends before its schema does', {
    fix: 'the message was not written with the schema whose id it carries; find its producer',
  });
}
