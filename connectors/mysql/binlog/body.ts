import { MalformedEvent } from './malformed.ts';

/**
 * A reading place in an event's body that never leaves it: each length is checked against the event's end before anything is read
 * or allocated. For all but rows, whose decoders have their own ways. Errors: MalformedEvent.
 */
export class Body {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    return this.bytes[this.#pass(1)] ?? 0;
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.#pass(2));
  }

  u24(): number {
    return this.bytes.readUIntLE(this.#pass(3), 3);
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.#pass(4));
  }

  u48(): number {
    return this.bytes.readUIntLE(this.#pass(6), 6);
  }

  /** Errors also where the number is above 2^53, which no length, count or sequence of a log is. */
  u64(): number {
    return exact(this.bytes.readBigUInt64LE(this.#pass(8)));
  }

  /** A length-encoded integer of the client protocol. */
  lenenc(): number {
    const first = this.u8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.u16();
    if (first === 0xfd) return this.u24();
    if (first === 0xfe) return this.u64();
    throw new MalformedEvent(`a length that begins with ${first}`);
  }

  text(length: number): string {
    const at = this.#pass(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  rest(): string {
    return this.text(this.left);
  }

  /** A view, valid as long as the packet. */
  view(length: number): Buffer {
    const at = this.#pass(length);
    return this.bytes.subarray(at, at + length);
  }

  /** The next bytes as a body of their own. */
  part(length: number): Body {
    const at = this.#pass(length);
    return new Body(this.bytes, at, at + length);
  }

  skip(length: number): void {
    this.#pass(length);
  }

  #pass(length: number): number {
    const { at } = this;
    if (length > this.end - at)
      throw new MalformedEvent(`an event that ends ${length - (this.end - at)} bytes too early`);
    this.at = at + length;
    return at;
  }
}

export function exact(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedEvent('a number beyond 2^53');
  return Number(value);
}
