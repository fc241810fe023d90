import type { ForeignKey } from './foreign-key.ts';
import type { Row, Value, Values } from './row.ts';
import type { IndexedTable, LostIndex } from './secondary-index.ts';
import type { TableSchema } from './table.ts';

export type { Row, Value, Values } from './row.ts';

/** Where and when the source committed a change. One object is shared by all changes of a transaction. */
export interface Moment {
  /** Milliseconds since 1970 at which the source committed; for snapshot rows, at which the chunk was read. */
  readonly committedAtMs: number;
  /** The transaction's GTID where the source has them, else null. */
  readonly gtid: string | null;
  readonly file: string;
  readonly offset: number;
  readonly serverId: number;
}

/** `read` is a snapshot row. All row changes have the same fields, so that engines keep one hidden class for them. */
export type RowChange =
  | {
      readonly kind: 'read' | 'insert';
      readonly table: TableSchema;
      readonly before: null;
      readonly after: Row;
      readonly at: Moment;
    }
  | {
      readonly kind: 'update';
      readonly table: TableSchema;
      readonly before: Row;
      readonly after: Row;
      readonly at: Moment;
    }
  | {
      readonly kind: 'delete';
      readonly table: TableSchema;
      readonly before: Row;
      readonly after: null;
      readonly at: Moment;
    };

/**
 * Rows that a foreign key changed at the source and that it did not log: those of `table` that refer to what is gone or has another key now. It
 * stands behind the change that caused it. A target finds the rows among its own, and goes on from them along `keys`.
 */
export interface Cascade {
  readonly kind: 'cascade';
  readonly table: TableSchema;
  /** Indexes into the table's columns. */
  readonly columns: readonly number[];
  /** All of them deletes, or none. */
  readonly rows: readonly Referring[];
  /** Every key that may be followed from here on; the same array for as long as they are the same. */
  readonly keys: readonly ForeignKey[];
  readonly at: Moment;
}
/** Rows whose columns equal `before`, none of which is NULL, are deleted, or get `after` in these columns. */
export interface Referring {
  readonly before: Values;
  readonly after: Values | null;
}

export type Change =
  | RowChange
  | Cascade
  | { readonly kind: 'truncate'; readonly table: TableSchema; readonly at: Moment }
  | {
      readonly kind: 'schema';
      readonly before: TableSchema | null;
      readonly after: TableSchema | null;
      readonly statement: string;
      readonly at: Moment;
    }
  | { readonly kind: 'marker'; readonly token: string; readonly at: Moment };

/**
 * Named tokens that a target keeps for a source; only the source looks inside. `set` entries replace what was there; every entry
 * whose name starts with one of `drop` goes first. A target moves an entry by compare-and-set against what it loaded or wrote (G8).
 */
export interface Checkpoint {
  readonly set: ReadonlyMap<string, string>;
  readonly drop: readonly string[];
}

/**
 * Changes of one lane, in order. With a checkpoint it ends at the end of a source transaction (or of a snapshot chunk); without one
 * it is a part of a large one and becomes durable together with the next batch of the lane that has one.
 */
export interface Batch {
  readonly changes: readonly Change[];
  readonly checkpoint: Checkpoint | null;
  /** Estimated size in memory, in bytes. */
  readonly bytes: number;
  /** Origins (`database.table`) of tables whose copy is not consistent yet: there an update touches only a row that exists. */
  readonly copying: ReadonlySet<string>;
  /** Set where the same changes come once in each of several lanes (Kafka partitions) and must be applied once, when all have come to them. */
  readonly barrier: Barrier | null;
}
export interface Barrier {
  readonly id: string;
  /** The names of all lanes it travels; the first one applies it. */
  readonly lanes: readonly string[];
}

/** An ordered part of the stream; order holds inside a lane. A lane ends when it has nothing more to bring. */
export interface Lane {
  readonly name: string;
  /** `copy` lanes bring snapshot chunks: rows that are nearly always new to the target. */
  readonly kind: 'stream' | 'copy';
  readonly batches: AsyncIterable<Batch>;
  /** Called with each checkpoint the lane handed out, in order, once it, and so all before it in the lane, is durable in the target. */
  acknowledge(checkpoint: Checkpoint): void;
}

export interface Source {
  /** The captured tables as they are now. */
  tables(signal: AbortSignal): Promise<readonly TableSchema[]>;
  /** The foreign keys that change rows of captured tables, as they are now, and what of that cannot be followed, in whole sentences. */
  foreignKeys?(
    signal: AbortSignal,
  ): Promise<{ readonly keys: readonly ForeignKey[]; readonly warnings: readonly string[] }>;
  /** The tables of these origins that are still followed, as they are now, with their secondary indexes. */
  indexes?(origins: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, IndexedTable>>;
  /** Starts after what the target's stored tokens say is done; none at all starts with a snapshot. */
  lanes(checkpoints: Checkpoints, signal: AbortSignal): AsyncIterable<Lane>;
  close(): Promise<void>;
}

/** The tokens a target holds for this pipeline. */
export interface Checkpoints {
  /** The entries whose name starts with `prefix` as they are durable now; takes note of their versions for the compare-and-set. */
  load(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
}

export interface Target extends Checkpoints {
  /** Creates the tables that are missing; refuses those that cannot hold the rows. */
  prepare(tables: readonly TableSchema[], signal: AbortSignal): Promise<void>;
  /**
   * With a checkpoint: resolves once the rows, all earlier parts of the lane, and the checkpoint are there for everybody, the rows no later than
   * the checkpoint. A crash of the target may still take the last of it back, where it takes rows and checkpoints back together, from the end
   * (see `sync`). Without: resolves once the part is taken over. Applying twice is applying once (G1).
   */
  apply(lane: Pick<Lane, 'name' | 'kind'>, batch: Batch, signal: AbortSignal): Promise<void>;
  /**
   * Makes the indexes that the table lacks, beside the lanes that write to it, and calls `onMade` for each that is there. Gives those that cannot be
   * made, and throws what stands in the way of all, or may pass: then it is called again. What a crash leaves half done is done again.
   */
  createIndexes?(wanted: IndexedTable, onMade: () => void, signal: AbortSignal): Promise<readonly LostIndex[]>;
  /** Resolves once all that was applied outlives any crash. Where there is none, `apply` does so each time. */
  sync?(signal: AbortSignal): Promise<void>;
  /** Adds an entry beside the process that works for the target, where that cannot be done by `apply` in a lane of its own. */
  note?(name: string, token: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A function of the schema first and of rows second: schema in, schema out. `null` leaves the table out. */
export interface Transform {
  compile(table: TableSchema): CompiledTransform | null;
}
export interface CompiledTransform {
  readonly table: TableSchema;
  /** What each column is made of, null where that is not one column alone. Left out: of the one at its place, as it is. */
  readonly columns?: readonly (ColumnOrigin | null)[];
  /** Whether rows may be left out. */
  readonly filters?: boolean;
  /** The new row, or null when the row is filtered. Must not change the array it is given. */
  row(row: Values): Values | null;
}
/** A column that is made of one column before, so that equal values stay equal and others do not become so. */
export interface ColumnOrigin {
  readonly from: number;
  /** Null where the value stays as it is. Columns with equal `form` hold equal values where those before them did. */
  readonly form: string | null;
  readonly value: ((value: Value) => Value) | null;
}
