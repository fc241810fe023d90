import type { Checkpoint, Source, Target } from './contracts.ts';
import { LockstepError } from './errors.ts';
import type { IndexProgress, Progress } from './progress.ts';
import { indexEntries, type IndexedTable, type LostIndex } from './secondary-index.ts';
import { sleep, Turns } from './signals.ts';
import type { Transforms } from './transform.ts';

/** Indexes of so many tables are made side by side. */
const TABLES_AT_ONCE = 2;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 300_000;
/** How often it is tried again once all lanes have ended: for longer than a server takes to notice that its client was killed. */
const LAST_TRIES = 10;

export interface IndexingParts {
  readonly source: Source;
  readonly target: Target;
  readonly transforms: Transforms;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Told of an error that is not of the making of indexes alone. */
  readonly fail: (error: unknown) => void;
}

/**
 * Makes the indexes of tables whose copy has become consistent, or that a statement has defined anew, beside the lanes. Which tables wait is kept in the
 * target, by the checkpoint that brought them there; an entry goes once the table's indexes are made. Where that fails for now it is tried again, and the
 * lanes go on.
 */
export class Indexing {
  readonly #parts: IndexingParts;
  /** The entries of a lane move one after the other. */
  readonly #turns = new Turns();
  readonly #ending = new AbortController();
  #asked = new AbortController();
  #working: Promise<void> | null = null;

  constructor(parts: IndexingParts) {
    this.#parts = parts;
  }

  /** Looks for tables that wait. */
  ask(): void {
    const { source, target, fail } = this.#parts;
    if (source.indexes === undefined || target.createIndexes === undefined) return;
    this.#asked.abort();
    this.#working ??= this.#work().catch(fail);
  }

  /** Looks where a checkpoint that is durable now tells of such tables. */
  applied(checkpoint: Checkpoint): void {
    for (const name of checkpoint.set.keys()) if (name.startsWith(indexEntries)) return this.ask();
  }

  /** Resolves once all that was asked for is made, or will not be in this run. Nothing is asked for any more. */
  async settled(): Promise<void> {
    this.#ending.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    const { signal } = this.#parts;
    let lastTries = 0;
    let waitMs = FIRST_WAIT_MS;
    for (;;) {
      this.#asked = new AbortController();
      const left = await this.#round();
      if (this.#asked.signal.aborted) continue;
      if (left.length === 0) break;
      if (this.#ending.signal.aborted) lastTries += 1;
      if (lastTries > LAST_TRIES) {
        for (const seen of left) giveUp(seen);
        break;
      }
      const interrupting = lastTries > 0 ? [this.#asked.signal] : [this.#asked.signal, this.#ending.signal];
      await sleep(lastTries > 0 ? FIRST_WAIT_MS : waitMs, AbortSignal.any([signal, ...interrupting])).catch(() => {
        signal.throwIfAborted();
      });
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    }
    this.#working = null;
  }

  /** Goes through all tables that wait, and gives those that still do. */
  async #round(): Promise<readonly IndexProgress[]> {
    const { source, target, signal } = this.#parts;
    const entries = await target.load(indexEntries, signal);
    if (entries.size === 0) return [];
    const byOrigin = Map.groupBy(entries.keys(), (name) => entries.get(name) ?? '');
    const origins = [...byOrigin.keys()];
    const left: IndexProgress[] = [];
    const unread = this.#begun(origins[0] ?? '');
    const found = await this.#attempt(unread, async () => await source.indexes?.(origins, signal));
    if (found === null) return [unread];
    const waiting = [...byOrigin];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [origin, names] = next;
        const seen = this.#begun(origin);
        const done = await this.#attempt(seen, async () => await this.#make(origin, found?.get(origin), seen));
        if (done === null) left.push(seen);
        else await this.#drop(names);
      }
    };
    await Promise.all(Array.from({ length: TABLES_AT_ONCE }, work));
    return left;
  }

  #begun(origin: string): IndexProgress {
    const seen = { made: 0, wanted: 0, lost: [], waits: null };
    this.#parts.progress.table(origin).indexes = seen;
    return seen;
  }

  /** Null where it is to be tried again; `seen` says why. */
  async #attempt<T>(seen: IndexProgress, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      this.#parts.signal.throwIfAborted();
      if (!(error instanceof LockstepError) || error.verdict === 'bug') throw error;
      seen.waits = error.message;
      return null;
    }
  }

  /** `found` is undefined for a table that is not followed any more. */
  async #make(origin: string, found: IndexedTable | undefined, seen: IndexProgress): Promise<true> {
    const { target, transforms, progress, signal } = this.#parts;
    const carried = found === undefined ? null : transforms.indexes(found);
    if (carried === null || carried.indexes.length + carried.lost.length === 0) {
      progress.table(origin).indexes = null;
      return true;
    }
    const { lost, ...wanted } = carried;
    seen.wanted = wanted.indexes.length;
    const onMade = (): void => {
      seen.made += 1;
    };
    finish(seen, [...lost, ...((await target.createIndexes?.(wanted, onMade, signal)) ?? [])]);
    return true;
  }

  async #drop(entries: readonly string[]): Promise<void> {
    const { target, signal } = this.#parts;
    const checkpoint = { set: new Map<string, string>(), drop: entries };
    const batch = { changes: [], checkpoint, bytes: 0, copying: new Set<string>(), barrier: null };
    await this.#turns.take(async () => await target.apply({ name: 'indexes', kind: 'copy' }, batch, signal));
  }
}

function finish(seen: IndexProgress, lost: readonly LostIndex[]): void {
  seen.lost.push(...lost);
  seen.wanted = seen.made;
  seen.waits = null;
}

/** The next run goes on with it. */
function giveUp(seen: IndexProgress): void {
  finish(seen, [{ name: '*', reason: `${seen.waits ?? ''}; the next run tries it again` }]);
}
