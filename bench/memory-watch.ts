import type { Server } from '../dev/servers/index.ts';
import { memoryOfTree } from '../dev/usage.ts';

const LOOK_EVERY_MS = 1000;

/**
 * Looks at the servers' memory now and then until it is disposed of. The kernel's own peak would be of all that a server ever did, and for one of
 * many processes would count what they share many times.
 */
export class MemoryWatch implements Disposable {
  /** Bytes by kind of server, each with all its processes. */
  readonly peaks = new Map<string, number>();
  readonly #servers: readonly Server[];
  readonly #timer: NodeJS.Timeout;

  constructor(servers: readonly Server[]) {
    this.#servers = servers;
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
    void this.#look();
  }

  async #look(): Promise<void> {
    for (const { kind, pid } of this.#servers) {
      if (pid === null) continue;
      this.peaks.set(kind, Math.max(this.peaks.get(kind) ?? 0, await memoryOfTree(pid)));
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
