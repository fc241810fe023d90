import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseReport, type WriterReport } from './writer-report.ts';

const MAIN = fileURLToPath(new URL('writer.ts', import.meta.url));
const RATE_OVER_MS = 2000;

/** The writer, in a process of its own so that it and what is measured do not share an event loop. */
export class Writer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  #reports: { readonly atMs: number; readonly report: WriterReport }[] = [];
  #failed = false;
  #stopping = false;

  constructor(url: string, rate: number, seed: number) {
    this.#child = fork(MAIN, ['--url', url, '--rate', String(rate), '--seed', String(seed)]);
    this.#ended = once(this.#child, 'exit');
    this.#child.on('message', (message) => this.#take(parseReport(message)));
    this.#child.on('exit', () => (this.#failed = !this.#stopping));
  }

  get report(): WriterReport & { readonly perSecond: number } {
    const [first, last] = [this.#reports[0], this.#reports.at(-1)];
    if (first === undefined || last === undefined) return { transactions: 0, retried: 0, rolledBack: 0, perSecond: 0 };
    const seconds = Math.max(1, last.atMs - first.atMs) / 1000;
    return { ...last.report, perSecond: (last.report.transactions - first.report.transactions) / seconds };
  }

  get stopped(): boolean {
    return this.#stopping;
  }

  /** Throws when it has ended by itself; what it said is on stderr. */
  check(): void {
    if (this.#failed) throw new Error('the writer has ended by itself');
  }

  /** Resolves when its last transaction is committed and it has ended. */
  async stop(): Promise<WriterReport> {
    this.#stopping = true;
    if (this.#child.connected) this.#child.send('stop');
    await this.#ended;
    return this.report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #take(report: WriterReport | null): void {
    if (report === null) return;
    const atMs = performance.now();
    this.#reports = this.#reports.filter((earlier) => atMs - earlier.atMs < RATE_OVER_MS);
    this.#reports.push({ atMs, report });
  }
}
