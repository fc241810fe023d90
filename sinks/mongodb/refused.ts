import { keyTextOf } from '../../core/dead-letter.ts';
import type { StatementRefused } from './errors.ts';
import type { KeyedWrite, UnkeyedWrite } from './fold.ts';

export type Write = KeyedWrite | UnkeyedWrite;

/** A write that the server does not take, or cannot be given, for what is in its row. */
export interface RefusedWrite {
  readonly write: Write;
  readonly error: unknown;
}

/** Rows were refused and could be told apart; whether the others were written depends on who throws it. */
export class RowsRefused extends Error {
  override readonly name = 'RowsRefused';
  readonly refused: readonly RefusedWrite[];

  constructor(refused: readonly RefusedWrite[]) {
    super('rows were refused', { cause: refused[0]?.error });
    this.refused = refused;
  }
}

/** The server's numbers for a document it does not take: validator, unique index, size, index entries (mongo/base/error_codes.yml). */
const OF_ROWS = new Set([121, 11000, 10334, 17280, 17419, 17420, 16755]);

/** What to throw for statements that the server refused: RowsRefused where rows are to blame, else the first of its errors. */
export function blamed(refused: readonly (RefusedWrite & { readonly error: StatementRefused })[]): unknown {
  return refused.every(({ error }) => OF_ROWS.has(error.code)) ? new RowsRefused(refused) : refused[0]?.error;
}

/** The row's table at the source and its key, as letters and `HeldDraft.sift` name them. */
export function keyOfWrite(write: Write): { readonly origin: string; readonly key: string } {
  const { table } = write.to.documents;
  const row = 'row' in write ? write.row : write.before;
  return { origin: table.origin, key: keyTextOf(table)(row) };
}
