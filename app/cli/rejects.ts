import type { DeadLetter, DeadLetters, LetterFilter, Retried } from '../../core/dead-letter.ts';
import { LockstepError } from '../../core/errors.ts';
import { untilAborted } from '../../core/signals.ts';
import { rowObject } from '../../core/stored-change.ts';
import { nearest } from '../config/nearest.ts';
import { loadConfig, type Config } from '../config/load.ts';
import { pipelineRuns, type PipelineRun } from '../pipeline.ts';
import { aligned, plural } from './format.ts';
import { EXIT, outputFor, sayError, type Exit, type Output } from './output.ts';

const ANSWER_WITHIN_MS = 20_000;

export interface RejectOptions {
  readonly target?: string;
  readonly table?: string;
  readonly key?: string;
  readonly json: boolean;
}

/** What one action did with the letters of one target: lines for people, and what `--json` prints of it. */
interface Done {
  readonly lines: readonly string[];
  readonly result: object;
  readonly exit: Exit;
}

type Action = (letters: DeadLetters, filter: LetterFilter) => Promise<Done>;

/** What may be done with dead letters. */
export type RejectAction = 'list' | 'show' | 'retry' | 'drop';

const ACTIONS: Readonly<Record<RejectAction, Action>> = {
  list: async (letters, filter) => listed(await letters.list(filter, answering()), summaryOf),
  show: async (letters, filter) => listed(await letters.list(filter, answering()), contentOf),
  retry: async (letters, filter) => retried(await letters.retry(filter, new AbortController().signal)),
  drop: async (letters, filter) => dropped(await letters.drop(filter, answering())),
};

/** `lockstep rejects list|show|retry|drop`: the dead letters of one target or of all. Exits with 1 where some are still refused. */
export async function rejects(action: RejectAction, file: string, options: RejectOptions): Promise<Exit> {
  const output = outputFor(options.json);
  const config = await loadConfig(file);
  const act = ACTIONS[action];
  const filter = { table: options.table ?? null, key: options.key ?? null };
  try {
    const targets: object[] = [];
    let exit: Exit = EXIT.done;
    for (const run of chosen(config, options.target ?? null)) {
      const done = await actOn(run, act, filter, output);
      if (done === null) continue;
      targets.push({ target: run.name, ...done.result });
      if (done.exit !== EXIT.done) ({ exit } = done);
    }
    output.result({ pipeline: config.name, targets });
    return exit;
  } catch (error) {
    return sayError(error, options.json, config.secrets);
  }
}

function chosen(config: Config, target: string | null): readonly PipelineRun[] {
  const runs = pipelineRuns(config, null);
  const names = runs.map(({ name }) => name);
  if (target === null || names.includes(target)) return runs.filter(({ name }) => target === null || name === target);
  const near = nearest(target, names);
  throw new LockstepError('CONFIG_INVALID', `--target ${target}: ${config.file} has no such target`, {
    fix: near === null ? `one of: ${names.join(', ')}` : `did you mean ${near}? There are: ${names.join(', ')}`,
  });
}

async function actOn(run: PipelineRun, act: Action, filter: LetterFilter, output: Output): Promise<Done | null> {
  const letters = await untilAborted(answering(), run.target.deadLetters());
  if (letters === null) {
    output.line(`${run.target.label} keeps no dead letters: a row that is refused stops it`);
    return null;
  }
  try {
    const done = await act(letters, filter);
    output.line(run.target.label);
    for (const line of done.lines) output.line(`  ${line}`);
    return done;
  } finally {
    await letters.close();
  }
}

function answering(): AbortSignal {
  return AbortSignal.timeout(ANSWER_WITHIN_MS);
}

function listed(letters: readonly DeadLetter[], lines: (letters: readonly DeadLetter[]) => readonly string[]): Done {
  const result = { deadLetters: letters.map((letter) => jsonOf(letter, lines === contentOf)) };
  return { lines: letters.length === 0 ? ['no dead letters'] : lines(letters), result, exit: EXIT.done };
}

function jsonOf(
  { id, origin, keys, state, code, reason, outdated, change, setAsideAtMs }: DeadLetter,
  whole: boolean,
): object {
  const { kind, table, at } = change;
  const rows = { before: rowObject(table, change.before), after: rowObject(table, change.after) };
  const times = { committedAt: instant(at.committedAtMs), setAsideAt: instant(setAsideAtMs) };
  const place = { file: at.file, offset: at.offset, gtid: at.gtid };
  return { id, table: origin, keys, state, code, reason, outdated, kind, ...place, ...times, ...(whole ? rows : {}) };
}

/** How many there are of each reason, and one line per letter. */
function summaryOf(letters: readonly DeadLetter[]): string[] {
  const groups = Map.groupBy(letters, ({ origin, code }) => `${origin}  ${code}`);
  const sums = [...groups].map(([group, same]) => `${group}  ${plural(same.length, 'dead letter')}`);
  return [...sums, '', ...aligned(letters.map((letter) => [...headOf(letter), letter.reason]))];
}

function contentOf(letters: readonly DeadLetter[]): string[] {
  return letters.flatMap((letter) => {
    const { table, before, after } = letter.change;
    const rows = [
      ['before', rowObject(table, before)],
      ['after', rowObject(table, after)],
    ] as const;
    return [
      headOf(letter).join('  '),
      `  reason  ${letter.reason}`,
      ...rows.flatMap(([name, row]) => (row === null ? [] : [`  ${name.padEnd(6)}  ${JSON.stringify(row)}`])),
      '',
    ];
  });
}

function headOf({ id, origin, keys, state, code, change }: DeadLetter): string[] {
  const { kind, at } = change;
  const place = `${at.file}:${String(at.offset)}${at.gtid === null ? '' : ` ${at.gtid}`}`;
  return [id, origin, `key ${keys.join(' → ')}`, kind, state === 'refused' ? code : state, place];
}

function retried(outcomes: readonly Retried[]): Done {
  const applied = outcomes.filter(({ refused }) => refused === null);
  const sum = applied.reduce((sum, { letters }) => sum + letters, 0);
  const still = outcomes.flatMap(({ origin, keys, refused }) =>
    refused === null ? [] : [`still refused  ${origin}  key ${keys.join(', ')}  ${refused.code}  ${refused.reason}`],
  );
  return {
    lines: outcomes.length === 0 ? ['no dead letters'] : [`applied ${plural(sum, 'dead letter')}`, ...still],
    result: { applied: sum, outcomes },
    exit: still.length === 0 ? EXIT.done : EXIT.failed,
  };
}

function dropped(count: number): Done {
  const meaning =
    'the target keeps these rows as they were before; it is in step again once the source changes them as a whole';
  const lines = count === 0 ? ['no dead letters'] : [`dropped ${plural(count, 'dead letter')}: ${meaning}`];
  return { lines, result: { dropped: count }, exit: EXIT.done };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
