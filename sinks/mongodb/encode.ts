import type { Bytes } from '../../core/bytes.ts';
import { LockstepError } from '../../core/errors.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import type { Command } from './command.ts';
import { TooLarge } from './documents.ts';
import { type RefusedWrite, RowsRefused, type Write } from './refused.ts';
import type { Statements } from './statements.ts';

/** Statements of one command: those of the writes from number `first` on, which lie in `[start, end)`. */
export interface Encoded {
  readonly command: Command;
  readonly first: number;
  readonly start: number;
  count: number;
  end: number;
}

/** A command goes on below: with one more statement of 16 MiB and a little it is less than a message holds, 48,000,000 bytes. */
const MUCH = 16 << 20;
/** `maxWriteBatchSize`; both: manual, `hello`. */
const MANY = 100_000;

/**
 * Appends the statements of writes in their order, for as few commands as can hold them: each has statements of one kind. Errors: RowsRefused with all
 * whose values cannot be carried or that are too large.
 */
export function encode<W extends Write>(
  out: Bytes,
  writes: readonly W[],
  statements: Statements<W>,
  onChanged: OnChanged,
): Encoded[] {
  const commands: Encoded[] = [];
  const refused: RefusedWrite[] = [];
  for (const [i, write] of writes.entries()) {
    const start = out.length;
    try {
      statements.append(out, write, onChanged);
    } catch (error) {
      out.length = start;
      refused.push({ write, error: ofRow(error, write) });
      continue;
    }
    const command = statements.command(write);
    const last = commands.at(-1);
    if (last?.command === command && last.count < MANY && start - last.start < MUCH) {
      last.count += 1;
      last.end = out.length;
    } else {
      commands.push({ command, first: i, start, count: 1, end: out.length });
    }
  }
  if (refused.length > 0) throw new RowsRefused(refused);
  return commands;
}

/** An error for which the row is to blame; throws others. */
function ofRow(error: unknown, { to }: Write): LockstepError {
  if (error instanceof LockstepError && error.code === 'TARGET_VALUE_UNSUPPORTED') return error;
  if (!(error instanceof TooLarge)) throw error;
  const message = `${to.place}: a document is larger than the 16 MB that MongoDB holds`;
  return new LockstepError('TARGET_ROW_REFUSED', message, { fix: 'exclude the large column, or filter the row' });
}
