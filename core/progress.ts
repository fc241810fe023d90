import { Counts, type CountsByTable } from './counts.ts';
import type { LostIndex } from './secondary-index.ts';

/** What became of one table's rows in one run: read = applied + filtered + dead letters (G5). */
export interface TableProgress {
  /** `paused`: its copy is, its changes go on. */
  state: 'waiting' | 'copying' | 'paused' | 'following' | 'removed';
  /** The source's estimate of the table's rows, null where it has none. */
  estimatedRows: number | null;
  copied: number;
  /** Of `copied`, what earlier copies of the table brought. */
  copiedBefore: number;
  read: number;
  applied: number;
  filtered: number;
  /** Changes that were set aside, those that wait behind others too. */
  deadLetters: number;
  /** The same by the code of the error. */
  readonly reasons: Record<string, number>;
  /** Values of applied rows that a policy changed because the target cannot hold them, by what became of them. */
  readonly changed: Record<string, number>;
  /** Null until its copy is consistent and indexes are made for it, and where it has none. */
  indexes: IndexProgress | null;
}

/** The secondary indexes of one table. */
export interface IndexProgress {
  /** How many are there, of those that are to be. */
  made: number;
  wanted: number;
  readonly lost: LostIndex[];
  /** Why they cannot be made for now, null where nothing stands in the way. */
  waits: string | null;
}

/** Why the copy waits: a limit of rows or bytes per second, or signs of load. */
export const throttleReasons = ['rows', 'bytes', 'threads', 'replica', 'latency'] as const;
export type ThrottleReason = (typeof throttleReasons)[number];

export interface Throttled {
  readonly reason: ThrottleReason;
  /** For people. */
  readonly text: string;
  readonly sinceMs: number;
}

/** What a pipeline's parts say about themselves while they work; the only thing the screens, metrics and JSON output look at. */
export class Progress {
  readonly tables = new Map<string, TableProgress>();
  /** Milliseconds between a change's commit at the source and its durability in the target, of the last batch applied. */
  lagMs: number | null = null;
  lastAppliedAtMs: number | null = null;
  /** When the target was handed a batch that it has not taken yet, by lane: where it stops answering, reading stops too (G6). */
  readonly applyingSinceMs = new Map<string, number>();
  /** When bytes or a heartbeat last came from the source (G11). */
  lastHeardAtMs: number | null = null;
  /** The source's server in words; null before it was reached, and where the source is not one server. */
  server: string | null = null;
  phase: 'starting' | 'standby' | 'copying' | 'following' | 'retrying' | 'stopped' = 'starting';
  /** How often the run was started again after an error. */
  retries = 0;
  /** Why the copy is being held back, null while it is not. */
  throttle: Throttled | null = null;
  /** How long its readers have waited for each reason. */
  readonly throttledMs: Record<ThrottleReason, number> = { rows: 0, bytes: 0, threads: 0, replica: 0, latency: 0 };
  /** Why the run is not working now, null while it works. */
  failure: Failure | null = null;
  readonly #setAside = new Counts();
  readonly #changed = new Counts();

  table(origin: string): TableProgress {
    let table = this.tables.get(origin);
    if (table === undefined) {
      table = {
        state: 'waiting',
        estimatedRows: null,
        copied: 0,
        copiedBefore: 0,
        read: 0,
        applied: 0,
        filtered: 0,
        deadLetters: 0,
        reasons: {},
        changed: {},
        indexes: null,
      };
      this.tables.set(origin, table);
    }
    return table;
  }

  /** Takes in what the target made of a batch, by origin, before the batch itself is `applied`. */
  made({ setAside, changed }: Made): void {
    this.#setAside.addAll(setAside);
    this.#changed.addAll(changed);
  }

  #takeIn(): void {
    for (const [origin, counts] of this.#setAside.take()) {
      const table = this.table(origin);
      for (const [code, count] of counts) {
        table.deadLetters += count;
        table.applied -= count;
        table.reasons[code] = (table.reasons[code] ?? 0) + count;
      }
    }
    for (const [origin, counts] of this.#changed.take()) {
      const { changed } = this.table(origin);
      for (const [name, count] of counts) changed[name] = (changed[name] ?? 0) + count;
    }
  }

  /** Takes in the counts of a batch that is durable now. */
  applied(counts: BatchCounts): void {
    for (const [origin, count] of counts.tables) {
      const table = this.table(origin);
      table.read += count.read;
      table.filtered += count.filtered;
      table.applied += count.read - count.filtered;
      table.copied += count.copied;
    }
    this.#takeIn();
    this.lastAppliedAtMs = Date.now();
    if (counts.newestAtMs !== null) this.lagMs = Math.max(0, this.lastAppliedAtMs - counts.newestAtMs);
  }
}

/** What a target made of a batch beside applying it. */
export interface Made {
  /** Changes that were set aside, by the code of the error. */
  readonly setAside: CountsByTable;
  readonly changed: CountsByTable;
}

/** An error as people see it, free of secrets. `nextTryAtMs` is null where a person must act first. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly nextTryAtMs: number | null;
}

/** The rows of one batch per table origin. */
export interface BatchCounts {
  readonly tables: ReadonlyMap<string, { read: number; filtered: number; copied: number }>;
  /** When the newest streamed change of the batch was committed, null where there is none. */
  readonly newestAtMs: number | null;
}
