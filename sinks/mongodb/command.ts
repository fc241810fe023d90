import type { ClientSession, Collection } from 'mongodb';
import { documentSequence } from './document-sequence.ts';
import { durable } from './connect.ts';
import { StatementRefused } from './errors.ts';

export type Command = 'insert' | 'update' | 'delete';

const field = { insert: 'documents', update: 'updates', delete: 'deletes' } as const;

interface Answer {
  /** How many documents there were for it, or were inserted. */
  readonly n: number;
  readonly refused: readonly StatementRefused[];
}

export interface Sending {
  /** Null outside of a transaction; there each command waits until it is durable. */
  readonly session: ClientSession | null;
  /** Whether the server is to stop at the first statement that it refuses. */
  readonly ordered: boolean;
}

/** Runs a command whose statements are serialized, one behind the other. Errors: the driver's where the command as a whole fails. */
export async function send(
  { db, collectionName }: Collection,
  command: Command,
  statements: Uint8Array,
  { session, ordered }: Sending,
): Promise<Answer> {
  const concern = session === null ? { writeConcern: { w: durable.w, j: durable.journal } } : {};
  const said: unknown = await db.command(
    { [command]: collectionName, [field[command]]: documentSequence(field[command], statements), ordered, ...concern },
    session === null ? {} : { session },
  );
  return answerOf(said);
}

/** https://www.mongodb.com/docs/manual/reference/command/insert/#output */
function answerOf(said: unknown): Answer {
  if (typeof said !== 'object' || said === null) return { n: 0, refused: [] };
  const n = 'n' in said ? Number(said.n) : 0;
  const errors: unknown[] = 'writeErrors' in said && Array.isArray(said.writeErrors) ? said.writeErrors : [];
  return { n, refused: errors.map(refusedOf) };
}

function refusedOf(error: unknown): StatementRefused {
  const { code = 0, index = 0 } = error as { readonly code?: number; readonly index?: number };
  return new StatementRefused(code, index);
}
