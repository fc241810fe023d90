import type { Checkpoints } from '../../core/contracts.ts';
import { parseRequest, requestEntries, type TableRequest } from '../../core/request.ts';
import { sleep } from '../../core/signals.ts';

/** A request and the entry that holds it. */
export interface Asked {
  readonly name: string;
  readonly request: TableRequest;
}

const lookEveryMs = 500;

/** What people ask of tables while the stream runs: looked for twice a second in the target, where a request waits until it is done. */
export class Requests {
  readonly #checkpoints: Checkpoints;
  readonly #onNews: () => void;
  #waiting: readonly Asked[];
  /** Done, and maybe not yet gone from the target. */
  readonly #done = new Set<string>();
  #failure: { readonly error: unknown } | null = null;

  constructor(checkpoints: Checkpoints, entries: ReadonlyMap<string, string>, onNews: () => void) {
    this.#checkpoints = checkpoints;
    this.#onNews = onNews;
    this.#waiting = asked(entries);
  }

  /** Those that wait, the oldest first. Throws what kept them from being looked for. */
  get waiting(): readonly Asked[] {
    if (this.#failure !== null) throw this.#failure.error;
    return this.#waiting;
  }

  /** It is done, and its entry goes with the stream's next batch. */
  done({ name }: Asked): void {
    this.#done.add(name);
    this.#waiting = this.#waiting.filter((other) => other.name !== name);
  }

  /** Looks until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await sleep(lookEveryMs, signal);
        const found = asked(await this.#checkpoints.load(requestEntries, signal));
        const names = new Set(found.map(({ name }) => name));
        for (const name of this.#done) if (!names.has(name)) this.#done.delete(name);
        this.#waiting = found.filter(({ name }) => !this.#done.has(name));
        if (this.#waiting.length > 0) this.#onNews();
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = { error };
      this.#onNews();
    }
  }
}

function asked(entries: ReadonlyMap<string, string>): Asked[] {
  return [...entries]
    .filter(([name]) => name.startsWith(requestEntries))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, token]) => ({ name, request: parseRequest(token) }));
}
