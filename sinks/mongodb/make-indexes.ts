import type { Collection, IndexDirection } from 'mongodb';
import { toLockstepError } from '../../core/errors.ts';
import type { IndexedTable, LostIndex, SecondaryIndex } from '../../core/secondary-index.ts';
import type { TableSchema } from '../../core/table.ts';
import type { Connection } from './connect.ts';
import { collectionOf } from './destination.ts';
import { numberOf, targetError } from './errors.ts';

type Fields = Map<string, IndexDirection>;

/**
 * Makes the indexes that a collection lacks, one after the other; the server lets others write meanwhile. Gives those that cannot be made. Errors:
 * those that stand in the way of all, or that may pass.
 */
export async function makeIndexes(
  connection: Connection,
  { table, indexes }: IndexedTable,
  onMade: () => void,
  signal: AbortSignal,
): Promise<readonly LostIndex[]> {
  const { place, collection } = collectionOf(connection, table);
  // A member of the set that is down for long must not keep the others waiting; a standalone server knows no such thing.
  const quorum = connection.transactions ? { commitQuorum: 'majority' } : {};
  const lost: LostIndex[] = [];
  for (const index of indexes) {
    const fields = fieldsOf(table, index);
    const create = async (): Promise<void> => {
      signal.throwIfAborted();
      // An index of a collection that is not there would create it.
      if (typeof fields === 'string' || !(await isThere(collection))) return;
      await collection.createIndex(fields, { name: index.name, ...quorum });
    };
    const reason = typeof fields === 'string' ? fields : await refusalOf(create, connection.server, place);
    if (reason === null) onMade();
    else lost.push({ name: index.name, reason });
  }
  return lost;
}

async function isThere(collection: Collection): Promise<boolean> {
  const { db, name } = { db: collection.db, name: collection.collectionName };
  return await db.listCollections({ name }, { nameOnly: true }).hasNext();
}

/** The same fields have an index of another name. */
const OPTIONS_CONFLICT = 85;

/** Null once the index is there, else why it cannot be. */
async function refusalOf(create: () => Promise<void>, server: string, place: string): Promise<string | null> {
  try {
    await create();
    return null;
  } catch (thrown) {
    if (numberOf(thrown) === OPTIONS_CONFLICT) return null;
    const error = targetError(thrown, { server, doing: `making an index of ${place}` });
    const { verdict, code, message } = toLockstepError(error);
    if (verdict !== 'operator' || code === 'TARGET_GRANT') throw error;
    return refusals.get(numberOf(thrown) ?? 0) ?? message;
  }
}

/** Source: mongo/base/error_codes.yml. */
const refusals: ReadonlyMap<number, string> = new Map([
  [67, 'the server refuses it; a collection has 64 indexes at most'],
  [86, 'there is one of that name with other fields'],
  [171, 'documents have arrays in several of its fields'],
]);

/** Fields of these types may be arrays, of which a document may have one in an index. */
const arrays: ReadonlySet<string> = new Set(['set', 'json', 'vector']);

/** What `createIndex` takes; a string says why there can be none. The beginning of a value cannot be indexed, so all of it is. */
export function fieldsOf(table: TableSchema, { kind, parts }: SecondaryIndex): Fields | string {
  if (kind === 'fulltext') return 'it is a FULLTEXT index: a collection has one text index at most';
  if (kind === 'spatial')
    return 'it is a SPATIAL index: documents without valid longitude and latitude would be refused';
  if (kind === 'other') return 'MongoDB has no index of its kind';
  const columns = parts.map(({ column }) => (column === null ? undefined : table.columns[column]));
  const fields: Fields = new Map();
  for (const [i, column] of columns.entries()) {
    if (column === undefined) return 'it is over an expression';
    if (/^\$|\./.test(column.name)) return `an index cannot name the field ${column.name}`;
    fields.set(column.name, parts[i]?.descending === true ? -1 : 1);
  }
  if (columns.filter((column) => arrays.has(column?.type.kind ?? '')).length > 1)
    return 'several of its fields may be arrays';
  return fields;
}
