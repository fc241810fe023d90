import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockstepError } from '../../../core/errors.ts';
import type { LogEvent } from './event.ts';
import { InnerEvents, type ByteSource } from './inner-events.ts';
import { MalformedEvent } from './malformed.ts';

const pieceBytes = 256 * 1024;

/** Bytes that all spools together may still hold in memory. */
export interface Budget {
  left: number;
}

/**
 * Events kept as they came, to be read again later: in memory as long as the budget has room, from then on in a file. The file has no name, so
 * nobody else can open it and it is gone with the process, however that ends.
 */
export class Spool {
  readonly #budget: Budget;
  #pieces: Buffer[] = [];
  #inMemory = 0;
  #size = 0;
  #file: number | null = null;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Errors: SOURCE_EVENT_UNSUPPORTED where the file cannot be written. */
  append(event: LogEvent): void {
    const bytes = Buffer.from(event.bytes.subarray(event.start, event.end));
    // The checksum was left out, so the header must not count it.
    bytes.writeUInt32LE(bytes.length, 9);
    this.#size += bytes.length;
    this.#pieces.push(bytes);
    this.#inMemory += bytes.length;
    this.#budget.left -= bytes.length;
    if (this.#budget.left < 0 && this.#inMemory >= pieceBytes) this.#flush();
  }

  /** The events from the first on. The spool is closed with them. */
  read(): InnerEvents {
    if (this.#file !== null) this.#flush();
    return new InnerEvents(this.#source(), this.#size);
  }

  close(): void {
    this.#release();
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  /** Everything of this spool goes to its file. */
  #flush(): void {
    try {
      this.#file ??= openNameless();
      for (const piece of this.#pieces) writeAll(this.#file, piece);
    } catch (error) {
      throw new LockstepError(
        'SOURCE_EVENT_UNSUPPORTED',
        `a prepared XA transaction is too large for memory and cannot be kept in ${tmpdir()}`,
        {
          fix: 'make room there, or set TMPDIR to a directory that has some',
          cause: error,
        },
      );
    }
    this.#release();
  }

  #release(): void {
    this.#budget.left += this.#inMemory;
    this.#inMemory = 0;
    this.#pieces = [];
  }

  #source(): ByteSource {
    const pieces = this.#pieces[Symbol.iterator]();
    let offset = 0;
    return {
      read: () => {
        const { value, done } = pieces.next();
        if (done !== true) return value;
        const piece = Buffer.allocUnsafe(pieceBytes);
        const length = this.#file === null ? 0 : readSync(this.#file, piece, 0, pieceBytes, offset);
        if (length === 0) throw new MalformedEvent('kept events that end too early');
        offset += length;
        return piece.subarray(0, length);
      },
      arrived: () => Promise.resolve(),
      close: () => this.close(),
    };
  }
}

function openNameless(): number {
  const path = join(tmpdir(), `lockstep-${randomUUID()}`);
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return file;
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}
