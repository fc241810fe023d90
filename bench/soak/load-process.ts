import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('load.ts', import.meta.url));

/** The steady load, in a process of its own. */
export class Load implements AsyncDisposable {
  /** Changes committed, as it said last. */
  committed = 0;
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;
  #stopping = false;

  constructor(url: string, rate: number) {
    this.#child = fork(MAIN, ['--url', url, '--rate', String(rate)]);
    this.#exit = once(this.#child, 'exit');
    this.#child.on('message', (said) => (this.committed = Number(said)));
  }

  /** Throws when it has ended by itself; what it said is on stderr. */
  check(): void {
    const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
    if (ended && !this.#stopping) throw new Error('the load has ended by itself');
  }

  /** Resolves once its last change is committed and it has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#child.connected) this.#child.send('stop');
    await this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
