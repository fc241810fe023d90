import type { Connection } from 'mysql2/promise';
import type { Values } from '../../core/contracts.ts';
import { rowText } from '../support/memory-table.ts';
import { never, openClient, type Flavour } from '../support/mysql-run.ts';
import { openSourceReader, openTargetReader, isEqual } from '../../verify/all.ts';
import { compareTable } from '../../verify/compare.ts';
import type { SourceReader, TargetReader, Text } from '../../verify/row.ts';
import type { TableSchema } from '../../core/table.ts';
import { readTopic, storedSchemas, type AvroTable } from './avro.ts';
import { askSource } from './oracle.ts';
import { Recorder } from './record.ts';
import { bsonTypes, catchUp, openRoute, postgresTypes, type Route, type Servers } from './routes.ts';
import { casesOf, changeFollowed, createTable, edgeCount, fillCopied, type Cases } from './rows.ts';
import { chapters, type Structure } from './structures.ts';
import { parityTables, type ParityTable } from './tables.ts';

export const DATABASE = 'parity';

/** Where rows were read back: both targets, by both routes, and the topics. */
export type Reading = 'direct postgres' | 'direct mongodb' | 'kafka postgres' | 'kafka mongodb' | 'avro';

/** Everything that was found out about one table. */
export interface Found {
  readonly table: ParityTable;
  readonly cases: number;
  readonly edges: number;
  /** Canonical values as SQL on the source says them, by case: `id`, then the columns. */
  readonly expected: readonly Values[];
  readonly images: ReturnType<Recorder['images']>;
  readonly schema: TableSchema;
  /** What verify/ reads from the source, by id. */
  readonly source: ReadonlyMap<number, readonly Text[]>;
  readonly read: ReadonlyMap<Reading, ReadonlyMap<number, readonly Text[]>>;
  readonly types: Readonly<Record<'postgres' | 'mongodb' | 'avro', readonly string[]>>;
}

/** How a structure fared: what differs, by where; nothing is equality. */
export interface FoundStructure {
  readonly structure: Structure;
  readonly differs: readonly string[];
}

export interface Outcome {
  readonly tables: readonly Found[];
  readonly structures: readonly FoundStructure[];
}

