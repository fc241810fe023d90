import { setTimeout as sleep } from 'node:timers/promises';
import { Writers } from './mysql-writers.ts';

/** Sessions that write through an address, and connect anew for as long as it takes when what it leads to goes away. */
export class Application implements AsyncDisposable {
  #writers: Writers | null = null;
  #stopped = false;
  readonly #working: Promise<void>;

  constructor(options: { readonly url: string; readonly database: string; readonly seed: number }) {
    this.#working = this.#work(options);
    this.#working.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#writers?.stop().catch(passIfGone);
    await this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #work(options: { readonly url: string; readonly database: string; readonly seed: number }): Promise<void> {
    for (let turn = 0; !this.#stopped; turn += 1) {
      this.#writers = new Writers({ ...options, seed: options.seed + 1000 * turn });
      await this.#writers.ended().catch(passIfGone);
      await this.#writers.stop().catch(passIfGone);
      if (!this.#stopped) await sleep(100);
    }
  }
}

/** The connection broke, could not be made, or the server is stopping or may not be written to yet. */
const gone = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'PROTOCOL_CONNECTION_LOST', 'ER_SERVER_SHUTDOWN']);

function passIfGone(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const closed = error instanceof Error && /closed state|Connection lost/.test(error.message);
  if (!gone.has(code) && !closed) throw error;
}
