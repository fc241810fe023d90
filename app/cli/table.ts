import type { Target } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { Considered } from '../../core/plugin.ts';
import { requestEntries, writeRequest, type TableRequest } from '../../core/request.ts';
import { sleep, untilAborted } from '../../core/signals.ts';
import { nearest } from '../config/nearest.ts';
import { loadConfig, type Config } from '../config/load.ts';
import { pipelineRuns, type PipelineRun } from '../pipeline.ts';
import { EXIT, outputFor, sayError, type Exit } from './output.ts';

const ANSWER_WITHIN_MS = 20_000;
/** How long a process that runs is given to take the request up, before it is said that none does. */
const TAKEN_WITHIN_MS = 5000;

export interface TableOptions {
  readonly target?: string;
  readonly where?: string;
  readonly drop?: boolean;
  readonly json: boolean;
}

/** What became of a request at one target. */
interface Answer {
  readonly target: string;
  /** `needless`: there was nothing to be done. `asked`: it waits for a process that runs. `refused`: it could not be done. */
  readonly outcome: 'done' | 'asked' | 'refused' | 'needless';
  readonly notes: readonly string[];
}

/**
 * `lockstep table add|remove|pause|resume|resync`: asks it of the pipeline, by entries in its targets that the process that works there takes up. Exits
 * with 1 where it was refused.
 */
export async function table(
  action: TableRequest['action'],
  file: string,
  origin: string,
  options: TableOptions,
): Promise<Exit> {
  const output = outputFor(options.json);
  const config = await loadConfig(file);
  const request = { action, origin, drop: options.drop === true, where: options.where ?? null };
  try {
    const runs = chosen(config, options.target ?? null);
    // Of all first, so that none is asked where another refuses.
    const considered = await Promise.all(runs.map(async (run) => await consider(config, run, request)));
    const answers = await Promise.all(runs.map(async (run, i) => await ask(run, request, considered[i])));
    for (const { target, outcome, notes } of answers) output.line(`${target}  ${lineOf(request, outcome, notes)}`);
    output.result({ pipeline: config.name, action, table: origin, targets: answers });
    return answers.some(({ outcome }) => outcome === 'refused') ? EXIT.failed : EXIT.done;
  } catch (error) {
    return sayError(error, options.json, config.secrets);
  }
}

function lineOf({ action, origin }: TableRequest, outcome: Answer['outcome'], notes: readonly string[]): string {
  const said = {
    done: `${action} ${origin}: taken up`,
    asked: `${action} ${origin}: asked; it is taken up by the process that runs, or else with the next run`,
    refused: `${action} ${origin}: refused`,
    needless: `${action} ${origin}: nothing to do`,
  }[outcome];
  return [said, ...notes].join('; ');
}

/** The runs that read the source: those are asked, for they copy. */
function chosen(config: Config, target: string | null): readonly PipelineRun[] {
  const runs = pipelineRuns(config, null).filter(({ role }) => role !== 'consume');
  if (target === null) return runs;
  const names = Object.keys(config.targets);
  if (config.via !== null && names.includes(target)) {
    throw new LockstepError(
      'REQUEST_REFUSED',
      `--target ${target}: through Kafka a table is read once for all targets`,
      {
        fix: 'leave --target out',
      },
    );
  }
  if (names.includes(target)) return runs.filter(({ name }) => name === target);
  const near = nearest(target, names);
  throw new LockstepError('CONFIG_INVALID', `--target ${target}: ${config.file} has no such target`, {
    fix: near === null ? `one of: ${names.join(', ')}` : `did you mean ${near}? There are: ${names.join(', ')}`,
  });
}

async function consider(config: Config, run: PipelineRun, request: TableRequest): Promise<Considered> {
  const signal = answering();
  const considered = await withTarget(run, async (target) => {
    const entries = await target.load('', signal);
    return await untilAborted(signal, run.source.consider(request, entries, signal));
  });
  await requireTellable(config, run, request, considered);
  return considered;
}

/** Rows are found in the target by columns that transforms may have left out, or changed beyond recognition. */
async function requireTellable(
  config: Config,
  run: PipelineRun,
  { action, origin, where }: TableRequest,
  { tells }: Considered,
): Promise<void> {
  if (tells === null) return;
  const { table: schema, columns } = tells;
  const concerned =
    run.role === 'publish' ? pipelineRuns(config, null).filter(({ role }) => role === 'consume') : [run];
  for (const other of concerned) {
    const transforms = await other.openTransforms();
    if (transforms.table(schema) === null) continue;
    const missing = columns.find((index) => !transforms.hasColumn(schema, index));
    if (missing === undefined) continue;
    const column = schema.columns[missing]?.name ?? '';
    const message = `${action} ${origin} where ${where ?? ''}: the transforms of ${other.name} leave out \`${column}\` or make it anew, so that the rows cannot be found there`;
    const fix = 'name them by other columns, those of the key for one, or resync the whole table';
    throw new LockstepError('REQUEST_REFUSED', message, { fix });
  }
}

async function ask(run: PipelineRun, request: TableRequest, considered: Considered | undefined): Promise<Answer> {
  const notes = considered?.notes ?? [];
  if (considered?.needed !== true) return { target: run.name, outcome: 'needless', notes };
  const signal = answering();
  return await withTarget(run, async (target) => {
    await target.load('', signal);
    const name = await writeRequest(target, request, signal);
    if (!(await isTaken(target, name, signal))) return { target: run.name, outcome: 'asked', notes };
    const refusal = await run.source.refusal(request.origin, await target.load('', signal));
    if (refusal === null) return { target: run.name, outcome: 'done', notes };
    return { target: run.name, outcome: 'refused', notes: [refusal] };
  });
}

async function isTaken(target: Target, name: string, signal: AbortSignal): Promise<boolean> {
  const deadline = Date.now() + TAKEN_WITHIN_MS;
  while (Date.now() < deadline) {
    if (!(await target.load(requestEntries, signal)).has(name)) return true;
    await sleep(100, signal);
  }
  return false;
}

async function withTarget<T>(run: PipelineRun, work: (target: Target) => Promise<T>): Promise<T> {
  const target = await untilAborted(answering(), run.target.open());
  try {
    return await work(target);
  } finally {
    await target.close();
  }
}

function answering(): AbortSignal {
  return AbortSignal.timeout(ANSWER_WITHIN_MS);
}
