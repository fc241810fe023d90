import type { LogEvent } from './event.ts';
import { headerBytes, readHeader } from './event.ts';
import { MalformedEvent } from './malformed.ts';

/** Bytes that come piece by piece: from memory, from a file, out of a decompressor. */
export interface ByteSource {
  /** The next piece, null where none is there yet. Errors: MalformedEvent where no more can come. */
  read(): Buffer | null;
  /** Waits until `read` has something, or fails. */
  arrived(signal: AbortSignal): Promise<void>;
  close(): void;
}

/**
 * Events that stand one behind the other, without checksums, in bytes that come piece by piece: those of a compressed transaction,
 * or those that were kept of a prepared one. Holds one piece and one event.
 */
export class InnerEvents {
  readonly #source: ByteSource;
  /** Of the events, in bytes, not read yet. */
  #left: number;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(source: ByteSource, size: number) {
    this.#source = source;
    this.#left = size;
  }

  get ended(): boolean {
    return this.#left === 0;
  }

  /** Reads the next event if it is there. Errors: MalformedEvent. */
  next(event: LogEvent): boolean {
    if (this.#left === 0 || !this.#have(headerBytes)) return false;
    const size = this.#bytes.readUInt32LE(this.#at + 9);
    if (size < headerBytes || size > this.#left)
      throw new MalformedEvent(`an inner event of ${size} bytes in ${this.#left}`);
    if (!this.#have(size)) return false;
    readHeader(event, this.#bytes, this.#at, this.#at + size);
    this.#at += size;
    this.#left -= size;
    if (this.#left === 0) this.close();
    return true;
  }

  arrived(signal: AbortSignal): Promise<void> {
    return this.#source.arrived(signal);
  }

  close(): void {
    this.#source.close();
  }

  /** True once `size` bytes stand at the reading place. */
  #have(size: number): boolean {
    let rest = this.#bytes.length - this.#at;
    if (rest >= size) return true;
    if (size > this.#left) throw new MalformedEvent(`inner events that end ${size - this.#left} bytes too early`);
    const pieces = [this.#bytes.subarray(this.#at)];
    while (rest < size) {
      const piece = this.#source.read();
      if (piece === null) break;
      pieces.push(piece);
      rest += piece.length;
    }
    if (pieces.length > 1) this.#bytes = Buffer.concat(pieces);
    else this.#bytes = this.#bytes.subarray(this.#at);
    this.#at = 0;
    return rest >= size;
  }
}
