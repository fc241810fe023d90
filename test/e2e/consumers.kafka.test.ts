import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configText, type PipelineConfig } from '../../dev/product.ts';
import { run } from '../../dev/servers/process.ts';
import { python } from '../../dev/servers/python.ts';
import { startServer, type Kind, type Server } from '../../dev/servers/index.ts';
import { expectEqual, expectSoonEqual } from '../support/equal.ts';
import { openClient } from '../support/mysql-run.ts';
import { createRandomTables, type RandomTable } from '../support/tables.ts';
import { RandomWriter } from '../support/writer.ts';
import { configFile, lockstep, startLockstep, until, type Running } from './cli.ts';
import { inDatabase, onPostgres } from './scene.ts';
import { seed } from '../support/seed.ts';

const TABLES = 18;
const PARTITIONS = 4;

const servers = new AsyncDisposableStack();
const running = new Map<Kind, Server>();
let client: Connection;
let interpreter: string;

beforeAll(async () => {
  const start = async (kind: Kind, args: readonly string[] = []): Promise<void> =>
    void running.set(kind, servers.use(await startServer(kind, { fast: true, own: true, args })));
  await Promise.all([
    start('mysql'),
    start('postgres'),
    start('mongodb'),
    start('kafka', ['log.cleaner.backoff.ms=200']),
    start('registry'),
    python().then((file) => (interpreter = file)),
  ]);
  client = await openClient(server('mysql').url);
  servers.defer(() => client.destroy());
});
afterAll(async () => await servers.disposeAsync());

