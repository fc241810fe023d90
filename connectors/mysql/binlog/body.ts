import { MalformedEvent } from './malformed.ts';

/**
 * A reading place in an event's body that never leaves it: each length is checked against the event's end before anything is read
 * or allocated. For all but rows, whose decoders have their own ways. Errors: MalformedEvent.
 */
export class Body {
  bytes: Buffer;
  at: number;
  end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Reads another event from now on. */
  open({ bytes, body, end }: { bytes: Buffer; body: number; end: number }): this {
    this.bytes = bytes;
    this.at = body;
    this.end = end;
    return this;
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
    const at = this.#pass(3);
    return this.bytes.readUInt16LE(at) | ((this.bytes[at + 2] ?? 0) << 16);
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.#pass(4));
  }

  u48(): number {
    const at = this.#pass(6);
    return this.bytes.readUInt32LE(at) + this.bytes.readUInt16LE(at + 4) * 0x1_0000_0000;
  }

  /** Errors also where the number is above 2^53, which no length, count or sequence of a log is. */
  u64(): number {
    const at = this.#pass(8);
    const high = this.bytes.readUInt32LE(at + 4);
    if (high > 0x1f_ffff) throw new MalformedEvent('a number beyond 2^53');
    return this.bytes.readUInt32LE(at) + high * 0x1_0000_0000;
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
