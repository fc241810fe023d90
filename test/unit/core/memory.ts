import type { Batch, Change, Checkpoint, Checkpoints, Lane, Values, Source, Target } from '../../../core/contracts.ts';
import { sleep } from '../../../core/signals.ts';
import type { TableSchema } from '../../../core/table.ts';
import { orders } from './tables.ts';

const at = { committedAtMs: 1_700_000_000_000, gtid: null, file: 'binlog.000001', offset: 4, serverId: 1 };

export function insert(row: Values, table: TableSchema = orders): Change {
  return { kind: 'insert', table, before: null, after: row, at };
}
export function update(before: Values, after: Values, table: TableSchema = orders): Change {
  return { kind: 'update', table, before, after, at };
}
export function remove(row: Values, table: TableSchema = orders): Change {
  return { kind: 'delete', table, before: row, after: null, at };
}
export function read(row: Values, table: TableSchema = orders): Change {
  return { kind: 'read', table, before: null, after: row, at };
}
export function truncate(table: TableSchema = orders): Change {
  return { kind: 'truncate', table, at };
}
export function marker(token: string): Change {
  return { kind: 'marker', token, at };
}

export function batch(changes: readonly Change[], parts: Partial<Batch> = {}): Batch {
  return { changes, checkpoint: null, bytes: changes.length * 100, copying: new Set(), barrier: null, ...parts };
}
export function checkpoint(set: Readonly<Record<string, string>>, drop: readonly string[] = []): Checkpoint {
  return { set: new Map(Object.entries(set)), drop };
}

/** What targets do with the entries of a checkpoint. */
export function moveEntries(entries: Map<string, string>, moved: Checkpoint): void {
  for (const prefix of moved.drop) for (const name of entries.keys()) if (name.startsWith(prefix)) entries.delete(name);
  for (const [name, token] of moved.set) entries.set(name, token);
}

/** Keeps changes and entries in memory; `commits` tells which lane made each batch durable. */
export class MemoryTarget implements Target {
  readonly entries = new Map<string, string>();
  readonly commits: { readonly lane: string; readonly changes: readonly Change[] }[] = [];
  readonly prepared: TableSchema[] = [];
  /** How many changes were there each time the target was to keep them for good. */
  readonly synced: number[] = [];
  /** Called around every apply; what it throws is what the server would have said. */
  fault: (when: 'before' | 'after', lane: string, batch: Batch) => void | Promise<void> = () => undefined;
  readonly #parts = new Map<string, Change[]>();

  get changes(): Change[] {
    return this.commits.flatMap(({ changes }) => changes);
  }

  async prepare(tables: readonly TableSchema[]): Promise<void> {
    this.prepared.push(...tables);
  }

  async load(prefix: string): Promise<ReadonlyMap<string, string>> {
    return new Map([...this.entries].filter(([name]) => name.startsWith(prefix)));
  }

  async apply(lane: Pick<Lane, 'name'>, batch: Batch): Promise<void> {
    await this.fault('before', lane.name, batch);
    const parts = this.#parts.get(lane.name) ?? [];
    if (batch.checkpoint === null) {
      this.#parts.set(lane.name, [...parts, ...batch.changes]);
    } else {
      this.#parts.delete(lane.name);
      this.commits.push({ lane: lane.name, changes: [...parts, ...batch.changes] });
      moveEntries(this.entries, batch.checkpoint);
    }
    await this.fault('after', lane.name, batch);
  }

  async sync(): Promise<void> {
    this.synced.push(this.changes.length);
  }

  /** What a crash leaves: parts of a transaction that had no end are gone. */
  crash(): void {
    this.#parts.clear();
  }

  async close(): Promise<void> {}
}

/** Lanes of prepared batches; the i-th of a lane moves the lane's entry to i. An idle source stays silent at the end of its lanes. */
export class MemorySource implements Source {
  readonly acknowledged: Checkpoint[] = [];
  /** Batches that lanes have handed out so far. */
  handedOut = 0;
  readonly #lanes: Readonly<Record<string, readonly Batch[]>>;
  readonly #idle: boolean;

  constructor(lanes: Readonly<Record<string, readonly Batch[]>>, options: { readonly idle?: boolean } = {}) {
    this.#lanes = lanes;
    this.#idle = options.idle ?? false;
  }

  async tables(): Promise<readonly TableSchema[]> {
    return [orders];
  }

  async *lanes(checkpoints: Checkpoints, signal: AbortSignal): AsyncGenerator<Lane> {
    const done = await checkpoints.load('lane/', signal);
    for (const [name, batches] of Object.entries(this.#lanes)) {
      const from = Number(done.get(`lane/${name}`) ?? '-1') + 1;
      yield {
        name,
        kind: 'stream',
        batches: this.#batches(name, batches, from, signal),
        acknowledge: (moved) => this.acknowledged.push(moved),
      };
    }
    if (this.#idle) await silence(signal);
  }

  async *#batches(name: string, batches: readonly Batch[], from: number, signal: AbortSignal): AsyncGenerator<Batch> {
    for (const [i, batch] of batches.entries()) {
      signal.throwIfAborted();
      if (i < from) continue;
      this.handedOut += 1;
      yield { ...batch, checkpoint: batch.checkpoint ?? checkpoint({ [`lane/${name}`]: String(i) }) };
    }
    if (this.#idle) await silence(signal);
  }

  async close(): Promise<void> {}
}

/** Waits until the signal aborts, as a reader of a quiet server does. */
export async function silence(signal: AbortSignal): Promise<never> {
  for (;;) await sleep(60_000, signal);
}
