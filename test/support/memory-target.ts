import { cascadesOf } from '../../core/cascade.ts';
import type { Batch, Cascade, Change, Checkpoint, Lane, Moment, Values, Target } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { qualifiedName, type TableSchema } from '../../core/table.ts';
import { MemoryTable } from './memory-table.ts';

/** What several memory targets share, as processes share a server: it outlives each of them. */
export class MemoryServer {
  readonly #pipelines = new Map<string, Map<string, Entry>>();
  readonly #tables = new Map<string, MemoryTable>();
  /** Rows of snapshot chunks that were written, by origin; a row written twice counts twice. */
  readonly copied = new Map<string, number>();
  #version = 0;
  readonly #isStrict: boolean;

  /** `strict` as MemoryTable has it. */
  constructor({ strict = false } = {}) {
    this.#isStrict = strict;
  }

  entries(pipeline: string): Map<string, Entry> {
    const known = this.#pipelines.get(pipeline);
    if (known !== undefined) return known;
    const entries = new Map<string, Entry>();
    this.#pipelines.set(pipeline, entries);
    return entries;
  }

  /** The tokens a pipeline has stored, by name. */
  tokens(pipeline: string): ReadonlyMap<string, string> {
    return new Map([...this.entries(pipeline)].map(([name, { token }]) => [name, token]));
  }

  nextVersion(): number {
    this.#version += 1;
    return this.#version;
  }

  prepare(table: TableSchema): void {
    const name = qualifiedName(table);
    if (!this.#tables.has(name)) this.#tables.set(name, new MemoryTable(table, this.#isStrict));
  }

  rows(table: Pick<TableSchema, 'database' | 'name'>): Values[] {
    return this.#tables.get(qualifiedName(table))?.rows() ?? [];
  }

  write(changes: readonly Change[], copying: ReadonlySet<string>): void {
    for (const change of changes) this.#write(change, copying);
  }

  #write(change: Change, copying: ReadonlySet<string>): void {
    if (change.kind === 'marker') return;
    if (change.kind === 'schema') {
      this.#reshape(change.before, change.after);
      return;
    }
    if (change.kind === 'cascade') {
      this.#cascade(change, change.rows);
      return;
    }
    const { origin } = change.table;
    const table = this.#table(change.table);
    if (change.kind === 'read') this.copied.set(origin, (this.copied.get(origin) ?? 0) + 1);
    table.write(change, copying.has(origin));
  }

  /** What refers to a row that goes or changes, and what refers to that, one row after the other. */
  #cascade({ table, columns, keys }: Omit<Cascade, 'rows' | 'at' | 'kind'>, rows: Cascade['rows']): void {
    for (const { before, after } of rows) {
      for (const change of this.#table(table).cascade(columns, before, after)) {
        for (const next of cascadesOf({ ...change, table, at: nowhere }, keys)) this.#cascade(next, next.rows);
      }
    }
  }

  #table(schema: TableSchema): MemoryTable {
    const table = this.#tables.get(qualifiedName(schema));
    if (table === undefined) throw new LockstepError('TARGET_SCHEMA', `${qualifiedName(schema)} was not prepared`);
    return table;
  }

  #reshape(before: TableSchema | null, after: TableSchema | null): void {
    const old = before === null ? undefined : this.#tables.get(qualifiedName(before));
    if (before !== null) this.#tables.delete(qualifiedName(before));
    if (after !== null)
      this.#tables.set(
        qualifiedName(after),
        old === undefined ? new MemoryTable(after, this.#isStrict) : old.reshaped(after),
      );
  }
}

const nowhere: Moment = { committedAtMs: 0, gtid: null, file: '', offset: 0, serverId: 0 };

interface Entry {
  readonly token: string;
  readonly version: number;
}

export interface MemoryTargetOptions {
  readonly server: MemoryServer;
  readonly pipeline: string;
  /** Whether parts without a checkpoint can be seen before it comes, as in a database without large transactions. */
  readonly partsAtOnce?: boolean;
  /** Called before each apply; it may wait, or throw what a server would. */
  readonly before?: (lane: Pick<Lane, 'name' | 'kind'>, batch: Batch) => Promise<void> | void;
}

/** A target that keeps rows by key and entries with versions in memory. It passes the target contract. */
export class MemoryTarget implements Target {
  readonly #options: MemoryTargetOptions;
  /** The versions this process has loaded or written. */
  readonly #known = new Map<string, number>();
  readonly #parts = new Map<string, Batch[]>();

  constructor(options: MemoryTargetOptions) {
    this.#options = options;
  }

  get #entries(): Map<string, Entry> {
    return this.#options.server.entries(this.#options.pipeline);
  }

  prepare(tables: readonly TableSchema[]): Promise<void> {
    for (const table of tables) this.#options.server.prepare(table);
    return Promise.resolve();
  }

  load(prefix: string): Promise<ReadonlyMap<string, string>> {
    const loaded = new Map<string, string>();
    for (const name of this.#known.keys()) if (name.startsWith(prefix)) this.#known.delete(name);
    for (const [name, { token, version }] of this.#entries) {
      if (!name.startsWith(prefix)) continue;
      loaded.set(name, token);
      this.#known.set(name, version);
    }
    return Promise.resolve(loaded);
  }

  async apply(lane: Pick<Lane, 'name' | 'kind'>, batch: Batch, signal: AbortSignal): Promise<void> {
    await this.#options.before?.(lane, batch);
    signal.throwIfAborted();
    const { checkpoint } = batch;
    const { server, partsAtOnce = false } = this.#options;
    if (checkpoint === null && !partsAtOnce) {
      this.#parts.set(lane.name, [...(this.#parts.get(lane.name) ?? []), batch]);
      return;
    }
    if (checkpoint !== null) this.#requireUnmoved(checkpoint);
    for (const part of [...(this.#parts.get(lane.name) ?? []), batch]) server.write(part.changes, part.copying);
    this.#parts.delete(lane.name);
    if (checkpoint !== null) this.#move(checkpoint);
  }

  close(): Promise<void> {
    this.#parts.clear();
    return Promise.resolve();
  }

  #requireUnmoved({ set, drop }: Checkpoint): void {
    const touched = new Set(set.keys());
    for (const name of this.#entries.keys()) if (drop.some((prefix) => name.startsWith(prefix))) touched.add(name);
    for (const name of touched) {
      if (this.#entries.get(name)?.version === this.#known.get(name)) continue;
      throw new LockstepError('CHECKPOINT_MOVED', `another process has moved ${name}`);
    }
  }

  #move({ set, drop }: Checkpoint): void {
    for (const name of this.#entries.keys()) {
      if (!drop.some((prefix) => name.startsWith(prefix))) continue;
      this.#entries.delete(name);
      this.#known.delete(name);
    }
    for (const [name, token] of set) {
      const version = this.#options.server.nextVersion();
      this.#entries.set(name, { token, version });
      this.#known.set(name, version);
    }
  }
}
