import { MongoClient } from 'mongodb';
import type { Server } from '../../dev/servers/index.ts';
import { configFile, lockstep } from '../e2e/cli.ts';
import { inDatabase, onPostgres } from '../e2e/scene.ts';

/** A way from the source into both targets, as its user configures it. */
export interface Route {
  readonly name: 'direct' | 'kafka';
  readonly file: string;
  readonly targets: Readonly<Record<'postgres' | 'mongodb', string>>;
}

export interface Servers {
  readonly source: Server;
  readonly postgres: Server;
  readonly mongodb: Server;
  readonly kafka: Server;
}

/** `tables` are patterns as in a configuration. */
export async function openRoute(name: Route['name'], tables: readonly string[], servers: Servers): Promise<Route> {
  const { source, postgres, mongodb, kafka } = servers;
  await onPostgres(postgres.url, `CREATE DATABASE ${name}`);
  const targets = { postgres: inDatabase(postgres.url, name), mongodb: inDatabase(mongodb.url, name) };
  const lines = [
    `name: ${name}`,
    `source: { url: '${source.url}', tables: ${JSON.stringify(tables)} }`,
    ...(name === 'kafka' ? [`via: { kafka: ['${kafka.url}'], partitions: 1 }`, "http: { listen: '127.0.0.1:0' }"] : []),
    `targets: { warehouse: { url: '${targets.postgres}' }, catalog: { url: '${targets.mongodb}' } }`,
  ];
  return { name, file: configFile(`${lines.join('\n')}\n`), targets };
}

/** Runs until both targets hold what the source holds now. Throws with what was said where it does not end well. */
export async function catchUp({ name, file }: Route): Promise<void> {
  const { code, stderr } = await lockstep(['run', file, '--until', 'caught-up', '--json']);
  if (code !== 0) throw new Error(`${name} ended with ${String(code)}: ${stderr}`);
}

/** The types of a table's columns in PostgreSQL, by name. */
export async function postgresTypes(url: string, table: string): Promise<ReadonlyMap<string, string>> {
  const rows = await onPostgres<{ name: string; type: string }>(
    url,
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = '${table}'::regclass AND attnum > 0 AND NOT attisdropped`,
  );
  return new Map(rows.map(({ name, type }) => [name, type]));
}

/** The BSON types that a table's columns have in the documents whose `_id` is below `limit`, by name. */
export async function bsonTypes(url: string, table: string, limit: number): Promise<ReadonlyMap<string, string>> {
  const client = await MongoClient.connect(url);
  try {
    const found = await client
      .db()
      .collection(table)
      .aggregate<{ _id: string; types: string[] }>([
        { $match: { _id: { $lt: limit } } },
        { $project: { field: { $objectToArray: '$$ROOT' } } },
        { $unwind: '$field' },
        { $group: { _id: '$field.k', types: { $addToSet: { $type: '$field.v' } } } },
      ])
      .toArray();
    return new Map(
      found.map(({ _id, types }) => [
        _id,
        types
          .filter((type) => type !== 'null')
          .toSorted()
          .join(', '),
      ]),
    );
  } finally {
    await client.close();
  }
}
