import { createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { untilAborted } from '../../../core/signals.ts';
import type { Body } from './body.ts';
import { InnerEvents, type ByteSource } from './inner-events.ts';
import { MalformedEvent } from './malformed.ts';
import { unsupported } from './refusals.ts';

/** Fields of a TRANSACTION_PAYLOAD_EVENT. Source: libs/mysql/binlog/event/codecs/binary.cpp, Transaction_payload */
const field = { end: 0, size: 1, algorithm: 2, uncompressed: 3 } as const;
const algorithms = { zstd: 0, none: 255 } as const;

/** Up to here a transaction is decompressed at once, which spares small ones the way through the thread pool. */
const atOnceBytes = 1024 * 1024;
const pieceBytes = 256 * 1024;

/**
 * The events in a compressed transaction. In memory are: the compressed bytes, which are one packet (at most the server's
 * max_allowed_packet; a larger transaction is not compressed), zstd's window (2 MB at the server's default level, at most 128 MB), and some pieces of 256 KB.
 * `body` must stay as it is until the events are read. Errors: MalformedEvent.
 */
export function openPayload(body: Body): InnerEvents {
  const { algorithm, uncompressed, payload } = readFields(body);
  if (algorithm === algorithms.none) return new InnerEvents(oneBuffer(payload), payload.length);
  if (algorithm !== algorithms.zstd) throw unsupported(`a transaction compressed by algorithm ${algorithm}`);
  if (uncompressed > atOnceBytes) return new InnerEvents(new Decompressor(payload), uncompressed);
  return new InnerEvents(oneBuffer(decompressed(payload, uncompressed)), uncompressed);
}

function readFields(body: Body): { algorithm: number; uncompressed: number; payload: Buffer } {
  let algorithm = -1;
  let uncompressed = -1;
  let size = -1;
  for (let type = body.lenenc(); type !== field.end; type = body.lenenc()) {
    const value = body.part(body.lenenc());
    if (type === field.size) size = value.lenenc();
    else if (type === field.algorithm) algorithm = value.lenenc();
    else if (type === field.uncompressed) uncompressed = value.lenenc();
  }
  if (algorithm < 0 || size !== body.left)
    throw new MalformedEvent('a compressed transaction that is not as long as it says');
  if (uncompressed < 0 && algorithm === algorithms.zstd)
    throw new MalformedEvent('a compressed transaction without its size');
  return { algorithm, uncompressed, payload: body.view(size) };
}

function decompressed(payload: Buffer, size: number): Buffer {
  if (size === 0) throw new MalformedEvent('a compressed transaction of nothing');
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(payload, { maxOutputLength: size });
  } catch (error) {
    throw broken(error);
  }
  if (bytes.length !== size) throw new MalformedEvent('a compressed transaction that is shorter than it says');
  return bytes;
}

function oneBuffer(bytes: Buffer): ByteSource {
  let next: Buffer | null = bytes;
  return {
    read() {
      const piece = next;
      if (piece === null) throw new MalformedEvent('inner events that end too early');
      next = null;
      return piece;
    },
    arrived: () => Promise.resolve(),
    close: () => undefined,
  };
}

/** A stream that runs only as far ahead as its buffer is large; `read` takes what it has. */
class Decompressor implements ByteSource {
  readonly #stream = createZstdDecompress({ chunkSize: pieceBytes });
  #failure: Error | null = null;
  #ended = false;
  #wake: (() => void) | null = null;

  constructor(payload: Buffer) {
    this.#stream.on('readable', () => this.#wake?.());
    this.#stream.on('end', () => this.#end(null));
    this.#stream.on('error', (error) => this.#end(error));
    this.#stream.end(payload);
  }

  read(): Buffer | null {
    const piece = this.#stream.read() as Buffer | null;
    if (piece !== null) return piece;
    if (this.#failure !== null) throw broken(this.#failure);
    if (this.#ended) throw new MalformedEvent('a compressed transaction that is shorter than it says');
    return null;
  }

  async arrived(signal: AbortSignal): Promise<void> {
    if (this.#stream.readableLength > 0 || this.#failure !== null || this.#ended) return;
    try {
      await untilAborted(signal, new Promise<void>((resolve) => (this.#wake = resolve)));
    } finally {
      this.#wake = null;
    }
  }

  close(): void {
    this.#stream.destroy();
  }

  #end(failure: Error | null): void {
    this.#failure = failure;
    this.#ended = true;
    this.#wake?.();
  }
}

function broken(error: unknown): MalformedEvent {
  return new MalformedEvent('a compressed transaction that is broken', { cause: error });
}
