import { type AnyBulkWriteOperation, type ClientSession, type Document, MongoBulkWriteError } from 'mongodb';
import type { Counts } from '../../core/counts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import { cascadeOperations, type CascadeWrite } from './cascade.ts';
import type { Chunk } from './chunks.ts';
import type { Destination } from './destination.ts';
import { isDuplicateKey, writeErrorsOf } from './errors.ts';
import type { KeyedWrite, UnkeyedWrite } from './fold.ts';
import { blamed, operationsOf, type RefusedWrite, RowsRefused } from './refused.ts';

type Operation = AnyBulkWriteOperation;

/**
 * `new`: rows that should be new are inserted, which is two to ten times as fast as an upsert, and a key that is there already fails the call.
 * `any`: they replace what is there.
 */
export type Expect = 'new' | 'any';

/** Whether `new` and `any` make a difference. */
export function hasInserts(chunk: Chunk): boolean {
  return chunk.keyed.some(({ fate }) => fate === 'insert');
}

/**
 * Writes a chunk inside a transaction. Fails as a whole, and with the first error: after an unordered one the driver goes on, and then says
 * only that the transaction is over. Errors: RowsRefused where rows are to blame; where a row that should be new is not, the driver's.
 */
export async function writeInside(
  session: ClientSession,
  chunk: Chunk,
  expect: Expect,
  changed: Counts,
): Promise<void> {
  for (const group of byCollection(chunk.keyed)) {
    const onChanged = counting(changed, group[0]);
    const writes = group.toSorted(byCommand);
    const operations = operationsOf(writes, (write) => keyedOperation(write, expect, onChanged));
    try {
      await group[0].to.collection.bulkWrite(operations, { session, ordered: true });
    } catch (error) {
      throw expect === 'new' && isDuplicateKey(error) && hasInserts(chunk) ? error : blamed(error, writes, operations);
    }
  }
  await writeUnkeyed(chunk.unkeyed, { session }, changed);
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
  for (const writes of byCollection(chunk.keyed)) {
    const onChanged = counting(changed, writes[0]);
    const failed = await writeUnordered(writes, 'new', onChanged);
    const again = failed.filter(({ write, code }) => code === 11000 && write.fate === 'insert');
    const still = await writeUnordered(
      again.map(({ write }) => write),
      'any',
    );
    const refused = [...failed.filter((one) => !again.includes(one)), ...still];
    if (refused.length > 0) throw new RowsRefused(refused);
  }
  await writeUnkeyed(chunk.unkeyed, {}, changed);
}

type Failed = RefusedWrite & { readonly write: KeyedWrite; readonly code: number };

/** Writes what can be written and gives the rest; throws what no row is to blame for. */
async function writeUnordered(writes: readonly KeyedWrite[], expect: Expect, onChanged?: OnChanged): Promise<Failed[]> {
  const [first] = writes;
  if (first === undefined) return [];
  const operations = operationsOf(writes, (write) => keyedOperation(write, expect, onChanged));
  try {
    await first.to.collection.bulkWrite(operations, { ordered: false });
    return [];
  } catch (error) {
    const blame = blamed(error, writes, operations);
    if (!(blame instanceof RowsRefused) || !(error instanceof MongoBulkWriteError)) throw blame;
    return writeErrorsOf(error).flatMap(({ index, code }) => {
      const write = writes[index];
      return write === undefined ? [] : [{ write, code, error }];
    });
  }
}

/** Errors: TARGET_ROW_REFUSED where a row that should be there is not: the collection is not what the table was (G5); RowsRefused. */
async function writeUnkeyed(
  unkeyed: Chunk['unkeyed'],
  options: { readonly session?: ClientSession },
  changed: Counts,
): Promise<void> {
  for (const writes of byCollection(unkeyed)) {
    const { place, collection } = writes[0].to;
    const onChanged = counting(changed, writes[0]);
    const operations = operationsOf(writes, (write) => unkeyedOperation(write, onChanged));
    const result = await collection.bulkWrite(operations, { ...options, ordered: true }).catch((error: unknown) => {
      throw blamed(error, writes, operations);
    });
    const wanted = writes.filter((write) => write.fate !== 'insert' && write.must).length;
    if (result.matchedCount + result.deletedCount >= wanted) continue;
    const missing = wanted - result.matchedCount - result.deletedCount;
    const message = `${place} has no _id from a key, and no document equals the old row of ${String(missing)} changes`;
    const fix = 'copy the table again, or give it a primary key at the source';
    throw new LockstepError('TARGET_ROW_REFUSED', message, { fix });
  }
}

/** What goes in one command together: the driver begins a new one where the kind of operation changes. */
const command: Readonly<Record<KeyedWrite['fate'], number>> = { delete: 0, insert: 1, update: 2, replace: 2 };

function byCommand(a: KeyedWrite, b: KeyedWrite): number {
  return command[a.fate] - command[b.fate];
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

function keyedOperation(
  { fate, to: { documents }, row }: KeyedWrite,
  expect: Expect,
  onChanged?: OnChanged,
): Operation {
  const filter: Document = { _id: documents.id(row) };
  if (fate === 'delete') return { deleteOne: { filter } };
  const document = documents.document(row, onChanged);
  if (fate === 'insert' && expect === 'new') return { insertOne: { document } };
  const upsert = fate !== 'update';
  if (!documents.dollar) return { replaceOne: { filter, replacement: document, upsert } };
  return { updateOne: { filter, update: [{ $replaceWith: { $literal: document } }], upsert } };
}

/** An exchanged document keeps its `_id`. */
function unkeyedOperation(write: UnkeyedWrite, onChanged: OnChanged): Operation {
  const { documents } = write.to;
  if (write.fate === 'insert') return { insertOne: { document: documents.document(write.row, onChanged) } };
  const filter = documents.matching(write.before);
  if (write.fate === 'delete') return { deleteOne: { filter } };
  const values = documents.values(write.row, onChanged);
  if (!documents.dollar) return { replaceOne: { filter, replacement: values } };
  return {
    updateOne: { filter, update: [{ $replaceWith: { $mergeObjects: [{ _id: '$_id' }, { $literal: values }] } }] },
  };
}

/** Counts for a collection's table: all writes of a group are of one. */
function counting(changed: Counts, { to }: KeyedWrite | UnkeyedWrite): OnChanged {
  const { origin } = to.documents.table;
  return (what) => changed.add(origin, what);
}
