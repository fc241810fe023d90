import type { ClientSession, Collection, Db, Document } from 'mongodb';
import { LockstepError } from '../../core/errors.ts';
import type { Column, TableSchema } from '../../core/table.ts';
import { type Connection, durable } from './connect.ts';
import { conversion } from './conversion.ts';
import { fillOf } from './defaults.ts';
import { collectionOf } from './destination.ts';
import { isDoneAlready } from './errors.ts';
import type { SchemaChange, Step } from './fold.ts';
import { nameProblem } from './names.ts';
import { renamedColumns } from './renames.ts';
import { bsonType } from './values.ts';

/** Names a truncate or schema change by its place in the source's history, null for rows and what foreign keys do to them. */
export function stepName(step: Step): string | null {
  if (step.kind === 'rows' || step.kind === 'cascade') return null;
  const { change } = step;
  const { gtid, file, offset } = change.at;
  const what =
    change.kind === 'truncate'
      ? change.table.fingerprint
      : `${change.before?.fingerprint ?? ''}>${change.after?.fingerprint ?? ''}`;
  return `${gtid ?? `${file}:${String(offset)}`} ${change.kind} ${what}`;
}

/** Does nothing where the collection exists. */
export async function createCollection(db: Db, name: string): Promise<void> {
  // Asked first: creating needs a right that the owner of prepared collections may not have.
  if ((await db.listCollections({ name }, { nameOnly: true }).toArray()).length > 0) return;
  await db.createCollection(name, { writeConcern: durable }).catch(passWhenDone);
}

const createdSideBySide = 8;

/** Creates those that do not exist. */
export async function createCollections(db: Db, names: readonly string[], signal: AbortSignal): Promise<void> {
  const there = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
  const missing = names.filter((name) => !there.has(name));
  const work = async (): Promise<void> => {
    for (let name = missing.shift(); name !== undefined; name = missing.shift()) {
      signal.throwIfAborted();
      await db.createCollection(name, { writeConcern: durable }).catch(passWhenDone);
    }
  };
  await Promise.all(Array.from({ length: createdSideBySide }, work));
}

export async function truncate(collection: Collection): Promise<void> {
  await collection.deleteMany({});
}

/** Documents that one transaction deletes: few enough for their `_id`s to be one command. */
const deletedAtOnce = 2_000;

/** Deletes some of the documents that the transaction sees, and gives how many; 0 when there are none. */
export async function truncateSome(collection: Collection, session: ClientSession): Promise<number> {
  const some = await collection
    .find({}, { session, projection: { _id: 1 } })
    .limit(deletedAtOnce)
    .toArray();
  if (some.length > 0) await collection.deleteMany({ _id: { $in: some.map(({ _id }) => _id) } }, { session });
  return some.length;
}

/**
 * Makes the same of the collections as the change made of the table. Documents have no fixed shape, so only names and the values of new
 * columns matter; a new type shows in the rows written from then on. Errors: TARGET_UNSUPPORTED, TARGET_SCHEMA.
 */
export async function applySchemaChange(connection: Connection, { before, after, at }: SchemaChange): Promise<void> {
  if (after === null) {
    if (before !== null)
      await collectionOf(connection, before).collection.drop({ writeConcern: durable }).catch(passWhenDone);
    return;
  }
  const problem = nameProblem(connection, after);
  if (problem !== null) throw problem;
  const { place, collection } = collectionOf(connection, after);
  const create = (): Promise<void> =>
    createCollection(connection.client.db(collection.dbName), collection.collectionName);
  if (before === null) return create();
  const renamed = renamedColumns(before, after);
  const from = collectionOf(connection, before);
  // A collection without documents has no _id that would have to change.
  if (!hasSameKey(before, after, renamed) && (await from.collection.findOne({})) !== null) throw keyChanged(after);
  if (from.place !== place) await renameCollection(connection, from, { place, collection });
  await create();
  const updates = [
    ...columnUpdates(before, after, renamed, at.committedAtMs),
    ...(await conversions(collection, before, after)),
  ];
  for (const update of updates) await collection.updateMany(update.filter, [update.stage]);
}

interface Update {
  readonly filter: Document;
  readonly stage: Document;
}

/** Each touches only documents it has not changed yet. Pipelines with literals, for names may hold `.` and begin with `$`. */
function columnUpdates(
  before: TableSchema,
  after: TableSchema,
  renamed: ReadonlyMap<string, string>,
  atMs: number,
): Update[] {
  const old = new Set(before.columns.map(({ name }) => name));
  const now = new Set(after.columns.map(({ name }) => name));
  const arrived = new Set(renamed.values());
  const updates = [...renamed].map(([from, to]) => renameField(from, to));
  for (const name of old) if (!now.has(name) && !renamed.has(name)) updates.push(dropField(name));
  for (const column of after.columns) {
    if (old.has(column.name) || arrived.has(column.name)) continue;
    const fill = holdsNull(column) ? null : fillOf(column, `${after.origin}.${column.name}`, atMs);
    if (fill !== undefined) updates.push(addField(column.name, fill));
  }
  return updates;
}

