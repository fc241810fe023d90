import { LockstepError } from '../../core/errors.ts';
import { qualifiedName, type TableSchema } from '../../core/table.ts';
import { type Connection, placeOf } from './connect.ts';

/** Throws TARGET_SCHEMA or TARGET_NAME_COLLISION where a table cannot have its collection. */
export function checkNames(connection: Connection, tables: readonly TableSchema[]): void {
  const taken = new Map<string, TableSchema>();
  for (const table of tables) {
    const problem = nameProblem(connection, table);
    if (problem !== null) throw problem;
    const { database, collection } = placeOf(connection, table);
    const place = `${database}.${collection}`;
    const other = taken.get(place);
    if (other !== undefined && other.origin !== table.origin) {
      const message = `${other.origin} and ${table.origin} would both become the collection ${place}`;
      throw new LockstepError('TARGET_NAME_COLLISION', message, {
        fix: 'rename or route one of them, or name no database in the url',
      });
    }
    taken.set(place, table);
  }
}

/** Why the table's names are not possible in MongoDB, null where they are. Source: manual, "MongoDB Limits and Thresholds", naming restrictions. */
export function nameProblem(connection: Connection, table: TableSchema): LockstepError | null {
  const { database, collection } = placeOf(connection, table);
  const place = `${database}.${collection}`;
  if (database === connection.metadata.databaseName) {
    const message = `${table.origin} would go to the database ${database}, where Lockstep keeps its checkpoints`;
    return new LockstepError('TARGET_NAME_COLLISION', message, {
      fix: 'route the table to another database, or choose another metadata database',
    });
  }
  if (/[/\\. "$*<>:|?\0]/.test(database) || database === '' || Buffer.byteLength(database) > 63) {
    return unfit(table, `${database} is not a name for a database`, 'name a database in the url, or route the table');
  }
  if (/^$|^system\.|[$\0]/.test(collection) || Buffer.byteLength(place) > 255) {
    return unfit(table, `${collection} is not a name for a collection`, 'rename the table');
  }
  return columnProblem(table);
}

function columnProblem(table: TableSchema): LockstepError | null {
  const keys = table.key.map((index) => table.columns[index]?.name ?? '');
  if (table.columns.some(({ name }) => name === '_id') && (keys.length !== 1 || keys[0] !== '_id')) {
    return unfit(table, 'a column is named _id and is not the key', 'rename the column');
  }
  const dollar = keys.length > 1 ? keys.find((name) => name.startsWith('$')) : undefined;
  if (dollar !== undefined)
    return unfit(table, `the key column ${dollar} begins with $, which no part of an _id may`, 'rename the column');
  return null;
}

function unfit(table: TableSchema, why: string, how: string): LockstepError {
  return new LockstepError('TARGET_SCHEMA', `${table.origin} as ${qualifiedName(table)}: ${why}`, {
    fix: `${how} with a transform`,
  });
}
