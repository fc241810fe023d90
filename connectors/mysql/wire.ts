import type { Socket } from 'node:net';
import { LockstepError } from '../../core/errors.ts';
import { untilAborted } from '../../core/signals.ts';

const maxPacket = 0xffffff;

/** A packet's payload: `bytes[start, end)`, valid until the next packet is asked for. */
export interface Packet {
  bytes: Buffer;
  start: number;
  end: number;
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
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #failure: LockstepError | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket, options: { where: string; silenceMs: number; onHeard: () => void }) {
    this.#socket = socket;
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

  /** Moves on to the next packet if it has arrived in whole. */
  next(): boolean {
    for (;;) {
      const length = this.#lengthAt(this.#at);
      if (length < 0) {
        if (!this.#more(4)) return false;
      } else if (length === maxPacket) {
        return this.#joined();
      } else if (this.#at + 4 + length > this.#bytes.length) {
        if (!this.#more(4 + length)) return false;
      } else {
        this.packet.bytes = this.#bytes;
        this.packet.start = this.#at + 4;
        this.#at += 4 + length;
        this.packet.end = this.#at;
        return true;
      }
    }
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

  /** Takes in what the socket holds; true once `needed` bytes stand from `#at` on. Pieces are put together once, then. */
  #more(needed: number): boolean {
    const rest = this.#bytes.length - this.#at;
    while (rest + this.#pieceBytes < needed) {
      const piece = this.#socket.read() as Buffer | null;
      if (piece === null) return false;
      this.#onHeard();
      this.#pieces.push(piece);
      this.#pieceBytes += piece.length;
    }
    const [only] = this.#pieces;
    const whole = rest === 0 && this.#pieces.length === 1 && only !== undefined;
    this.#bytes = whole ? only : Buffer.concat([this.#bytes.subarray(this.#at), ...this.#pieces]);
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#at = 0;
    return true;
  }

  /** A payload of 16 MB or more comes as several packets, the last one shorter. */
  #joined(): boolean {
    const parts: Buffer[] = [];
    let at = this.#at;
    for (;;) {
      const length = this.#lengthAt(at);
      const behind = at - this.#at + 4 + Math.max(0, length);
      if (length < 0 || this.#at + behind > this.#bytes.length) {
        if (!this.#more(behind)) return false;
        return this.next();
      }
      parts.push(this.#bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
      if (length < maxPacket) break;
    }
    const payload = Buffer.concat(parts);
    this.packet.bytes = payload;
    this.packet.start = 0;
    this.packet.end = payload.length;
    this.#at = at;
    return true;
  }
}
