import type { Checkpoint, Source, Target } from './contracts.ts';
import { LockstepError } from './errors.ts';
import type { IndexProgress, Progress } from './progress.ts';
import { indexEntries, type IndexedTable, type LostIndex } from './secondary-index.ts';
import { sleep, Turns } from './signals.ts';
import type { Transforms } from './transform.ts';

/** Indexes of so many tables are made side by side. */
const TABLES_AT_ONCE = 2;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** How often it is tried again once all lanes have ended. */
const LAST_TRIES = 3;

export interface IndexingParts {
  readonly source: Source;
  readonly target: Target;
  readonly transforms: Transforms;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Told of an error that is not of the making of indexes alone. */
  readonly fail: (error: unknown) => void;
}

/** A table that waits for indexes, and the entries that say so. */
interface Waiting {
  readonly entries: readonly string[];
  readonly wanted: IndexedTable;
  readonly seen: IndexProgress;
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
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      this.#asked = new AbortController();
      const left = await this.#round();
      if (this.#asked.signal.aborted) continue;
      if (left.length === 0) break;
      if (this.#ending.signal.aborted) lastTries += 1;
      if (lastTries > LAST_TRIES) {
        for (const { seen } of left) giveUp(seen);
        break;
      }
      const interrupting = lastTries > 0 ? [this.#asked.signal] : [this.#asked.signal, this.#ending.signal];
      await sleep(lastTries > 0 ? FIRST_WAIT_MS : waitMs, AbortSignal.any([signal, ...interrupting])).catch(() => {
        signal.throwIfAborted();
      });
    }
    this.#working = null;
  }

  /** Goes through all tables that wait, and gives those that still do. */
  async #round(): Promise<readonly Waiting[]> {
    const { source, target, signal } = this.#parts;
    const entries = await target.load(indexEntries, signal);
    if (entries.size === 0) return [];
    const byOrigin = Map.groupBy(entries.keys(), (name) => entries.get(name) ?? '');
    const found = await source.indexes?.([...byOrigin.keys()], signal);
    const waiting: Waiting[] = [];
    const done: string[] = [];
    for (const [origin, names] of byOrigin) {
      const table = this.#carried(origin, found?.get(origin));
      if (table === null) done.push(...names);
      else waiting.push({ entries: names, ...table });
    }
    if (done.length > 0) await this.#drop(done);
    const left: Waiting[] = [];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (await this.#make(next)) await this.#drop(next.entries);
        else left.push(next);
      }
    };
    await Promise.all(Array.from({ length: TABLES_AT_ONCE }, work));
    return left;
  }

  /** Null where nothing is to be made: the table is gone or left out, or has no indexes. */
  #carried(origin: string, found: IndexedTable | undefined): Omit<Waiting, 'entries'> | null {
    const { transforms, progress } = this.#parts;
    const carried = found === undefined ? null : transforms.indexes(found);
    if (carried === null) return null;
    const { lost, ...wanted } = carried;
    const seen = { made: 0, wanted: wanted.indexes.length, lost: [...lost], waits: null };
    progress.table(origin).indexes = seen.wanted + lost.length === 0 ? null : seen;
    return { wanted, seen };
  }

  /** False where it is to be tried again. */
  async #make({ wanted, seen }: Waiting): Promise<boolean> {
    const { target, signal } = this.#parts;
    const onMade = (): void => {
      seen.made += 1;
    };
    try {
      const lost = (await target.createIndexes?.(wanted, onMade, signal)) ?? [];
      finish(seen, lost);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof LockstepError) || error.verdict === 'bug') throw error;
      if (error.verdict === 'retry') {
        seen.made = 0;
        seen.waits = error.message;
        return false;
      }
      finish(seen, [{ name: '*', reason: error.message }]);
      return true;
    }
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
