import type { Collection, IndexDirection } from 'mongodb';
import type { IndexedTable, LostIndex, SecondaryIndex } from '../../core/secondary-index.ts';
import type { TableSchema } from '../../core/table.ts';
import { numberOf } from './errors.ts';

type Fields = Map<string, IndexDirection>;

/**
 * Makes the indexes that a collection lacks, one after the other; the server lets others write meanwhile. None is unique: NULL is a value like others
 * here, and rows that swap values would be refused.
 */
export async function createIndexes(
  collection: Collection,
  { table, indexes }: IndexedTable,
  onMade: () => void,
): Promise<readonly LostIndex[]> {
  const lost: LostIndex[] = [];
  for (const index of indexes) {
    const reason = await createIndex(collection, table, index);
    if (reason === null) onMade();
    else lost.push({ name: index.name, reason });
  }
  return lost;
}

/** Null once the index is there, else why it is not. */
async function createIndex(collection: Collection, table: TableSchema, index: SecondaryIndex): Promise<string | null> {
  const fields = fieldsOf(table, index);
  if (typeof fields === 'string') return fields;
  try {
    // A member of the set that is down for long must not keep the others waiting.
    await collection.createIndex(fields, { name: index.name, commitQuorum: 'majority' });
    return null;
  } catch (error) {
    const number = numberOf(error);
    if (number === OPTIONS_CONFLICT) return null;
    const reason = number === null ? undefined : refusals.get(number);
    if (reason === undefined) throw error;
    return reason;
  }
}

/** The same fields have an index of another name. */
const OPTIONS_CONFLICT = 85;

/** Source: mongo/base/error_codes.yml. */
const refusals: ReadonlyMap<number, string> = new Map([
  [67, 'the server refuses it: a collection has 64 indexes at most'],
  [86, 'there is one of that name with other fields'],
  [171, 'documents have arrays in several of its fields'],
  [197, 'the server refuses its name or its fields'],
]);

/** What `createIndex` takes; a string says why there can be none. The beginning of a value cannot be indexed, so all of it is. */
export function fieldsOf(table: TableSchema, { kind, parts }: SecondaryIndex): Fields | string {
  if (kind === 'fulltext') return 'it is a FULLTEXT index: a collection has one text index at most';
  if (kind === 'spatial')
    return 'it is a SPATIAL index: documents without valid longitude and latitude would be refused';
  if (kind === 'other') return 'MongoDB has no index of its kind';
  const fields: Fields = new Map();
  let arrays = 0;
  for (const { column: at, descending } of parts) {
    const column = at === null ? undefined : table.columns[at];
    if (column === undefined) return 'it is over an expression';
    if (/^\$|\./.test(column.name)) return `an index cannot name the field ${column.name}`;
    fields.set(column.name, descending ? -1 : 1);
    if (column.type.kind === 'set') arrays += 1;
  }
  if (arrays > 1) return 'several of its fields are arrays';
  return fields;
}
