import { Bytes } from '../../core/bytes.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import { send, type Sending } from './command.ts';
import { encode } from './encode.ts';
import type { StatementRefused } from './errors.ts';
import type { Write } from './refused.ts';
import type { Statements } from './statements.ts';

export interface Failed<W> {
  readonly write: W;
  readonly error: StatementRefused;
}

/** What came of writes: how many documents the updates and deletes among them found, and those that the server refused. */
export interface Outcome<W> {
  readonly found: number;
  readonly refused: readonly Failed<W>[];
}

/** Buffers that nobody writes to: as many as were in use at once. */
const spare: Bytes[] = [];

/**
 * Runs the statements of writes to one collection, in their order. The first command of which something is refused is the last, unless their order does
 * not matter. Errors: RowsRefused, with nothing sent; the driver's.
 */
export async function runStatements<W extends Write>(
  writes: readonly [W, ...W[]],
  statements: Statements<W>,
  sending: Sending,
  onChanged: OnChanged,
): Promise<Outcome<W>> {
  const out = spare.pop() ?? new Bytes(64 * 1024);
  try {
    const refused: Failed<W>[] = [];
    let found = 0;
    for (const { command, first, start, end } of encode(out, writes, statements, onChanged)) {
      const answer = await send(writes[0].to.collection, command, out.buffer.subarray(start, end), sending);
      if (command !== 'insert') found += answer.n;
      for (const error of answer.refused) {
        const write = writes[first + error.index];
        if (write === undefined) throw error;
        refused.push({ write, error });
      }
      if (sending.ordered && refused.length > 0) break;
    }
    return { found, refused };
  } finally {
    out.reset();
    spare.push(out);
  }
}
