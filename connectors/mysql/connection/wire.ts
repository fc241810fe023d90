import type { Socket } from 'node:net';
import { LockstepError } from '../../../core/errors.ts';
import { untilAborted } from '../../../core/signals.ts';

import { LargePayload } from './large-payload.ts';

const maxPacket = 0xffffff;
/** A packet of this size or more, in bytes, is put together as its pieces come. */
const largePacket = 256 * 1024;

/** A packet's payload: `bytes[start, end)`. The object is used again for the next packet, the bytes are not. */
export interface Packet {
  bytes: Buffer;
  start: number;
  end: number;
}

export interface WireOptions {
  /** After so long without a byte the connection counts as dead. */
  readonly silenceMs: number;
  readonly onHeard: () => void;
  /** What a payload that begins at `at` will come to in bytes, where payloads say so themselves; 0 where too little of it has come. */
  readonly sizeOf?: (bytes: Buffer, at: number) => number;
}

/**
 * The MySQL packet layer over a socket whose handshake is done (mysql2 did it). Packets are pulled, so backpressure is the
 * socket's own: what is not asked for is not read. Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
 */
export class Wire {
  readonly packet: Packet = { bytes: Buffer.alloc(0), start: 0, end: 0 };
  readonly #socket: Socket;
  readonly #where: string;
  readonly #silenceMs: number;
  readonly #onHeard: () => void;
  readonly #sizeOf: NonNullable<WireOptions['sizeOf']>;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** What has come behind `#bytes`. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** A payload of which not all has come yet. */
  #large: LargePayload | null = null;
  #failure: LockstepError | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket, options: WireOptions & { readonly where: string }) {
    this.#socket = socket;
    this.#sizeOf = options.sizeOf ?? (() => 0);
    this.#where = options.where;
    this.#silenceMs = options.silenceMs;
    this.#onHeard = options.onHeard;
    for (const event of ['data', 'end', 'close', 'error', 'readable', 'timeout']) socket.removeAllListeners(event);
    socket.pause();
    socket.on('readable', () => this.#wake?.());
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(null));
    socket.on('end', () => this.#fail(null));
  }

  /** Sends one command (its byte and arguments); a command is below 16 MB. */
  send(payload: Buffer): void {
    const header = Buffer.alloc(4);
    header.writeUIntLE(payload.length, 0, 3);
    this.#socket.write(Buffer.concat([header, payload]));
  }

  /** Moves on to the next packet if it has arrived in whole. A payload of 16 MB or more comes as several packets, the last one shorter. */
  next(): boolean {
    for (;;) {
      if (this.#large !== null) return this.#fill(this.#large);
      const at = this.#at;
      const length = this.#lengthAt(at);
      const end = at + 4 + Math.max(0, length);
      if (length === maxPacket || (length >= largePacket && end > this.#bytes.length)) {
        this.#at = at + 4;
        this.#large = new LargePayload();
        this.#large.expect(length, this.#sizeOf(this.#bytes, this.#at), maxPacket);
      } else if (length < 0 || end > this.#bytes.length) {
        if (!this.#more(end - at)) return false;
      } else {
        this.#at = end;
        this.#hand(this.#bytes, at + 4, end);
        return true;
      }
    }
  }

  /** Takes what has come of a payload; false while it is not all of it. */
  #fill(large: LargePayload): boolean {
    for (;;) {
      while (large.missing > 0) {
        if (this.#at === this.#bytes.length && !this.#more(1)) return false;
        this.#at += large.take(this.#bytes, this.#at);
      }
      if (!large.goesOn) break;
      const length = this.#lengthAt(this.#at);
      if (length >= 0) {
        this.#at += 4;
        large.expect(length, 0, maxPacket);
      } else if (!this.#more(4)) return false;
    }
    this.#large = null;
    this.#hand(large.bytes, 0, large.length);
    return true;
  }

  #hand(bytes: Buffer, start: number, end: number): void {
    const { packet } = this;
    packet.bytes = bytes;
    packet.start = start;
    packet.end = end;
  }

  /**
   * Waits until more bytes have arrived. Errors: SOURCE_CONNECTION_LOST, SOURCE_SILENT after `silenceMs` without a byte.
   */
  async arrived(signal: AbortSignal): Promise<void> {
    if (this.#socket.readableLength > 0) return;
    this.#failIfEnded();
    let timer: NodeJS.Timeout | undefined;
    try {
      await untilAborted(
        signal,
        new Promise<void>((resolve, reject) => {
          this.#wake = resolve;
          timer = setTimeout(() => reject(this.#silent()), this.#silenceMs);
        }),
      );
    } finally {
      clearTimeout(timer);
      this.#wake = null;
    }
    this.#failIfEnded();
  }

  #failIfEnded(): void {
    if (this.#failure !== null && this.#socket.readableLength === 0) throw this.#failure;
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #silent(): LockstepError {
    return new LockstepError(
      'SOURCE_SILENT',
      `${this.#where} sent nothing for ${this.#silenceMs / 1000} s, not even a heartbeat`,
    );
  }

  #fail(cause: Error | null): void {
    this.#failure ??= new LockstepError(
      'SOURCE_CONNECTION_LOST',
      `${this.#where} closed the connection`,
      cause === null ? {} : { cause },
    );
    this.#wake?.();
  }

  /** The payload's length in the packet header at `at`; -1 where the header has not arrived. */
  #lengthAt(at: number): number {
    const bytes = this.#bytes;
    return bytes.length - at < 4 ? -1 : (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
  }

  /** Goes on to the bytes that came next; false when they are not `needed` together with the rest of the present ones. */
  #more(needed: number): boolean {
    const rest = this.#bytes.length - this.#at;
    while (rest + this.#waitingBytes < needed) {
      const piece = this.#socket.read() as Buffer | null;
      if (piece === null) return false;
      this.#onHeard();
      this.#waiting.push(piece);
      this.#waitingBytes += piece.length;
    }
    this.#bytes = rest === 0 ? this.#shift(Number.MAX_SAFE_INTEGER) : this.#join(rest, needed);
    this.#at = 0;
    return true;
  }

  /** A packet that lies across pieces is put together, it alone. */
  #join(rest: number, needed: number): Buffer {
    const joined = Buffer.allocUnsafeSlow(needed);
    this.#bytes.copy(joined, 0, this.#at);
    for (let length = rest; length < needed;) length += this.#shift(needed - length).copy(joined, length);
    return joined;
  }

  /** Up to `most` bytes of the piece that waits longest. */
  #shift(most: number): Buffer {
    const piece = this.#waiting[0] ?? Buffer.alloc(0);
    if (piece.length > most) this.#waiting[0] = piece.subarray(most);
    else this.#waiting.shift();
    const taken = piece.subarray(0, most);
    this.#waitingBytes -= taken.length;
    return taken;
  }
}
