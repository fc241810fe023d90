import type { Checkpoint, Source, Target } from './contracts.ts';
import type { IndexProgress, Progress } from './progress.ts';
import { indexEntries, type IndexedTable } from './secondary-index.ts';
import { Turns } from './signals.ts';
import type { Transforms } from './transform.ts';

/** Indexes of so many tables are made side by side. */
const TABLES_AT_ONCE = 2;

export interface IndexingParts {
  readonly source: Source;
  readonly target: Target;
  readonly transforms: Transforms;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Told of an error that making indexes does not survive. */
  readonly fail: (error: unknown) => void;
}

/**
 * Makes the indexes of tables whose copy has become consistent, beside the lanes. Which tables wait is kept in the target, by the checkpoint that made
 * the copy consistent; an entry goes once the table's indexes are there, and after a crash they are looked at again.
 */
export class Indexing {
  readonly #parts: IndexingParts;
  /** The entries of a lane move one after the other. */
  readonly #turns = new Turns();
  #asked = false;
  #working: Promise<void> | null = null;

  constructor(parts: IndexingParts) {
    this.#parts = parts;
  }

  /** Looks for tables that wait. */
  ask(): void {
    const { source, target } = this.#parts;
    if (source.indexes === undefined || target.createIndexes === undefined) return;
    this.#asked = true;
    this.#working ??= this.#work()
      .catch(this.#parts.fail)
      .finally(() => {
        this.#working = null;
      });
  }

  /** Looks where a checkpoint that is durable now tells of such tables. */
  applied(checkpoint: Checkpoint): void {
    for (const name of checkpoint.set.keys()) if (name.startsWith(indexEntries)) return this.ask();
  }

  /** Resolves once all that was asked for is made. */
  async settled(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    const { source, target, signal } = this.#parts;
    while (this.#asked && !signal.aborted) {
      this.#asked = false;
      const entries = await target.load(indexEntries, signal);
      if (entries.size === 0) continue;
      const found = (await source.indexes?.([...new Set(entries.values())], signal)) ?? new Map<string, IndexedTable>();
      const waiting = [...entries];
      const work = async (): Promise<void> => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const [entry, origin] = next;
          await this.#make(origin, found.get(origin));
          await this.#drop(entry);
        }
      };
      await Promise.all(Array.from({ length: TABLES_AT_ONCE }, work));
    }
  }

  /** `found` is undefined for a table that is gone: then so are its indexes. */
  async #make(origin: string, found: IndexedTable | undefined): Promise<void> {
    const { target, transforms, progress, signal } = this.#parts;
    const carried = found === undefined ? null : transforms.indexes(found);
    if (carried === null || target.createIndexes === undefined) return;
    const { table, indexes, lost } = carried;
    if (indexes.length + lost.length === 0) return;
    const seen: IndexProgress = { made: 0, wanted: indexes.length, lost: [...lost] };
    progress.table(origin).indexes = seen;
    if (indexes.length === 0) return;
    const onMade = (): void => {
      seen.made += 1;
    };
    seen.lost.push(...(await target.createIndexes({ table, indexes }, onMade, signal)));
    seen.wanted = seen.made;
  }

  async #drop(entry: string): Promise<void> {
    const { target, signal } = this.#parts;
    const checkpoint = { set: new Map<string, string>(), drop: [entry] };
    const batch = { changes: [], checkpoint, bytes: 0, copying: new Set<string>(), barrier: null };
    await this.#turns.take(async () => await target.apply({ name: 'indexes', kind: 'copy' }, batch, signal));
  }
}