/** Values whose type has changed, anew. Errors: TARGET_UNSUPPORTED where they cannot be and documents have them. */
async function conversions(collection: Collection, before: TableSchema, after: TableSchema): Promise<Update[]> {
  const old = new Map(before.columns.map((column) => [column.name, column]));
  const updates: Update[] = [];
  for (const column of after.columns) {
    const was = old.get(column.name);
    const convert = was === undefined ? 'stay' : conversion(was.type, column.type);
    if (convert === 'stay') continue;
    const value = field(column.name);
    const filter = { $expr: { $gt: [value, null] } };
    if (convert !== null) updates.push({ filter, stage: setField(column.name, convert(value)) });
    else if ((await collection.findOne(filter)) !== null) throw unconvertible(after, column, was?.declared ?? '');
  }
  return updates;
}

/** A new column without a default is NULL in every row, and there as in rows that are written. */
function holdsNull({ nullable, default: value, generated, autoIncrement }: Column): boolean {
  return nullable && value === null && generated === null && !autoIncrement;
}

function setField(name: string, value: unknown): Document {
  return { $replaceWith: { $setField: { field: { $literal: name }, input: '$$ROOT', value } } };
}

function unconvertible(table: TableSchema, column: Column, was: string): LockstepError {
  const message = `column ${column.name} of ${table.origin} is ${column.declared} now, was ${was}, and what its values became is not in the binlog`;
  return new LockstepError('TARGET_UNSUPPORTED', message, {
    fix: `rewrite the field in the documents of ${table.name} by hand and start again, or drop the collection and copy the table again`,
  });
}

function renameField(from: string, to: string): Update {
  const set = { $setField: { field: { $literal: to }, input: '$$ROOT', value: field(from) } };
  const filter = { $expr: { $and: [{ $not: [isMissing(from)] }, isMissing(to)] } };
  return { filter, stage: { $replaceWith: { $unsetField: { field: { $literal: from }, input: set } } } };
}

function dropField(name: string): Update {
  const stage = { $replaceWith: { $unsetField: { field: { $literal: name }, input: '$$ROOT' } } };
  return { filter: { $expr: { $not: [isMissing(name)] } }, stage };
}

function addField(name: string, value: unknown): Update {
  return { filter: { $expr: isMissing(name) }, stage: setField(name, { $literal: value }) };
}

function field(name: string): Document {
  return { $getField: { field: { $literal: name }, input: '$$ROOT' } };
}

function isMissing(name: string): Document {
  return { $eq: [{ $type: field(name) }, 'missing'] };
}

/** Whether every row keeps its `_id`. */
function hasSameKey(before: TableSchema, after: TableSchema, renamed: ReadonlyMap<string, string>): boolean {
  const old = keyShape(before, (name) => renamed.get(name) ?? name);
  const named = before.key.length > 1 && before.key.some((index) => renamed.has(nameAt(before, index)));
  return old === keyShape(after, (name) => name) && !named;
}

/** An `_id` never changes: a new key would be a new document for every row. */
function keyChanged(after: TableSchema): LockstepError {
  const message = `the key of ${after.origin} has changed, and the _id of its documents cannot`;
  return new LockstepError('TARGET_UNSUPPORTED', message, {
    fix: `drop the collection ${after.name} and copy the table again`,
  });
}

/** Equal where the same row has the same `_id`; numbers of different types are equal to MongoDB (manual, "Comparison/Sort Order"). */
function keyShape(table: TableSchema, name: (name: string) => string): string {
  const numbers = ['int', 'long', 'double', 'decimal'];
  const parts = table.key.map((index) => {
    const column = table.columns[index];
    const to = column === undefined || column.type.kind === 'set' ? 'string' : bsonType(column.type).to;
    return [name(column?.name ?? ''), numbers.includes(to) ? 'number' : to];
  });
  return JSON.stringify(parts);
}

function nameAt(table: TableSchema, index: number): string {
  return table.columns[index]?.name ?? '';
}

type Place = ReturnType<typeof collectionOf>;

async function renameCollection(connection: Connection, from: Place, to: Place): Promise<void> {
  if (!(await exists(connection, from))) return;
  if ((await exists(connection, to)) && (await to.collection.findOne({})) !== null) {
    const message = `the table ${from.place} is renamed to ${to.place}, and the target has documents in both collections`;
    throw new LockstepError('TARGET_SCHEMA', message, { fix: 'drop the one of the two that is not wanted' });
  }
  const command = {
    renameCollection: from.place,
    to: to.place,
    dropTarget: true,
    writeConcern: { w: 'majority', j: true },
  };
  await connection.client.db('admin').command(command).catch(passWhenDone);
}

async function exists(connection: Connection, { collection }: Place): Promise<boolean> {
  const names = connection.client
    .db(collection.dbName)
    .listCollections({ name: collection.collectionName }, { nameOnly: true });
  return (await names.toArray()).length > 0;
}

function passWhenDone(error: unknown): void {
  if (!isDoneAlready(error)) throw error;
}
