import type { Duplex } from 'node:stream';
import type { Connection, Submittable } from 'pg';

/** A COPY from STDIN with what it reads, in pieces that are made when there is room for them on their way. */
export interface Copy {
  readonly statement: string;
  readonly pieces: Iterable<Buffer>;
}

const COPY_DATA = 0x64;
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);
const COPY_FAIL = Buffer.from([0x66, 0, 0, 0, 5, 0]);

/**
 * Statements that travel as one message, and right behind it what their COPYs read, in order. Nobody waits for an answer in between: the server works on
 * the first while the rows of the later ones are still made. A server that refuses one of them leaves all further ones out, and passes over what it was
 * sent for them. Source: https://www.postgresql.org/docs/current/protocol-flow.html, COPY Operations.
 */
export class Flight implements Submittable {
  readonly #text: string;
  readonly #messages: Generator<readonly Buffer[]>;
  readonly #landed = Promise.withResolvers<void>();
  #socket: Duplex | null = null;
  /** What kept rows from being made. */
  #failed: { readonly error: unknown } | null = null;

  constructor(steps: readonly (string | Copy)[]) {
    this.#text = steps.map((step) => (typeof step === 'string' ? step : step.statement)).join(';\n');
    this.#messages = messages(steps);
  }

  /** Errors: the server's, the connection's, and what is thrown where pieces are made. */
  get landed(): Promise<void> {
    return this.#landed.promise;
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
    this.#socket = connection.stream;
    this.#send();
  }

  /** Sends until the connection takes no more for now. */
  readonly #send = (): void => {
    for (let next = this.#next(); next.done !== true; next = this.#next()) {
      if (this.#write(next.value)) continue;
      this.#socket?.once('drain', this.#send);
      return;
    }
  };

  #write(parts: readonly Buffer[]): boolean {
    const socket = this.#socket;
    let hasRoom = true;
    socket?.cork();
    for (const part of parts) hasRoom = socket?.write(part) ?? true;
    socket?.uncork();
    return hasRoom;
  }

  #next(): IteratorResult<readonly Buffer[]> {
    try {
      return this.#messages.next();
    } catch (error) {
      this.#failed = { error };
      return { value: [COPY_FAIL], done: false };
    }
  }

  handleReadyForQuery(): void {
    this.#end();
    this.#landed.resolve();
  }

  handleError(error: unknown): void {
    this.#end();
    this.#landed.reject(this.#failed === null ? error : this.#failed.error);
  }

  #end(): void {
    this.#socket?.off('drain', this.#send);
    this.#socket = null;
    this.#messages.return(undefined);
  }

  // Nothing of these is waited for.
  handleCopyInResponse(): void {}
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
}

function* messages(steps: readonly (string | Copy)[]): Generator<readonly Buffer[]> {
  for (const step of steps) {
    if (typeof step === 'string') continue;
    for (const piece of step.pieces) yield [headOf(piece), piece];
    yield [COPY_DONE];
  }
}

function headOf(piece: Buffer): Buffer {
  const head = Buffer.allocUnsafe(5);
  head[0] = COPY_DATA;
  head.writeUInt32BE(piece.length + 4, 1);
  return head;
}
