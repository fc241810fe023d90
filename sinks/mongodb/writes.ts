import { type AnyBulkWriteOperation, type ClientSession, type Document, MongoBulkWriteError } from 'mongodb';
import { LockstepError } from '../../core/errors.ts';
import { cascadeOperations, type CascadeWrite } from './cascade.ts';
import type { Chunk } from './chunks.ts';
import type { Destination } from './destination.ts';
import { isDuplicateKey, writeErrorsOf } from './errors.ts';
import type { KeyedWrite, UnkeyedWrite } from './fold.ts';

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
 * only that the transaction is over.
 */
export async function writeInside(session: ClientSession, chunk: Chunk, expect: Expect): Promise<void> {
  for (const writes of byCollection(chunk.keyed)) {
    const operations = writes.toSorted(byCommand).map((write) => keyedOperation(write, expect));
    await writes[0].to.collection.bulkWrite(operations, { session, ordered: true });
  }
  await writeUnkeyed(chunk.unkeyed, { session });
}

/** Writes a chunk on a server without transactions: keyed rows come out the same however often this is done (G1). */
export async function writeOutside(chunk: Chunk): Promise<void> {
  for (const writes of byCollection(chunk.keyed)) {
    const { collection } = writes[0].to;
    try {
      await collection.bulkWrite(
        writes.map((write) => keyedOperation(write, 'new')),
        { ordered: false },
      );
    } catch (error) {
      await collection.bulkWrite(replacementsFor(error, writes), { ordered: false });
    }
  }
  await writeUnkeyed(chunk.unkeyed, {});
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

/** Errors: TARGET_ROW_REFUSED where a row that should be there is not: the collection is not what the table was (G5). */
async function writeUnkeyed(unkeyed: Chunk['unkeyed'], options: { readonly session?: ClientSession }): Promise<void> {
  for (const writes of byCollection(unkeyed)) {
    const { place, collection } = writes[0].to;
    const result = await collection.bulkWrite(writes.map(unkeyedOperation), { ...options, ordered: true });
    const wanted = writes.filter((write) => write.fate !== 'insert' && write.must).length;
    if (result.matchedCount + result.deletedCount >= wanted) continue;
    const missing = wanted - result.matchedCount - result.deletedCount;
    const message = `${place} has no _id from a key, and no document equals the old row of ${String(missing)} changes`;
    const fix = 'copy the table again, or give it a primary key at the source';
    throw new LockstepError('TARGET_ROW_REFUSED', message, { fix });
  }
}

/** The inserts that met a key already there, as replacements; throws the error where it is about anything else. */
function replacementsFor(error: unknown, writes: readonly KeyedWrite[]): Operation[] {
  if (!(error instanceof MongoBulkWriteError) || !isDuplicateKey(error)) throw error;
  return writeErrorsOf(error).map(({ index, code }) => {
    const write = writes[index];
    if (code !== 11000 || write?.fate !== 'insert') throw error;
    return keyedOperation(write, 'any');
  });
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

function keyedOperation({ fate, to: { documents }, row }: KeyedWrite, expect: Expect): Operation {
  const filter: Document = { _id: documents.id(row) };
  if (fate === 'delete') return { deleteOne: { filter } };
  const document = documents.document(row);
  if (fate === 'insert' && expect === 'new') return { insertOne: { document } };
  const upsert = fate !== 'update';
  if (!documents.dollar) return { replaceOne: { filter, replacement: document, upsert } };
  return { updateOne: { filter, update: [{ $replaceWith: { $literal: document } }], upsert } };
}

/** An exchanged document keeps its `_id`. */
function unkeyedOperation(write: UnkeyedWrite): Operation {
  const { documents } = write.to;
  if (write.fate === 'insert') return { insertOne: { document: documents.document(write.row) } };
  const filter = documents.matching(write.before);
  if (write.fate === 'delete') return { deleteOne: { filter } };
  const values = documents.values(write.row);
  if (!documents.dollar) return { replaceOne: { filter, replacement: values } };
  return {
    updateOne: { filter, update: [{ $replaceWith: { $mergeObjects: [{ _id: '$_id' }, { $literal: values }] } }] },
  };
}
