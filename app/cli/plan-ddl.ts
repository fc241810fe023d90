import { LockstepError } from '../../core/errors.ts';
import { loadConfig } from '../config/load.ts';
import { pipelineRuns, type PipelineRun } from '../pipeline.ts';
import { EXIT, outputFor, type Exit } from './output.ts';

const ANSWER_WITHIN_MS = 60_000;

/** What a statement would come to in one target. */
interface Outlook {
  readonly target: string;
  readonly label: string;
  /** In the target's own words, in order. */
  readonly does: readonly string[];
  /** What is ignored or copied again. */
  readonly notes: readonly string[];
  /** What would stop the pipeline; null where nothing would. */
  readonly stops: { readonly code: string; readonly message: string; readonly fix: string } | null;
}

/** `lockstep plan --ddl`: what a statement would come to in each target if it were run at the source now. Runs nothing. */
export async function planStatement(file: string, statement: string, json: boolean): Promise<Exit> {
  const output = outputFor(json);
  const config = await loadConfig(file);
  const runs = pipelineRuns(config, null);
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const outlooks: Outlook[] = [];
  for (const run of runs) outlooks.push(await outlookOf(run, runs, statement, signal));
  for (const { label, does, notes, stops } of outlooks) {
    output.line(label);
    for (const line of does) output.line(`  ${line.replaceAll('\n', ' ')}`);
    for (const note of notes) output.line(`  note  ${note}`);
    if (stops !== null) output.line(`  stop  ${stops.code}   ${stops.message}`);
    if (stops !== null && stops.fix !== '') output.line(`  fix   ${stops.fix}`);
    output.line('');
  }
  const blocked = outlooks.some(({ stops }) => stops !== null);
  output.line(blocked ? 'blocked: see above' : 'the statement can be carried');
  output.result({ pipeline: config.name, statement, blocked, targets: outlooks });
  return blocked ? EXIT.blocked : EXIT.done;
}

/** What comes through Kafka is decided where it is published. */
async function outlookOf(
  run: PipelineRun,
  runs: readonly PipelineRun[],
  statement: string,
  signal: AbortSignal,
): Promise<Outlook> {
  const { name: target } = run;
  const { label } = run.target;
  const { source } = runs.find(({ role }) => run.role === 'consume' && role === 'publish') ?? run;
  try {
    const { changes, notes } = await source.foresee(statement, signal);
    const transforms = await run.openTransforms();
    const carried = changes.map((change) => transforms.whole(change)).filter((change) => change !== null);
    const left = carried.length < changes.length ? ['a transform leaves the table out'] : [];
    return { target, label, does: await run.target.foresee(carried, signal), notes: [...notes, ...left], stops: null };
  } catch (error) {
    if (!(error instanceof LockstepError) || error.verdict !== 'operator') throw error;
    const { code, message, fix } = error;
    return { target, label, does: [], notes: [], stops: { code, message, fix } };
  }
}
