import type { Batch, Change, Lane, Target } from '../core/contracts.ts';
import type { TableSchema } from '../core/table.ts';
import type { Transforms } from '../core/transform.ts';

/**
 * Prepares a table in the target before its first change where it was not there at the start: a topic brings its table with its first
 * message. Shared by all lanes of a run.
 */
export class Newcomers {
  readonly #target: Target;
  readonly #transforms: Transforms;
  readonly #seen = new Set<TableSchema>();
  readonly #prepared = new Map<string, Promise<void>>();

  constructor(target: Target, transforms: Transforms) {
    this.#target = target;
    this.#transforms = transforms;
  }

  /** Tables that the loop prepares itself. */
  known(tables: readonly TableSchema[]): void {
    for (const { origin } of tables) this.#prepared.set(origin, Promise.resolve());
  }

  lane(lane: Lane, signal: AbortSignal): Lane {
    const { name, kind } = lane;
    return {
      name,
      kind,
      batches: this.#batches(lane.batches, signal),
      acknowledge: (checkpoint) => lane.acknowledge(checkpoint),
    };
  }

  async *#batches(batches: AsyncIterable<Batch>, signal: AbortSignal): AsyncGenerator<Batch> {
    let last: TableSchema | null = null;
    for await (const batch of batches) {
      for (const change of batch.changes) {
        for (const table of neededBy(change)) {
          if (table === last) continue;
          last = table;
          if (this.#seen.has(last)) continue;
          await this.#prepare(last, signal);
          this.#seen.add(last);
        }
      }
      yield batch;
    }
  }

  async #prepare(table: TableSchema, signal: AbortSignal): Promise<void> {
    const known = this.#prepared.get(table.origin);
    if (known !== undefined) return await known;
    const carried = this.#transforms.table(table);
    const preparing = carried === null ? Promise.resolve() : this.#target.prepare([carried], signal);
    this.#prepared.set(table.origin, preparing);
    return await preparing;
  }
}

/** The tables that must be there for the change; none where it makes one itself or needs none. */
function neededBy(change: Change): readonly TableSchema[] {
  switch (change.kind) {
    case 'marker':
      return [];
    case 'schema':
      return change.before === null ? [] : [change.before];
    case 'cascade':
      return [change.table, ...change.keys.map(({ child }) => child)];
    default:
      return [change.table];
  }
}
