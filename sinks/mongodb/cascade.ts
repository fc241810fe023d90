import { type AnyBulkWriteOperation, BSON, type ClientSession, type Document } from 'mongodb';
import { deletes, referring } from '../../core/cascade.ts';
import type { Cascade } from '../../core/contracts.ts';
import { keysOnward, type ForeignKey } from '../../core/foreign-key.ts';
import type { TableSchema } from '../../core/table.ts';
import type { Destination } from './destination.ts';
import { columnName, isPlainName } from './documents.ts';

/** Documents that refer to something by these values, and the values that they get; null where they go. */
interface Found {
  readonly before: readonly unknown[];
  readonly after: readonly unknown[] | null;
}

/** What becomes of one document. `document` is read only as far as it is needed. */
export interface CascadeWrite {
  readonly to: Destination;
  readonly id: unknown;
  readonly document: Document;
  deleted: boolean;
  /** By the columns' indexes. */
  readonly set: Map<number, unknown>;
}

/** So many documents are looked for in one query. */
const valuesPerQuery = 1_000;

/** As the driver writes them back unchanged: a Long that is small stays one. */
const asStored = { promoteValues: false, promoteLongs: false, promoteBuffers: false } as const;

/**
 * Finds the documents that a cascade changes, and those that it goes on to from them. Those found last come first: written in this order, a
 * cascade that is interrupted finds its way again when it is repeated (G1).
 */
export async function expand(
  cascade: Cascade,
  destination: (table: TableSchema) => Destination,
  session: ClientSession | null,
): Promise<CascadeWrite[]> {
  const expansion = new Expansion(cascade.keys, destination, session);
  const { documents } = destination(cascade.table);
  const converted = (values: Cascade['rows'][number]['before']): unknown[] =>
    values.map((value, i) => documents.convert(cascade.columns[i] ?? -1, value));
  const rows = cascade.rows.map(({ before, after }) => ({
    before: converted(before),
    after: after && converted(after),
  }));
  await expansion.follow(cascade.table, cascade.columns, rows);
  return expansion.writes();
}

class Expansion {
  readonly #keys: readonly ForeignKey[];
  readonly #destination: (table: TableSchema) => Destination;
  readonly #session: ClientSession | null;
  readonly #found = new Map<string, CascadeWrite>();

  constructor(
    keys: readonly ForeignKey[],
    destination: (table: TableSchema) => Destination,
    session: ClientSession | null,
  ) {
    this.#keys = keys;
    this.#destination = destination;
    this.#session = session;
  }

  writes(): CascadeWrite[] {
    return [...this.#found.values()].toReversed();
  }

  async follow(table: TableSchema, columns: readonly number[], all: readonly Found[]): Promise<void> {
    // What MongoDB has no value for, as a date of zeros, no document of it can refer to.
    const rows = all.filter(({ before }) => !before.includes(null));
    if (rows.length === 0) return;
    const gone = deletes({ rows });
    const onward = keysOnward(this.#keys, table, columns, gone);
    const to = this.#destination(table);
    const fresh: { readonly write: CascadeWrite; readonly after: Found['after'] }[] = [];
    for (let at = 0; at < rows.length; at += valuesPerQuery) {
      const some = rows.slice(at, at + valuesPerQuery);
      const after = new Map(some.map((row) => [textOf(row.before), row.after]));
      for (const document of await this.#find(to, columns, some, onward)) {
        const values = columns.map((index) => fieldOf(document, columnName(table, index)));
        const write = this.#note(to, document, columns, after.get(textOf(values)) ?? null, gone);
        if (write !== null) fresh.push({ write, after: after.get(textOf(values)) ?? null });
      }
    }
    for (const key of onward) {
      const next = fresh.flatMap(({ write, after }): Found[] => {
        const before = key.references.map((index) => fieldOf(write.document, columnName(table, index)));
        const now =
          after &&
          key.references.map((index, i) => (columns.includes(index) ? after[columns.indexOf(index)] : before[i]));
        const found = referring(gone ? key.onDelete : key.onUpdate, before, now);
        return found === null ? [] : [found];
      });
      await this.follow(key.child, key.columns, distinct(next));
    }
  }

  async #find(
    { collection, documents: { table } }: Destination,
    columns: readonly number[],
    rows: readonly Found[],
    onward: readonly ForeignKey[],
  ): Promise<Document[]> {
    const names = columns.map((index) => columnName(table, index));
    const moves = !deletes({ rows }) && columns.some((index) => table.key.includes(index));
    const needed = [
      ...names,
      ...onward.flatMap(({ references }) => references.map((index) => columnName(table, index))),
    ];
    const projection =
      moves || !needed.every(isPlainName) ? {} : Object.fromEntries(['_id', ...needed].map((name) => [name, 1]));
    const session = this.#session === null ? {} : { session: this.#session };
    return await collection.find(matching(names, rows), { ...session, ...asStored, projection }).toArray();
  }

  /** Takes note of a document; null where all that happens to it is known already. */
  #note(
    to: Destination,
    document: Document,
    columns: readonly number[],
    after: Found['after'],
    gone: boolean,
  ): CascadeWrite | null {
    const id: unknown = document['_id'];
    const name = `${to.place} ${textOf([id])}`;
    const known = this.#found.get(name);
    const write = known ?? { to, id, document, deleted: false, set: new Map<number, unknown>() };
    if (write.deleted || (!gone && columns.every((index) => write.set.has(index)))) return null;
    // The last one found is the first one written.
    this.#found.delete(name);
    this.#found.set(name, write);
    write.deleted = gone;
    if (after !== null) for (const [i, index] of columns.entries()) write.set.set(index, after[i] ?? null);
    return write;
  }
}

