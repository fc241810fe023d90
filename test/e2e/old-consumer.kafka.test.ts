import { fileURLToPath } from 'node:url';
import avro from 'avsc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { remoteRegistry } from '../../codec/registry/remote.ts';
import { configText } from '../../dev/product.ts';
import { run } from '../../dev/servers/process.ts';
import { python } from '../../dev/servers/python.ts';
import { startServer, type Kind, type Server } from '../../dev/servers/index.ts';
import { recordsOf } from '../integration/kafka/scene.ts';
import { typeHook } from '../parity/avro.ts';
import { flavours, never, openClient } from '../support/mysql-run.ts';
import { configFile, lockstep } from './cli.ts';
import { inDatabase } from './scene.ts';

/** Changes that a reader built before them can live with: what it does not know it passes over, what is gone has its default. */
const changes = [
  "INSERT INTO t VALUES (2, 'before', 2, 20)",
  'ALTER TABLE t ADD x INT NOT NULL DEFAULT 7, ADD y TEXT FIRST',
  "INSERT INTO t (id, v, n, gone, y) VALUES (3, 'added', 3, 30, 'y')",
  'ALTER TABLE t DROP COLUMN gone',
  "INSERT INTO t (id, v, n) VALUES (4, 'dropped', 4)",
  "ALTER TABLE t MODIFY v VARCHAR(200) NOT NULL DEFAULT 'other', MODIFY n INT NOT NULL",
  "INSERT INTO t (id, v, n) VALUES (5, REPEAT('long ', 20), 70000)",
  'ALTER TABLE t ALTER n SET DEFAULT 9',
  'INSERT INTO t (id) VALUES (6)',
  'UPDATE t SET n = n + 1 WHERE id = 1',
];

const inserted = [
  { id: 2, v: 'before', n: 2, gone: 20 },
  { id: 3, v: 'added', n: 3, gone: 30 },
  { id: 4, v: 'dropped', n: 4, gone: null },
  { id: 5, v: 'long '.repeat(20), n: 70_000, gone: null },
  { id: 6, v: 'other', n: 9, gone: null },
];
const updated = { id: 1, v: 'first', n: 2, gone: null };

interface Message {
  readonly op: string;
  readonly after: Readonly<Record<string, unknown>> | null;
}

describe('a consumer that was built before the table changed', () => {
  const stack = new AsyncDisposableStack();
  const start = async (kind: Kind): Promise<Server> => stack.use(await startServer(kind, { fast: true, own: true }));
  let kafka: Server;
  let registry: Server;
  let postgres: Server;
  let interpreter: string;

  beforeAll(async () => {
    [kafka, registry, postgres, interpreter] = await Promise.all([
      start('kafka'),
      start('registry'),
      start('postgres'),
      python(),
    ]);
  });
  afterAll(() => stack.disposeAsync());

  it.each(flavours)('still reads every record that comes from %s', async (flavour) => {
    const name = `old_${flavour}`;
    const topic = `${name}.${name}.t`;
    const source = await start(flavour);
    await using client = await openClient(source.url);
    await client.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await client.query(`USE ${name}`);
    await client.query(
      "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20) NOT NULL DEFAULT 'v', n SMALLINT NOT NULL DEFAULT 1, gone INT)",
    );
    await client.query("INSERT INTO t VALUES (1, 'first', 1, 10)");
    const file = configFile(
      configText({
        name,
        source: source.url,
        tables: [`${name}.*`],
        kafka: kafka.url,
        registry: registry.url,
        targets: { warehouse: inDatabase(postgres.url, name) },
        listen: null,
      }),
    );
    await published(file);
    const schemas = remoteRegistry(registry.url);
    const old = (await schemas.latest(`${topic}-value`, never))?.schema ?? '';
    for (const statement of changes) await client.query(statement);
    await published(file);

    const script = fileURLToPath(new URL('read_as.py', import.meta.url));
    const printed = await run([interpreter, script, kafka.url, registry.url, topic, configFile(old)]);
    expectWhatWasWritten(JSON.parse(printed) as Message[]);
    const records = await recordsOf({ brokers: [kafka.url], registry: null }, topic);
    const bytes = records.flatMap(({ value }) => (value === null ? [] : [value]));
    expectWhatWasWritten(await readWithAvsc(old, bytes, (id) => schemas.schema(id, never)));
    await schemas.close();
  });
});

async function published(file: string): Promise<void> {
  const { code, stderr } = await lockstep(['run', file, '--only', 'source', '--until', 'caught-up']);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
}

function expectWhatWasWritten(messages: readonly Message[]): void {
  const rows = (op: string): unknown[] => messages.flatMap((message) => (message.op === op ? [message.after] : []));
  expect(rows('c').toSorted(byId)).toEqual(inserted);
  expect(rows('u')).toEqual([updated]);
  expect(rows('r')).toEqual([{ id: 1, v: 'first', n: 1, gone: 10 }]);
}

function byId(a: unknown, b: unknown): number {
  return (a as { id: number }).id - (b as { id: number }).id;
}

/** By Avro's own resolution of the writer's schema to an older reader's. */
async function readWithAvsc(
  reader: string,
  messages: readonly Buffer[],
  schemaOf: (id: number) => Promise<string>,
): Promise<Message[]> {
  const type = (schema: string): avro.Type => avro.Type.forSchema(JSON.parse(schema) as avro.Schema, { typeHook });
  const old = type(reader);
  const read: Message[] = [];
  for (const bytes of messages) {
    const resolver = old.createResolver(type(await schemaOf(bytes.readInt32BE(1))));
    const { op, after } = old.fromBuffer(bytes.subarray(5), resolver) as Message;
    read.push({ op, after: after === null ? null : { ...after } });
  }
  return read;
}
