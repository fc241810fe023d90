import {
  MongoClient,
  MongoError,
  MongoServerError,
  MongoServerSelectionError,
  type Collection,
  type Document,
} from 'mongodb';
import { LockstepError, type Code } from '../core/errors.ts';
import type { ColumnType, TableSchema } from '../core/table.ts';
import { fromBson, toBson, type BsonKey } from './bson.ts';
import { BATCH_ROWS, keyColumns, keyOf, type ComparedRow, type TargetReader } from './row.ts';

/**
 * Reads what MongoDB holds of the source's tables: database of the URL (else the source's), collection = table, `_id` = the primary
 * key's value or a sub-document of the key columns, all columns as fields. Shares no code with the sink.
 * Errors: TARGET_UNREACHABLE, TARGET_AUTH, TARGET_QUERY.
 */
export async function openMongodbReader(url: string, signal: AbortSignal): Promise<TargetReader> {
  const client = new MongoClient(url, {
    serverSelectionTimeoutMS: 10_000,
    promoteValues: false,
    appName: 'lockstep/verify',
  });
  const end = (): void => void client.close().catch(() => undefined);
  signal.addEventListener('abort', end, { once: true });
  await translated(client.connect());
  const named = databaseOf(url);
  const collection = (table: TableSchema): Collection<Row> =>
    client.db(named ?? table.database).collection<Row>(table.name);
  return {
    async *rows(table) {
      const sort: Document = table.key.length > 0 ? { sort: { _id: 1 } } : {};
      const cursor = collection(table).find({}, { ...sort, batchSize: BATCH_ROWS });
      const convert = compile(table);
      while (await translated(cursor.hasNext())) yield cursor.readBufferedDocuments().map(convert);
    },
    async lookup(table, keys) {
      const found = collection(table).find(
        { _id: { $in: keys.map((key) => idOf(table, key)) } },
        { batchSize: BATCH_ROWS },
      );
      return (await translated(found.toArray())).map(compile(table));
    },
    count: async (table) => await translated(collection(table).countDocuments({}, { hint: '_id_' })),
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', end);
      await client.close().catch(() => undefined);
    },
  };
}

type Id = BsonKey | ReadonlyMap<string, BsonKey>;
interface Row extends Document {
  readonly _id: Id;
}

/** The database in a MongoDB URL, null where it names none. It may name several hosts, which no URL parser takes. */
export function databaseOf(url: string): string | null {
  const name = /^[^/]*\/\/[^/]*\/([^?]*)/.exec(url)?.[1] ?? '';
  return name === '' ? null : decodeURIComponent(name);
}

function compile(table: TableSchema): (document: Document) => ComparedRow {
  const names = table.columns.map((column) => column.name);
  const types = table.columns.map((column) => column.type);
  const known = new Set(['_id', ...names]);
  return (document) => {
    const values = types.map((type, i) => {
      const name = names[i] ?? '';
      return Object.hasOwn(document, name) ? fromBson(type, document[name]) : '?absent';
    });
    const surplus = Object.keys(document).find((name) => !known.has(name)) ?? null;
    if (table.key.length === 0) return { key: [], values, surplus };
    const key = keyFrom(table, document['_id']);
    const expected = keyOf(table, values);
    const differs = key.some((text, i) => text !== expected[i]);
    return { key, values, surplus: differs ? '_id' : surplus };
  };
}

/** The key's texts out of an `_id`. */
function keyFrom(table: TableSchema, id: unknown): string[] {
  const columns = keyColumns(table);
  const [first] = columns;
  if (columns.length === 1 && first !== undefined) return [fromBson(keyType(first.type), id) ?? '?null'];
  const entries = typeof id === 'object' && id !== null ? Object.entries(id) : [];
  if (entries.length !== columns.length) return ['?_id'];
  return columns.map((column, i) => {
    const [name, value] = entries[i] ?? [];
    return name === column.name ? (fromBson(keyType(column.type), value) ?? '?null') : '?_id';
  });
}

/** An `_id` cannot be or hold a list: a SET is its labels joined by `,` there. */
function keyType(type: ColumnType): ColumnType {
  return type.kind === 'set' ? { kind: 'text' } : type;
}

function idOf(table: TableSchema, key: readonly string[]): Id {
  const columns = keyColumns(table);
  const values = columns.map((column, i) => toBson(keyType(column.type), key[i] ?? ''));
  const [only = ''] = values;
  return columns.length === 1 ? only : new Map(columns.map((column, i) => [column.name, values[i] ?? '']));
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new LockstepError(codeOf(error), `reading MongoDB for comparison: ${message}`, { cause: error });
  }
}

function codeOf(error: unknown): Code {
  if (error instanceof MongoServerSelectionError) return 'TARGET_UNREACHABLE';
  if (error instanceof MongoServerError && error.code === 18) return 'TARGET_AUTH';
  if (error instanceof MongoServerError && error.code === 13) return 'TARGET_GRANT';
  return error instanceof MongoError ? 'TARGET_QUERY' : 'BUG';
}