function server(kind: Kind): Server {
  const found = running.get(kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

function pipeline(name: string, registry: string | null, targets: PipelineConfig['targets']): string {
  const [source, kafka] = [server('mysql').url, server('kafka').url];
  const tables = [`${name}.*`];
  return configFile(configText({ name, source, tables, kafka, registry, targets, listen: '127.0.0.1:0' }));
}

/** What read_topics.py prints of one topic. */
interface TopicRead {
  readonly ops: Readonly<Record<string, number>>;
  readonly tombstones: number;
  readonly rows: number;
  readonly values?: unknown;
}

/** All topics of a pipeline as a Python consumer reads them, by table; of `known` with its values. */
async function readByOthers(name: string, registry: string): Promise<Record<string, TopicRead>> {
  const script = fileURLToPath(new URL('read_topics.py', import.meta.url));
  const prefix = `${name}.${name}.`;
  const printed = await run([interpreter, script, server('kafka').url, registry, prefix, `${prefix}known`]);
  const topics = JSON.parse(printed) as Record<string, TopicRead>;
  return Object.fromEntries(Object.entries(topics).map(([topic, read]) => [topic.slice(prefix.length), read]));
}

/** Publishes what there is and ends. */
async function published(file: string): Promise<void> {
  const { code, stdout, stderr } = await lockstep(['run', file, '--only', 'source', '--until', 'caught-up', '--json']);
  expect([code, stderr], stdout).toEqual([0, expect.not.stringContaining('error')]);
}

/** The address that the process listens on, as soon as it says it. */
async function addressOf(process: Running): Promise<string> {
  const found = (): string | undefined => /listening on (\S+)/.exec(process.stdout())?.[1];
  await until(
    () => found() !== undefined,
    () => `does not listen: ${process.stdout()}${process.stderr()}`,
  );
  return found() ?? '';
}

async function stopped(process: Running): Promise<void> {
  process.process.kill('SIGTERM');
  expect((await process.ended).code, process.stderr()).toBe(0);
}

/** One table whose values are known, one that is emptied, beside those of random types. */
async function createTables(name: string): Promise<readonly RandomTable[]> {
  const tables = await createRandomTables(server('mysql').url, {
    database: name,
    seed,
    tables: TABLES,
    rows: 50,
    withoutKey: true,
  });
  await client.query(`USE ${name}`);
  await client.query(`CREATE TABLE known (
    id INT PRIMARY KEY, price DECIMAL(12,2), huge DECIMAL(65,30), big BIGINT UNSIGNED, low BIGINT,
    name VARCHAR(60) CHARACTER SET utf8mb4, latin VARCHAR(10) CHARACTER SET latin1, \`order-no\` INT UNSIGNED,
    made DATETIME(6), seen TIMESTAMP(3) NULL, born DATE, took TIME, raw VARBINARY(8), kind ENUM('a','ž'),
    tags SET('x','y','z'), doc JSON, place POINT, flag BIT(1), ratio DOUBLE, note TEXT)`);
  await client.query(`INSERT INTO known VALUES
    (1, -1234567890.50, 12345678901234567890123456789012345.000000000000000000000000000001, 18446744073709551615,
     -9223372036854775808, 'žluťoučký 🐎 "x"', '€uro', 4294967295, '2024-02-29 23:59:59.123456',
     '2024-02-29 23:59:59.120', '1999-12-31', '-838:59:59', X'00FF10', 'ž', 'z,x', '{"a": [1, 1.50, null]}',
     POINT(1, 2), b'1', 0.1, ''),
    (2, ${Array.from({ length: 19 }, () => 'NULL').join()}), (3, ${Array.from({ length: 19 }, () => 'NULL').join()})`);
  await client.query('CREATE TABLE emptied (id INT PRIMARY KEY, score DOUBLE NOT NULL DEFAULT 2)');
  await client.query('INSERT INTO emptied (id) VALUES (1), (2), (3), (4), (5)');
  return tables;
}

/** Everything that can happen to a table, and a known end of it. */
async function change(name: string, tables: readonly RandomTable[]): Promise<void> {
  await new RandomWriter(server('mysql').url, tables, { seed, transactions: 150 }).finished();
  await client.query(`USE ${name}`);
  await client.query("UPDATE known SET note = 'changed' WHERE id = 2");
  await client.query('UPDATE known SET id = 20 WHERE id = 2');
  await client.query('DELETE FROM known WHERE id = 3');
  await client.query('ALTER TABLE known ADD COLUMN late VARCHAR(10)');
  await client.query("INSERT INTO known (id, late) VALUES (4, 'ano')");
  await client.query('TRUNCATE emptied');
  await client.query('INSERT INTO emptied (id) VALUES (6)');
}

const KNOWN = {
  id: 'int 1',
  price: 'Decimal -1234567890.50',
  huge: 'Decimal 12345678901234567890123456789012345.000000000000000000000000000001',
  big: 'Decimal 18446744073709551615',
  low: 'int -9223372036854775808',
  name: 'str žluťoučký 🐎 "x"',
  latin: 'str €uro',
  order_no: 'int 4294967295',
  made: `int ${Date.UTC(2024, 1, 29, 23, 59, 59) / 1000}123456`,
  seen: 'str 2024-02-29T23:59:59.120Z',
  born: `int ${Date.UTC(1999, 11, 31) / 86_400_000}`,
  took: `int ${-(838 * 3600 + 59 * 60 + 59)}000000`,
  raw: 'bytes 00ff10',
  kind: 'str ž',
  tags: 'str x,z',
  doc: 'str {"a": [1, 1.5, null]}',
  place: { wkb: 'bytes 0101000000000000000000f03f0000000000000040', srid: null },
  flag: 'bool True',
  ratio: 'float 0.1',
  note: 'str ',
};

function rowsOf(topics: Readonly<Record<string, TopicRead>>): Record<string, number> {
  return Object.fromEntries(Object.entries(topics).map(([table, { rows }]) => [table, rows]));
}

/** By table, as the source holds them now. */
async function rowsInSource(name: string): Promise<Record<string, number>> {
  const [found] = await client.query<RowDataPacket[]>(`SHOW TABLES FROM ${name}`);
  const rows: Record<string, number> = {};
  for (const table of found.flatMap((row) => Object.values(row).map(String))) {
    const [counted] = await client.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${name}.${table}`);
    rows[table] = Number(counted[0]?.['n']);
  }
  return rows;
}

/** Lets a day pass for the topics of keyed tables: what came up to now is compacted behind the next message of each partition. */
async function compactSoon(topics: readonly string[]): Promise<void> {
  const admin = new Kafka({ brokers: [server('kafka').url], logLevel: logLevel.NOTHING }).admin();
  const settings = { 'cleanup.policy': 'compact', 'segment.ms': '50', 'min.cleanable.dirty.ratio': '0.01' };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  try {
    await admin.alterConfigs({
      validateOnly: false,
      resources: topics.map((name) => ({ type: 2, name, configEntries })),
    });
  } finally {
    await admin.disconnect();
  }
}

describe.each([
  ['Apicurio', 'apicurio', 'mongodb'],
  ['the built-in registry', 'builtin', 'postgres'],
] as const)('topics whose schemas are in %s', (_, name, later) => {
  let tables: readonly RandomTable[];
  let file: string;
  let warehouse: string;
  const configured = (): string | null => (name === 'builtin' ? null : server('registry').url);

  /** What Python reads until it is as wished, from the registry that is configured or from the one that a publisher serves. */
  const read = async (
    wished: (topics: Record<string, TopicRead>) => boolean = () => true,
  ): Promise<Record<string, TopicRead>> => {
    const remote = configured();
    const publishing = remote === null ? startLockstep(['run', file, '--only', 'source']) : null;
    let topics: Record<string, TopicRead> = {};
    try {
      const registry = publishing === null ? (remote ?? '') : `${await addressOf(publishing)}/registry`;
      await until(
        async () => wished((topics = await readByOthers(name, registry))),
        () => `read to the end: ${JSON.stringify(topics)}`,
      );
    } finally {
      if (publishing !== null) await stopped(publishing);
    }
    return topics;
  };

  beforeAll(async () => {
    warehouse = inDatabase(server('postgres').url, `${name}_first`);
    file = pipeline(name, configured(), { warehouse });
    tables = await createTables(name);
    await published(file);
    await change(name, tables);
    await published(file);
  });

  test("are read by a Python consumer with Confluent's AvroDeserializer, to the source's rows and values", async () => {
    const topics = await read();
    const expected = await rowsInSource(name);
    expect(rowsOf(topics), `seed ${seed}`).toEqual(expected);
    expect(Object.keys(topics)).toHaveLength(TABLES + 3);
    expect(topics['known']?.ops).toEqual({ r: 3, u: 1, d: 2, c: 2, m: PARTITIONS });
    expect(topics['known']?.tombstones).toBe(2);
    expect(topics['emptied']?.ops).toEqual({ r: 5, t: PARTITIONS, c: 1 });
    const nulls = Object.fromEntries(Object.keys(KNOWN).map((column) => [column, null]));
    expect(topics['known']?.values).toEqual({
      'int 1': KNOWN,
      'int 20': { ...nulls, id: 'int 20', note: 'str changed' },
      'int 4': { ...nulls, id: 'int 4', late: 'str ano' },
    });
    const ops = Object.values(topics).flatMap((topic) => Object.keys(topic.ops));
    expect(new Set(ops)).toEqual(new Set(['r', 'c', 'u', 'd', 't', 'm']));
  });

  test('bring a target that is added after they were compacted to equal contents, while the source is frozen', async () => {
    const compacted = ['known', 'emptied', ...tables.slice(0, 6).map((table) => table.name)];
    await compactSoon(compacted.map((table) => `${name}.${name}.${table}`));
    await new RandomWriter(server('mysql').url, tables, { seed: seed + 1, transactions: 100 }).finished();
    await client.query(`ALTER TABLE ${name}.known DROP COLUMN late`);
    await published(file);
    const topics = await read(({ known }) => known?.ops['r'] === 1);
    expect(rowsOf(topics), `seed ${seed}`).toEqual(await rowsInSource(name));
    if (later === 'postgres') await onPostgres(server('postgres').url, `CREATE DATABASE ${name}`);
    const added = inDatabase(server(later).url, name);
    const grown = pipeline(name, configured(), { warehouse, added });
    await server('mysql').pause();
    try {
      const { code, stdout, stderr } = await lockstep([
        'run',
        grown,
        '--only',
        'added',
        '--until',
        'caught-up',
        '--json',
      ]);
      expect([code, stderr], stdout).toEqual([0, expect.not.stringContaining('error')]);
    } finally {
      await server('mysql').resume();
    }
    expect(await expectEqual(server('mysql').url, added, [`${name}.*`])).toBeGreaterThan(TABLES * 20);
  });
});

/** How many rows a process has applied to the warehouse. */
async function appliedBy(process: Running): Promise<number> {
  const status = (await (await fetch(`${await addressOf(process)}/status`)).json()) as {
    targets: { warehouse: { total: { applied: number } } };
  };
  return status.targets.warehouse.total.applied;
}

test('two processes of one target share the partitions under writes; one is killed, and the other brings all to equal contents', async () => {
  const name = 'shared';
  await onPostgres(server('postgres').url, `CREATE DATABASE ${name}`);
  const warehouse = inDatabase(server('postgres').url, name);
  const file = pipeline(name, null, { warehouse });
  const tables = await createRandomTables(server('mysql').url, { database: name, seed, tables: 6, withoutKey: true });
  const publishing = startLockstep(['run', file, '--only', 'source']);
  const [first, second] = [0, 1].map(() => startLockstep(['run', file, '--only', 'warehouse'])) as [Running, Running];
  const processes = [publishing, first, second];
  const said = (): string => processes.map((one) => one.stdout() + one.stderr()).join('---\n');
  const writer = new RandomWriter(server('mysql').url, tables, { seed, connections: 1 });
  try {
    const both = async (least: readonly [number, number]): Promise<void> =>
      await until(async () => (await appliedBy(first)) > least[0] && (await appliedBy(second)) > least[1], said);
    await both([0, 0]);
    // Who came first may have had it all at the beginning: shared is what both go on with.
    await both([(await appliedBy(first)) + 50, (await appliedBy(second)) + 50]);
    first.process.kill('SIGKILL');
    await first.ended;
    const transactions = writer.transactions;
    await until(() => writer.transactions > transactions + 50, said);
    await writer.stop();
    expect(await expectSoonEqual(server('mysql').url, warehouse, [`${name}.*`]), said()).toBeGreaterThan(500);
    expect(second.process.exitCode, said()).toBeNull();
    await Promise.all([stopped(publishing), stopped(second)]);
  } finally {
    await writer.stop();
    for (const one of processes) one.process.kill('SIGKILL');
    await Promise.all(processes.map(async (one) => await one.ended));
  }
});