/** The operations that do it; a document whose `_id` changes is another one. */
export function cascadeOperations({ id, document, deleted, set, to }: CascadeWrite): AnyBulkWriteOperation[] {
  const filter: Document = { _id: id };
  const { table } = to.documents;
  if (deleted) return [{ deleteOne: { filter } }];
  const changed = [...set].map(([index, value]) => [columnName(table, index), value] as const);
  if (!table.key.some((index) => set.has(index))) {
    const input = changed.reduce<unknown>(
      (input, [name, value]) => ({ $setField: { field: { $literal: name }, input, value: { $literal: value } } }),
      '$$ROOT',
    );
    return [{ updateOne: { filter, update: [{ $replaceWith: input }] } }];
  }
  const moved: Document = { ...document, ...Object.fromEntries(changed) };
  const parts = table.key.map((index) => [columnName(table, index), fieldOf(moved, columnName(table, index))] as const);
  moved['_id'] = parts.length === 1 ? parts[0]?.[1] : Object.fromEntries(parts);
  return [
    {
      updateOne: { filter: { _id: moved['_id'] }, update: [{ $replaceWith: { $literal: moved } }], upsert: true },
    },
    { deleteOne: { filter } },
  ];
}

function matching(names: readonly string[], rows: readonly Found[]): Document {
  const [only] = names;
  if (names.length === 1 && only !== undefined) {
    const values = rows.map(({ before }) => before[0]);
    if (isPlainName(only)) return { [only]: { $in: values } };
    return { $expr: { $in: [{ $getField: { field: { $literal: only }, input: '$$ROOT' } }, { $literal: values }] } };
  }
  if (names.every(isPlainName))
    return { $or: rows.map(({ before }) => Object.fromEntries(names.map((name, i) => [name, { $eq: before[i] }]))) };
  const equal = (name: string, value: unknown): Document => ({
    $eq: [{ $getField: { field: { $literal: name }, input: '$$ROOT' } }, { $literal: value }],
  });
  return {
    $expr: { $or: rows.map(({ before }) => ({ $and: names.map((name, i) => equal(name, before[i])) })) },
  };
}

function fieldOf(document: Document, name: string): unknown {
  const value: unknown = document[name];
  return value ?? null;
}

/** Equal for equal values, whether the driver read them or we made them. */
function textOf(values: readonly unknown[]): string {
  const stored = BSON.deserialize(BSON.serialize({ values }));
  return BSON.EJSON.stringify(stored['values'], { relaxed: true });
}

function distinct(rows: readonly Found[]): Found[] {
  return [...new Map(rows.map((row) => [textOf(row.before), row])).values()];
}
