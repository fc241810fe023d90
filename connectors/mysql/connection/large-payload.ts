/** Beside a first packet that others follow: most payloads are little more than one value. */
const slackBytes = 1024 * 1024;
/** No payload is larger, whatever it says of itself: `max_allowed_packet` ends there. */
const mostBytes = 1024 * 1024 * 1024;

/** A payload that is put together as its pieces come: it alone is in memory then, and not the pieces beside it (G6). */
export class LargePayload {
  bytes: Buffer = Buffer.alloc(0);
  length = 0;
  /** Of its present packet. */
  missing = 0;
  /** Whether there is another packet behind the present one. */
  goesOn = false;

  /** Begins its next packet. `size` is what the payload will come to, as far as is known; 0 where it is not. */
  expect(packetBytes: number, size: number, maxPacket: number): void {
    this.missing = packetBytes;
    this.goesOn = packetBytes === maxPacket;
    const needed = this.length + packetBytes;
    if (needed <= this.bytes.length) return;
    const room = this.goesOn ? Math.max(needed + slackBytes, 2 * this.bytes.length) : needed;
    const larger = Buffer.allocUnsafeSlow(size >= needed && size <= mostBytes ? size : room);
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  /** Takes what is missing from `bytes[at, …)`, or as much of it as there is; gives how much. */
  take(bytes: Buffer, at: number): number {
    const count = Math.min(this.missing, bytes.length - at);
    bytes.copy(this.bytes, this.length, at, at + count);
    this.length += count;
    this.missing -= count;
    return count;
  }
}
