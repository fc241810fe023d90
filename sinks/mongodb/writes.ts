import type { ClientSession } from 'mongodb';
import type { Counts } from '../../core/counts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import { cascadeOperations, type CascadeWrite } from './cascade.ts';
import type { Chunk } from './chunks.ts';
import { type Failed, runStatements } from './commands.ts';
import type { Destination } from './destination.ts';
import { isDuplicateKey } from './errors.ts';
import type { KeyedWrite, UnkeyedWrite } from './fold.ts';
import { blamed, RowsRefused } from './refused.ts';
import { type Expect, keyedStatements, unkeyedStatements } from './statements.ts';

/** Whether `new` and `any` make a difference. */
export function hasInserts(chunk: Chunk): boolean {
  return chunk.keyed.some(({ fate }) => fate === 'insert');
}

/**
 * Writes a chunk inside a transaction. Fails as a whole, and with the first error. Errors: RowsRefused where rows are to blame; StatementRefused where
 * a key is there that should be new.
 */
export async function writeInside(
  session: ClientSession,
  chunk: Chunk,
  expect: Expect,
  changed: Counts,
): Promise<void> {
  const sending = { session, ordered: true };
  for (const group of byCollection(chunk.keyed)) {
    const writes = byCommand(group);
    const { refused } = await runStatements(writes, keyedStatements(expect), sending, counting(changed, group[0]));
    const [first] = refused;
    if (first === undefined) continue;
    throw expect === 'new' && isDuplicateKey(first.error) && hasInserts(chunk) ? first.error : blamed(refused);
  }
  await writeUnkeyed(chunk.unkeyed, session, changed);
}

/** Writes what a cascade comes to, in its order; `session` is null on a server without transactions. */
export async function writeCascade(session: ClientSession | null, writes: readonly CascadeWrite[]): Promise<void> {
  const options = session === null ? {} : { session };
  for (let at = 0; at < writes.length;) {
    const { to } = writes[at] ?? {};
    const end = writes.findIndex((write, i) => i > at && write.to.place !== to?.place);
    const run = writes.slice(at, end < 0 ? undefined : end);
    await to?.collection.bulkWrite(run.flatMap(cascadeOperations), { ...options, ordered: true });
    at += run.length;
  }
}

/**
 * Writes a chunk on a server without transactions: keyed rows come out the same however often this is done (G1). Errors: RowsRefused, once all
 * others of their collection are written.
 */
export async function writeOutside(chunk: Chunk, changed: Counts): Promise<void> {
  for (const group of byCollection(chunk.keyed)) {
    const failed = await writeUnordered(group, 'new', counting(changed, group[0]));
    const [first, ...others] = failed.filter(({ write, error }) => isDuplicateKey(error) && write.fate === 'insert');
    const again = first === undefined ? [] : [first, ...others];
    const still = await writeAgain(again);
    const refused = [...failed.filter((one) => !again.includes(one)), ...still];
    if (refused.length > 0) throw new RowsRefused(refused);
  }
  await writeUnkeyed(chunk.unkeyed, null, changed);
}

/** Rows whose key is there already replace what is there. What policies changed of them is counted. */
async function writeAgain(failed: readonly Failed<KeyedWrite>[]): Promise<readonly Failed<KeyedWrite>[]> {
  const [first, ...others] = failed.map(({ write }) => write);
  return first === undefined ? [] : await writeUnordered([first, ...others], 'any', () => undefined);
}

/** Writes what can be written and gives the rest; throws what no row is to blame for. */
async function writeUnordered(
  group: NonEmpty<KeyedWrite>,
  expect: Expect,
  onChanged: OnChanged,
): Promise<readonly Failed<KeyedWrite>[]> {
  const sending = { session: null, ordered: false };
  const { refused } = await runStatements(byCommand(group), keyedStatements(expect), sending, onChanged);
  const blame = blamed(refused);
  if (refused.length > 0 && !(blame instanceof RowsRefused)) throw blame;
  return refused;
}

/** Errors: TARGET_ROW_REFUSED where a row that should be there is not: the collection is not what the table was (G5); RowsRefused. */
async function writeUnkeyed(unkeyed: Chunk['unkeyed'], session: ClientSession | null, changed: Counts): Promise<void> {
  for (const writes of byCollection(unkeyed)) {
    const sending = { session, ordered: true };
    const outcome = await runStatements(writes, unkeyedStatements, sending, counting(changed, writes[0]));
    if (outcome.refused.length > 0) throw blamed(outcome.refused);
    const wanted = writes.filter((write) => write.fate !== 'insert' && write.must).length;
    if (outcome.found >= wanted) continue;
    const missing = String(wanted - outcome.found);
    const message = `${writes[0].to.place} has no _id from a key, and no document equals the old row of ${missing} changes`;
    const fix = 'copy the table again, or give it a primary key at the source';
    throw new LockstepError('TARGET_ROW_REFUSED', message, { fix });
  }
}

/** A command has statements of one kind: deletes first, as a row may have moved to another key. */
const turn: Readonly<Record<KeyedWrite['fate'], number>> = { delete: 0, insert: 1, update: 2, replace: 2 };

function byCommand([...writes]: NonEmpty<KeyedWrite>): NonEmpty<KeyedWrite> {
  return writes.sort((a, b) => turn[a.fate] - turn[b.fate]);
}

type NonEmpty<T> = [T, ...T[]];

function byCollection<W extends { readonly to: Destination }>(writes: readonly W[]): Iterable<NonEmpty<W>> {
  const groups = new Map<string, NonEmpty<W>>();
  for (const write of writes) {
    const group = groups.get(write.to.place);
    if (group === undefined) groups.set(write.to.place, [write]);
    else group.push(write);
  }
  return groups.values();
}

/** Counts for a collection's table: all writes of a group are of one. */
function counting(changed: Counts, { to }: KeyedWrite | UnkeyedWrite): OnChanged {
  const { origin } = to.documents.table;
  return (what) => changed.add(origin, what);
}
