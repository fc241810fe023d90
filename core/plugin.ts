import type { Source, Target } from './contracts.ts';
import type { Progress } from './progress.ts';
import type { TableSchema } from './table.ts';

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
  /** With `caught-up` the lanes end once everything is done that the source held when reading began. */
  readonly until: 'caught-up' | null;
  /** For sources that copy tables before they follow changes. */
  readonly copy?: CopySettings;
}

export interface CopySettings {
  /** How many connections read chunks side by side. */
  readonly readers: number;
  /** `database.table` that may be created and written to, for sources where nothing else tells which changes are visible. */
  readonly marker: string | null;
}

export interface TargetOptions extends EndOptions {
  /** The schema or database for what is ours: checkpoints, marks. */
  readonly metadata: string;
}

/** What the app knows of a connector. */
export interface SourcePlugin<Options extends SourceOptions = SourceOptions> {
  open(options: Options): Promise<Source>;
  check(options: Options, signal: AbortSignal): Promise<readonly Check[]>;
  /** What a target's stored entries for this source say (position, tables and their copy), in lines for people. */
  describe?(entries: ReadonlyMap<string, string>): readonly string[];
}

/** What the app knows of a sink. `plan` changes nothing. */
export interface TargetPlugin<Options extends TargetOptions = TargetOptions> {
  open(options: Options): Promise<Target>;
  check(options: Options, signal: AbortSignal): Promise<readonly Check[]>;
  plan(options: Options, tables: readonly TableSchema[], signal: AbortSignal): Promise<readonly PlannedTable[]>;
}
