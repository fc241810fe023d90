import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Connections of a writer. Row `id` goes over connection `id % LANES`. */
export const LANES = 16;

const MAIN = fileURLToPath(new URL('writer.ts', import.meta.url));

/** What a writer tells its parent. Times are of `monotonicMs`. */
export type WriterSays =
  | { readonly kind: 'started'; readonly startMs: number }
  /** When each row's commit was answered, of those that were sent. */
  | { readonly kind: 'ended'; readonly committedMs: Float64Array };

export interface Schedule {
  readonly url: string;
  readonly table: string;
  /** The id of the first row; each has the next one. */
  readonly first: number;
  /** Rows a second. */
  readonly rate: number;
  readonly seconds: number;
}

/** A writer that has started. */
export class ScheduledWriter implements AsyncDisposable {
  readonly schedule: Schedule;
  /** When the first row is due. */
  readonly startMs: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Float64Array>;

  private constructor(schedule: Schedule, startMs: number, child: ChildProcess) {
    this.schedule = schedule;
    this.startMs = startMs;
    this.#child = child;
    this.#ended = messageOf(child, 'ended').then(({ committedMs }) => committedMs);
    this.#ended.catch(() => undefined);
  }

  static async start(schedule: Schedule): Promise<ScheduledWriter> {
    const args = Object.entries(schedule).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = fork(MAIN, args, { serialization: 'advanced' });
    const { startMs } = await messageOf(child, 'started');
    return new ScheduledWriter(schedule, startMs, child);
  }

  /** When the row is due. */
  dueMs(id: number): number {
    return this.startMs + ((id - this.schedule.first) * 1000) / this.schedule.rate;
  }

  /** The newest row that is due by then. */
  dueBy(ms: number): number {
    return this.schedule.first + Math.floor(((ms - this.startMs) * this.schedule.rate) / 1000);
  }

  /** Resolves once all rows are committed: when each was. Throws when the writer fails. */
  async ended(): Promise<Float64Array> {
    return await this.#ended;
  }

  /** Lets it end before its time. */
  stop(): void {
    if (this.#child.connected) this.#child.send('stop');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

type Said<K extends WriterSays['kind']> = Extract<WriterSays, { kind: K }>;

async function messageOf<K extends WriterSays['kind']>(child: ChildProcess, kind: K): Promise<Said<K>> {
  return await new Promise((resolve, reject) => {
    // Comes behind all messages, which `exit` need not.
    child.once('disconnect', () => reject(new Error('the writer has ended by itself')));
    child.on('message', (message) => {
      if (isSaid(message, kind)) resolve(message);
    });
  });
}

function isSaid<K extends WriterSays['kind']>(message: unknown, kind: K): message is Said<K> {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === kind;
}
