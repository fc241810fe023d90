import { toLockstepError } from '../../core/errors.ts';
import { failureOf } from '../supervise.ts';
import { failureLines } from './format.ts';

/** The exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, differences: 3, blocked: 4 } as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** Where a command writes: with `--json` one JSON object on standard output, and what is for people on standard error. */
export interface Output {
  readonly json: boolean;
  readonly people: NodeJS.WriteStream;
  line(text: string): void;
  /** The one JSON object; nothing without `--json`. */
  result(value: object): void;
}

export function outputFor(json: boolean): Output {
  const people = json ? process.stderr : process.stdout;
  return {
    json,
    people,
    line: (text) => void people.write(`${text}\n`),
    result: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value, bigintText, 2)}\n`);
    },
  };
}

/** Says an error and gives the exit code for it: a mistake in the call or the configuration is not a failure of the work. */
export function sayError(error: unknown, json: boolean, secrets: readonly string[] = []): Exit {
  const known = toLockstepError(error);
  const failure = failureOf(known, secrets, null);
  const { code, message, fix } = failure;
  process.stderr.write(`${failureLines(failure, Date.now()).join('\n')}\n`);
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message, fix } }, null, 2)}\n`);
  return code.startsWith('CONFIG_') ? EXIT.usage : EXIT.failed;
}

function bigintText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
