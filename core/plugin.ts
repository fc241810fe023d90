import type { Change, Source, Target } from './contracts.ts';
import type { DeadLetters } from './dead-letter.ts';
import type { Progress } from './progress.ts';
import type { TableRequest } from './request.ts';
import type { SchemaPolicies } from './schema-policy.ts';
import type { IndexedTable } from './secondary-index.ts';
import type { TableSchema } from './table.ts';
import type { PoliciesOf } from './value-policy.ts';

/** One line of `lockstep doctor`. A failed check has a `fix`: the statement or the step that mends it. */
export interface Check {
  readonly name: string;
  readonly outcome: 'pass' | 'warn' | 'fail';
  readonly detail: string;
  readonly fix: string | null;
}

/** One table of `lockstep plan`: where it goes and what becomes of each column. */
export interface PlannedTable {
  readonly origin: string;
  /** The table, collection or topic in the target's own words. */
  readonly name: string;
  readonly exists: boolean;
  readonly columns: readonly PlannedColumn[];
  /** Made once the rows are copied. */
  readonly indexes: readonly PlannedIndex[];
  /** What cannot be carried, or only in part, in whole sentences; empty when everything fits. */
  readonly notes: readonly string[];
}
export interface PlannedColumn {
  readonly name: string;
  /** The type as the source declares it. */
  readonly from: string;
  /** The target's type, null where the column cannot be carried. */
  readonly to: string | null;
  readonly note: string | null;
}

/** A secondary index: in the target's own words, or, where it is null, why there will be none. */
export interface PlannedIndex {
  readonly name: string;
  readonly to: string | null;
  readonly note: string | null;
}

/** What every end of a pipeline is opened with. */
export interface EndOptions {
  /** The pipeline's name; with `target` it names everything that is stored or locked. */
  readonly pipeline: string;
  /** The target's name in the config. */
  readonly target: string;
  readonly url: string;
  readonly progress: Progress;
}

export interface SourceOptions extends EndOptions {
  /** `database.table` with `*`, in order; a leading `!` takes out what earlier ones took in. */
  readonly tables: readonly string[];
  /** Tables that were added by request, beyond `tables`: the source adds to it, and it lives as long as the process. Default: none. */
  readonly added?: Set<string>;
  /** With `caught-up` the lanes end once everything is done that the source held when reading began. */
  readonly until: 'caught-up' | null;
  /** What the run may hold of changes, in bytes; for sources that fetch ahead of what is asked of them. Default: 64 MiB. */
  readonly memoryBytes?: number;
  /** For sources that copy tables before they follow changes. */
  readonly copy?: CopySettings;
  /** What becomes of schema changes; by default all are carried. */
  readonly schemaChanges?: SchemaPolicies;
  /**
   * Whether the target can give a table another name and go on with its rows. If not, because names decide about topics or transforms, a renamed
   * table is dropped and copied under its new name. Default: true.
   */
  readonly movesTables?: boolean;
  /** Whether the target gets the secondary indexes of the source's tables. Default: false. */
  readonly makesIndexes?: boolean;
  /** Whether the target can give the rows of a table another key. If not, the table is copied again when its key changes. Default: true. */
  readonly changesKeys?: boolean;
}

/** What the copy may take of the source; null: without a limit. */
export interface CopyLimits {
  readonly rowsPerSecond: number | null;
  readonly bytesPerSecond: number | null;
  /** No chunk is begun while the source is busier than this. */
  readonly backOff: {
    /** Threads_running of the server. */
    readonly threadsRunning: number | null;
    /** Seconds that a replica is behind: the source itself where it is one, and `replicas`. */
    readonly replicaLag: number | null;
    /** URLs of replicas of the source. */
    readonly replicas: readonly string[];
    /** How many times as long as at best a chunk may take. */
    readonly latency: number | null;
  };
}

export interface CopySettings {
  /** Default: none. */
  readonly limits?: CopyLimits;
  /** How many connections read chunks side by side. */
  readonly readers: number;
  /** `database.table` that may be created and written to, for sources where nothing else tells which changes are visible. */
  readonly marker: string | null;
}

export interface TargetOptions extends EndOptions {
  /** The schema or database for what is ours: checkpoints, dead letters. */
  readonly metadata: string;
  /** How many dead letters there may be before the target stops; with 0, the default, the first row that is refused stops it. */
  readonly deadLetterLimit?: number;
  /** How many connections apply the rows of one batch side by side, where the target knows how. Default: 1, which keeps the source's transactions whole (G3). */
  readonly lanes?: number;
  /** What becomes of values that the target cannot hold; by default of `defaultPolicies`. */
  readonly values?: PoliciesOf;
}

/** A change of a whole table, as the stream hands it on. */
export type WholeTableChange = Extract<Change, { kind: 'schema' | 'truncate' }>;

/** What a statement would come to. */
export interface Foreseen {
  /** In order, as targets would get them, before any transform. */
  readonly changes: readonly WholeTableChange[];
  /** What is ignored or copied again, in sentences. */
  readonly notes: readonly string[];
}

/** What a request would come to. */
export interface Considered {
  /** In whole sentences. */
  readonly notes: readonly string[];
  /** False where there is nothing to be done. */
  readonly needed: boolean;
  /** The columns by which the target must be able to tell the table's rows apart. */
  readonly tells: { readonly table: TableSchema; readonly columns: readonly number[] } | null;
}

/** What the app knows of a connector. */
export interface SourcePlugin<Options extends SourceOptions = SourceOptions> {
  open(options: Options): Promise<Source>;
  check(options: Options, signal: AbortSignal): Promise<readonly Check[]>;
  /** What a target's stored entries for this source say (position, tables and their copy), in lines for people. */
  describe?(entries: ReadonlyMap<string, string>): readonly string[];
  /** Which server answers now, and whether it can go on from a target's stored entries. Throws what connecting throws. */
  checkTakeover?(
    options: Options,
    entries: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<readonly Check[]>;
  /** Whether what is asked of a table can be done where the target's stored entries stand. Errors: REQUEST_REFUSED, CONFIG_INVALID, and of connecting. */
  consider?(
    options: Options,
    request: TableRequest,
    entries: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<Considered>;
  /** Why a request of the same table was refused since; null where it was not. */
  refusal?(origin: string, entries: ReadonlyMap<string, string>): string | null;
  /** What a statement would come to if it were run now; it is not. Throws what would stop the pipeline. */
  foresee?(options: Options, statement: string, signal: AbortSignal): Promise<Foreseen>;
}

/** What the app knows of a sink. `plan` changes nothing. */
export interface TargetPlugin<Options extends TargetOptions = TargetOptions> {
  open(options: Options): Promise<Target>;
  check(options: Options, signal: AbortSignal): Promise<readonly Check[]>;
  plan(options: Options, tables: readonly IndexedTable[], signal: AbortSignal): Promise<readonly PlannedTable[]>;
  /** What changes of whole tables would be here, in statements or words; nothing is done. Throws what would stop the pipeline. */
  foresee(options: Options, changes: readonly WholeTableChange[], signal: AbortSignal): Promise<readonly string[]>;
  /** The dead letters that the target keeps; left out where it keeps none. */
  deadLetters?(options: Options): Promise<DeadLetters>;
}