/** Writes every table at the source, lets it travel every way, and reads it wherever it went. */
export async function runParity(flavour: Flavour, seed: number, servers: Servers): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const { url } = servers.source;
  const client = await openClient(url);
  stack.defer(() => client.destroy());
  await client.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`);
  await client.query(`USE ${DATABASE}`);
  const tables = parityTables(flavour, seed).map((table) => ({ table, cases: casesOf(table, seed) }));
  const structures = chapters(flavour).flatMap((chapter) => chapter.structures);
  const recorder = new Recorder(url, DATABASE);
  const left = structures
    .filter(({ notByKafka }) => notByKafka !== undefined)
    .map(({ name }) => `!${DATABASE}.${name}`);
  const direct = await openRoute('direct', [`${DATABASE}.*`], servers);
  const kafka = await openRoute('kafka', [`${DATABASE}.*`, ...left], servers);
  const everyWay = async (): Promise<void> =>
    void (await Promise.all([recorder.catchUp(), catchUp(direct), catchUp(kafka)]));

  for (const { table, cases } of tables) {
    await createTable(client, table);
    await fillCopied(client, table, cases);
  }
  for (const { copied } of structures) for (const sql of copied) await client.query(sql);
  await everyWay();
  for (const { table, cases } of tables) await changeFollowed(client, table, cases);
  for (const { followed } of structures) for (const sql of followed) await client.query(sql);
  await everyWay();

  const readers = await openReaders(stack, url, [direct, kafka]);
  const schemas = await storedSchemas(servers.kafka.url, kafka.name);
  const found: Found[] = [];
  for (const { table, cases } of tables) {
    const topic = await readTopic(servers.kafka.url, `${kafka.name}.${DATABASE}.${table.name}`, schemas);
    found.push(await look(client, table, cases, recorder, readers, topic, direct));
  }
  const again = new Recorder(url, DATABASE);
  await again.catchUp();
  const judged: FoundStructure[] = [];
  for (const structure of structures) judged.push(await judge(client, structure, recorder, again, readers));
  return { tables: found, structures: judged };
}

interface Readers {
  readonly source: SourceReader;
  readonly schemas: ReadonlyMap<string, TableSchema>;
  readonly targets: readonly (readonly [Reading, TargetReader])[];
}

async function openReaders(stack: AsyncDisposableStack, url: string, routes: readonly Route[]): Promise<Readers> {
  const source = stack.use(await openSourceReader(url, never));
  const schemas = await source.tables([`${DATABASE}.*`], never);
  const targets: [Reading, TargetReader][] = [];
  for (const { name, targets: urls } of routes) {
    targets.push([`${name} postgres`, stack.use(await openTargetReader(urls.postgres, never))]);
    targets.push([`${name} mongodb`, stack.use(await openTargetReader(urls.mongodb, never))]);
  }
  return { source, schemas: new Map(schemas.map((schema) => [schema.name, schema])), targets };
}

function schemaOf({ schemas }: Readers, name: string): TableSchema {
  const schema = schemas.get(name);
  if (schema === undefined) throw new Error(`the source has no table ${name}`);
  return schema;
}

async function look(
  client: Connection,
  table: ParityTable,
  cases: Cases,
  recorder: Recorder,
  readers: Readers,
  topic: AvroTable,
  direct: Route,
): Promise<Found> {
  const schema = schemaOf(readers, table.name);
  const read = new Map<Reading, ReadonlyMap<number, readonly Text[]>>();
  for (const [reading, target] of readers.targets) read.set(reading, await byId(target.rows(schema, never)));
  read.set('avro', topic.rows);
  const edges = edgeCount(table);
  const postgres = await postgresTypes(direct.targets.postgres, `${DATABASE}.${table.name}`);
  const mongodb = await bsonTypes(direct.targets.mongodb, table.name, edges);
  const names = schema.columns.map(({ name }) => name);
  const listed = (types: ReadonlyMap<string, string>): string[] => names.map((name) => types.get(name) ?? '');
  return {
    table,
    cases: cases.length,
    edges,
    expected: (await askSource(client, DATABASE, table.name, 'id')).slice(0, cases.length),
    images: recorder.images(table.name),
    schema,
    source: await byId(readers.source.rows(schema, never)),
    read,
    types: { postgres: listed(postgres), mongodb: listed(mongodb), avro: topic.types },
  };
}

async function byId(batches: ReturnType<SourceReader['rows']>): Promise<ReadonlyMap<number, readonly Text[]>> {
  const rows = new Map<number, readonly Text[]>();
  for await (const batch of batches) for (const { values } of batch) rows.set(Number(values[0]), values);
  return rows;
}

async function judge(
  client: Connection,
  structure: Structure,
  followed: Recorder,
  copied: Recorder,
  readers: Readers,
): Promise<FoundStructure> {
  const name = structure.name.replaceAll('`', '');
  const schema = schemaOf(readers, name);
  const said = texts(await askSource(client, DATABASE, name, '1'));
  const differs: string[] = [];
  const tell = (where: string, rows: string): void => {
    if (rows !== said) differs.push(`${where}:\n${rows}\ninstead of\n${said}`);
  };
  if (structure.reshaped !== true) tell('followed', texts(followed.server.rows({ database: DATABASE, name })));
  tell('copied', texts(copied.server.rows({ database: DATABASE, name })));
  for (const [reading, target] of readers.targets) {
    if (structure.notByKafka !== undefined && reading.startsWith('kafka')) continue;
    const result = await compareTable(readers.source, target, schema, never, { values: true });
    if (!isEqual([result])) differs.push(`${reading}: ${JSON.stringify(result)}`);
  }
  return { structure, differs };
}

/** Rows as a bag. */
function texts(rows: readonly Values[]): string {
  return rows.map(rowText).toSorted().join('\n');
}
