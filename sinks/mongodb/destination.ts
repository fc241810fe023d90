import type { Collection } from 'mongodb';
import type { TableSchema } from '../../core/table.ts';
import { defaultPolicies, type PoliciesOf } from '../../core/value-policy.ts';
import { type Connection, placeOf } from './connect.ts';
import { type Documents, documentsOf } from './documents.ts';

/** Where a table's rows go and as what. Tables with the same `place` share one collection. */
export interface Destination {
  readonly place: string;
  readonly collection: Collection;
  readonly documents: Documents;
}

/** Looks up a table's destination, made once per schema. */
export function destinations(
  connection: Connection,
  policiesOf: PoliciesOf = () => defaultPolicies,
): (table: TableSchema) => Destination {
  const known = new WeakMap<TableSchema, Destination>();
  return (table) => {
    let destination = known.get(table);
    if (destination === undefined) {
      destination = { ...collectionOf(connection, table), documents: documentsOf(table, policiesOf(table)) };
      known.set(table, destination);
    }
    return destination;
  };
}

export function collectionOf(connection: Connection, table: TableSchema): Pick<Destination, 'place' | 'collection'> {
  const { database, collection } = placeOf(connection, table);
  return { place: `${database}.${collection}`, collection: connection.client.db(database).collection(collection) };
}
