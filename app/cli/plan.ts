import type { ForeignKey } from '../../core/foreign-key.ts';
import type { PlannedIndex, PlannedTable } from '../../core/plugin.ts';
import type { IndexedTable, LostIndex } from '../../core/secondary-index.ts';
import { untilAborted } from '../../core/signals.ts';
import type { TableSchema } from '../../core/table.ts';
import { loadConfig, type Config } from '../config/load.ts';
import { pipelineRuns, type PipelineRun } from '../pipeline.ts';
import { targetWarnings } from '../registry.ts';
import { aligned, plural } from './format.ts';
import { EXIT, outputFor, type Exit } from './output.ts';

const ANSWER_WITHIN_MS = 60_000;

interface TargetPlan {
  readonly target: string;
  readonly label: string;
  readonly tables: readonly PlannedTable[];
  /** Tables that a transform leaves out. */
  readonly leftOut: readonly string[];
  readonly warnings: readonly string[];
  /** What stands in the way of a run, in whole sentences. */
  readonly blockers: readonly string[];
}

/** What the source says of itself. */
interface SourcePlan {
  readonly tables: readonly TableSchema[];
  /** By origin. */
  readonly indexes: ReadonlyMap<string, IndexedTable>;
  readonly keys: readonly ForeignKey[];
  readonly warnings: readonly string[];
}

/** `lockstep plan`: what a run would create and convert, and what it could not carry. */
export async function plan(file: string, json: boolean): Promise<Exit> {
  const output = outputFor(json);
  const config = await loadConfig(file);
  const runs = pipelineRuns(config, null);
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const { warnings, ...from } = await sourceTables(runs, signal);
  const plans: TargetPlan[] = [];
  for (const run of runs) plans.push(await planOf(config, run, from, signal));
  for (const { label, ...planned } of plans) {
    output.line(label);
    for (const line of planLines(planned)) output.line(line === '' ? '' : `  ${line}`);
    output.line('');
  }
  for (const warning of warnings) output.line(`warn  ${warning}`);
  const blocked = plans.some(({ blockers }) => blockers.length > 0);
  output.line(blocked ? 'blocked: see above' : `${plural(from.tables.length, 'table')} can be carried`);
  output.result({ pipeline: config.name, blocked, warnings, targets: plans });
  return blocked ? EXIT.blocked : EXIT.done;
}

/** The tables as the source has them now; via Kafka too, for nothing may have been published yet. */
async function sourceTables(runs: readonly PipelineRun[], signal: AbortSignal): Promise<SourcePlan> {
  const [first] = runs;
  if (first === undefined) return { tables: [], indexes: new Map(), keys: [], warnings: [] };
  const source = await untilAborted(signal, first.source.open(null));
  try {
    const tables = await source.tables(signal);
    const found = (await source.foreignKeys?.(signal)) ?? { keys: [], warnings: [] };
    const origins = runs.some(({ makesIndexes }) => makesIndexes) ? tables.map(({ origin }) => origin) : [];
    const none = new Map<string, IndexedTable>();
    const indexes = origins.length === 0 ? none : ((await source.indexes?.(origins, signal)) ?? none);
    return { tables, indexes, ...found };
  } finally {
    await source.close();
  }
}

async function planOf(
  config: Config,
  run: PipelineRun,
  { tables, indexes, keys }: Omit<SourcePlan, 'warnings'>,
  signal: AbortSignal,
): Promise<TargetPlan> {
  const transforms = await run.openTransforms();
  const carried = tables
    .map((table) =>
      transforms.indexes((run.makesIndexes ? indexes.get(table.origin) : undefined) ?? { table, indexes: [] }),
    )
    .filter((table) => table !== null);
  const planned = await run.target.plan(carried, signal);
  const origins = new Set(carried.map(({ table }) => table.origin));
  return {
    target: run.name,
    label: run.target.label,
    tables: planned.map((table, i) => ({ ...table, indexes: [...table.indexes, ...lostOf(carried[i])] })),
    leftOut: tables.map((table) => table.origin).filter((origin) => !origins.has(origin)),
    warnings: await targetWarnings(config, run.name, tables, keys),
    blockers: [...collisions(planned), ...planned.flatMap(uncarried)],
  };
}

function lostOf(carried: { readonly lost: readonly LostIndex[] } | undefined): PlannedIndex[] {
  return (carried?.lost ?? []).map(({ name, reason }) => ({ name, to: null, note: reason }));
}

/** Two tables on one name would overwrite each other's rows. */
function collisions(tables: readonly PlannedTable[]): string[] {
  return [...Map.groupBy(tables, (table) => table.name)]
    .filter(([, same]) => same.length > 1)
    .map(([name, same]) => {
      const origins = same.map((table) => table.origin).join(' and ');
      return `${origins} would both become ${name}; rename or route one of them`;
    });
}

function uncarried({ origin, columns }: PlannedTable): string[] {
  return columns
    .filter((column) => column.to === null)
    .map(({ name, from, note }) => `${origin}.${name} (${from}) cannot be carried${note === null ? '' : `: ${note}`}`);
}

function planLines({ tables, leftOut, warnings, blockers }: Omit<TargetPlan, 'label' | 'target'>): string[] {
  return [
    ...tables.flatMap(tableLines),
    ...leftOut.map((origin) => `${origin} is left out by a transform`),
    ...warnings.map((warning) => `warn  ${warning}`),
    ...blockers.map((blocker) => `fail  ${blocker}`),
  ];
}

function tableLines({ origin, name, exists, columns, indexes, notes }: PlannedTable): string[] {
  const rows = columns.map(({ name: column, from, to, note }) => [
    column,
    from,
    '→',
    to ?? 'cannot be carried',
    note ?? '',
  ]);
  return [
    `${origin} → ${name}   ${exists ? 'is there' : 'will be created'}`,
    ...aligned(rows).map((line) => `  ${line}`),
    ...indexes.map((index) => `  index  ${index.name}  ${indexLine(index)}`),
    ...notes.map((note) => `  note  ${note}`),
    '',
  ];
}

function indexLine({ to, note }: PlannedIndex): string {
  if (to === null) return `is not made: ${note ?? ''}`;
  return `→  ${to}${note === null ? '' : `  (${note})`}`;
}
