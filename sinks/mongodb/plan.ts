import type { PlannedColumn, PlannedIndex, PlannedTable, TargetOptions } from '../../core/plugin.ts';
import type { IndexedTable, SecondaryIndex } from '../../core/secondary-index.ts';
import { untilAborted } from '../../core/signals.ts';
import type { Column, TableSchema } from '../../core/table.ts';
import { defaultPolicies, type ValuePolicies, zeroDateNote } from '../../core/value-policy.ts';
import { connect, type Connection } from './connect.ts';
import { collectionOf } from './destination.ts';
import { targetError } from './errors.ts';
import { fieldsOf } from './make-indexes.ts';
import { checkNames, nameProblem } from './names.ts';
import { bsonType } from './values.ts';

/** What would become of the tables; changes nothing. Errors: the TARGET_ codes of connecting, TARGET_NAME_COLLISION, TARGET_SCHEMA. */
export async function planTables(
  options: TargetOptions,
  indexed: readonly IndexedTable[],
  signal: AbortSignal,
): Promise<readonly PlannedTable[]> {
  const connection = await untilAborted(signal, connect(options));
  try {
    const planned: PlannedTable[] = [];
    checkNames(
      connection,
      indexed.map(({ table }) => table).filter((table) => nameProblem(connection, table) === null),
    );
    for (const { table, indexes } of indexed) {
      const plan = await untilAborted(signal, planTable(connection, table, options));
      planned.push({ ...plan, indexes: indexes.map((index) => planIndex(table, index)) });
    }
    return planned;
  } catch (error) {
    throw targetError(error, { server: connection.server, doing: 'planning' });
  } finally {
    await connection.client.close();
  }
}

function planIndex(table: TableSchema, index: SecondaryIndex): PlannedIndex {
  const fields = fieldsOf(table, index);
  if (typeof fields === 'string') return { name: index.name, to: null, note: fields };
  const keys = [...fields].map(([name, direction]) => `${name}: ${String(direction)}`);
  return { name: index.name, to: `{ ${keys.join(', ')} }`, note: null };
}

async function planTable(
  connection: Connection,
  table: TableSchema,
  { values }: TargetOptions,
): Promise<Omit<PlannedTable, 'indexes'>> {
  const policies = values?.(table) ?? defaultPolicies;
  const { place, collection } = collectionOf(connection, table);
  const problem = nameProblem(connection, table);
  if (problem !== null) {
    return {
      origin: table.origin,
      name: place,
      exists: false,
      columns: [],
      notes: [`${problem.message}; ${problem.fix}.`],
    };
  }
  const found = await connection.client
    .db(collection.dbName)
    .listCollections({ name: collection.collectionName })
    .toArray();
  const documents = found.length === 0 ? 0 : await collection.estimatedDocumentCount();
  const columns = table.columns.map((column, index) => planColumn(column, table.key.includes(index) ? null : policies));
  const notes = [...keyNotes(connection, table), ...sizeNotes(table)];
  if (documents > 0) {
    notes.push(
      `The collection holds about ${String(documents)} documents: those with the key of a row are replaced, others stay.`,
    );
  }
  return { origin: table.origin, name: place, exists: found.length > 0, columns, notes };
}

/** `policies` is null for a key column, which none changes. */
function planColumn(column: Column, policies: ValuePolicies | null): PlannedColumn {
  const { to, note } = bsonType(column.type);
  const dates = column.type.kind === 'date' || column.type.kind === 'datetime' || column.type.kind === 'timestamp';
  const notes = [note, dates ? zeroDateNote(column, policies) : null].filter((part) => part !== null);
  return { name: column.name, from: column.declared, to, note: notes.length === 0 ? null : notes.join('; ') };
}

function keyNotes({ transactions }: Connection, table: TableSchema): string[] {
  if (table.key.length > 0) return [];
  const when = transactions ? 'in the middle of a very large transaction' : 'at any time';
  return [
    'The table has no key: its documents get an ObjectId as _id, and each update and delete searches the whole collection for the old values.',
    `After a crash ${when} some of its rows can be there twice.`,
  ];
}

/** A document holds 16 MB (manual, "MongoDB Limits and Thresholds"); a long BLOB, TEXT or JSON of the source up to 4 GB. */
function sizeNotes(table: TableSchema): string[] {
  const large = table.columns
    .filter(({ declared }) => /^(?:medium|long)(?:blob|text)|^json/i.test(declared))
    .map(({ name }) => name);
  if (large.length === 0) return [];
  return [`A row above 16 MB is refused; it can grow so large in ${large.join(', ')}.`];
}
