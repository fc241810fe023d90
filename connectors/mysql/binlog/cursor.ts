/** A reading place in a packet. Integers are little endian, as the binlog writes nearly all of them. */
export class Cursor {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;

  set(bytes: Buffer, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  u8(): number {
    return this.bytes[this.at++] ?? 0;
  }

  u16(): number {
    const at = this.at;
    this.at = at + 2;
    return (this.bytes[at] ?? 0) | ((this.bytes[at + 1] ?? 0) << 8);
  }

  u24(): number {
    const at = this.at;
    this.at = at + 3;
    return (this.bytes[at] ?? 0) | ((this.bytes[at + 1] ?? 0) << 8) | ((this.bytes[at + 2] ?? 0) << 16);
  }

  i32(): number {
    const at = this.at;
    this.at = at + 4;
    return (
      (this.bytes[at] ?? 0) |
      ((this.bytes[at + 1] ?? 0) << 8) |
      ((this.bytes[at + 2] ?? 0) << 16) |
      ((this.bytes[at + 3] ?? 0) << 24)
    );
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  /** Exact up to 2^53. */
  u64(): number {
    const low = this.u32();
    return low + this.u32() * 0x1_0000_0000;
  }

  /** A length-encoded integer of the client protocol. */
  lenenc(): number {
    const first = this.u8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.u16();
    if (first === 0xfd) return this.u24();
    return this.u64();
  }

  text(length: number): string {
    const at = this.at;
    this.at = at + length;
    return this.bytes.toString('utf8', at, at + length);
  }

  skip(length: number): void {
    this.at += length;
  }
}
