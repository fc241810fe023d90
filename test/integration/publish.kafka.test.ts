import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plain } from '../support/plain.ts';
import type { Change, Values } from '../../core/contracts.ts';
import { sleep } from '../../core/signals.ts';
import { tableSchema, type TableSchema } from '../../core/table.ts';
import { compileDecoder, schemaIdOf } from '../../codec/avro/decode.ts';
import { tableFromSchema } from '../../codec/avro/table.ts';
import { openCluster, type Cluster } from '../../codec/kafka/cluster.ts';
import { createTopic, topicSettings } from '../../codec/kafka/topics.ts';
import { remoteRegistry } from '../../codec/registry/remote.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { kafka as sink } from '../../sinks/kafka/index.ts';
import { insert, marker, MemoryTarget, read, remove, truncate, update } from '../unit/core/memory.ts';
import { column, int, orders, table, text } from '../unit/core/tables.ts';
import {
  catchUp,
  consume,
  moment,
  never,
  newPipeline,
  openSink,
  publish,
  recordsOf,
  sinkOptions,
  until,
  type Places,
} from './kafka/scene.ts';

const SESSION_MS = 1000;
let servers: Server[];
let places: Places;
let cluster: Cluster;

beforeAll(async () => {
  servers = await Promise.all([
    startServer('kafka', { fast: true, args: ['group.min.session.timeout.ms=500'] }),
    startServer('registry', { fast: true }),
  ]);
  const [kafka, registry] = servers;
  places = { brokers: [kafka?.url ?? ''], registry: registry?.url ?? '' };
  cluster = await openCluster({ brokers: places.brokers, clientId: 'test' }, never);
});

afterAll(async () => {
  await cluster?.close();
  await Promise.all((servers ?? []).map((server) => server.stop()));
});

function order(id: number, note: string | null = null): Values {
  return [BigInt(id), 'paid', '12.50', note, null, id];
}

/** The changes of one key, as kind and row. */
function ofKey(target: MemoryTarget, id: number): unknown[] {
  const rows = target.changes
    .map(plain)
    .flatMap((change) => ('before' in change && 'at' in change && change.kind !== 'schema' ? [change] : []));
  return rows
    .filter(({ before, after }) => (after ?? before)?.[0] === BigInt(id))
    .map(({ kind, before, after }) => [kind, before, after]);
}

test('brings every kind of change to a target as it was', async () => {
  const pipeline = newPipeline();
  await using published = await prepared(pipeline);
  await publish(published.target, [read(order(1, 'copied')), insert(order(2)), insert(order(3))]);
  await publish(published.target, [update(order(1, 'copied'), order(1, 'updated')), remove(order(3))]);
  await publish(published.target, [
    { ...truncate(), at: moment(7) },
    { ...marker('hello'), at: moment(7) },
    insert(order(4)),
  ]);
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  expect(ofKey(target, 1)).toEqual([
    ['read', null, order(1, 'copied')],
    ['update', order(1, 'copied'), order(1, 'updated')],
  ]);
  expect(ofKey(target, 3)).toEqual([
    ['insert', null, order(3)],
    ['delete', order(3), null],
  ]);
  const others = target.changes.filter(({ kind }) => kind === 'truncate' || kind === 'marker');
  expect(others).toMatchObject([
    { kind: 'truncate', table: orders },
    { kind: 'marker', token: 'hello' },
  ]);
  expect(target.changes.findIndex(({ kind }) => kind === 'truncate')).toBe(target.changes.length - 3);
  expect(target.changes[0]).toMatchObject({
    table: orders,
    at: { file: 'binlog.000001', offset: 4, serverId: 1, committedAtMs: 1_700_000_000_000 },
  });
});

test('a change of the key is a delete with its tombstone and an insert, each in its own partition', async () => {
  const pipeline = newPipeline();
  await using published = await prepared(pipeline);
  await publish(published.target, [insert(order(1)), update(order(1), order(2, 'moved'))]);
  const records = await decoded(`${pipeline}.shop.orders`);
  const messages = (partition: number): unknown[] =>
    records.filter((r) => r.partition === partition).map((r) => r.message);
  const [old, moved] = [records.find((r) => r.message?.op === 'd'), records.filter((r) => r.message?.op === 'c')[1]];
  expect(messages(old?.partition ?? -1).slice(0, 3)).toMatchObject([{ op: 'c' }, { op: 'd', before: order(1) }, null]);
  expect(moved).toMatchObject({ message: { before: null, after: order(2, 'moved') } });
  expect(records.filter((r) => r.key === old?.key).map((r) => r.partition)).toEqual([
    old?.partition,
    old?.partition,
    old?.partition,
  ]);
});

test('creates compacted topics for tables with a key and leaves topics alone that exist', async () => {
  const pipeline = newPipeline();
  const other = tableSchema({ ...orders, name: 'kept', origin: 'shop.kept' });
  const settings = { 'cleanup.policy': 'delete', 'retention.ms': '12345678' };
  await createTopic(cluster, { topic: `${pipeline}.shop.kept`, partitions: 7, replicationFactor: 1, settings }, never);
  await using published = await prepared(pipeline, [orders, other]);
  await publish(published.target, [{ ...insert(order(1)), table: other } as Change]);
  const [created, kept] = await cluster
    .topics([`${pipeline}.shop.orders`, `${pipeline}.shop.kept`], never)
    .then(byName);
  expect([kept?.leaders.length, created?.leaders.length]).toEqual([7, 4]);
  expect((await topicSettings(cluster, `${pipeline}.shop.orders`, never)).get('cleanup.policy')).toBe('compact');
  expect((await topicSettings(cluster, `${pipeline}.shop.kept`, never)).get('retention.ms')).toBe('12345678');
  expect(await sink.plan(sinkOptions(places, pipeline), [{ table: other, indexes: [] }], never)).toMatchObject([
    {
      name: `${pipeline}.shop.kept`,
      exists: true,
      notes: [expect.stringContaining('cleanup.policy=delete')],
      columns: [{ name: 'id' }, {}, {}, {}, {}, {}],
    },
  ]);
});

test('rows without a key have no key and keep their order', async () => {
  const pipeline = newPipeline();
  const log = table('shop.log', [column('line', text), column('n', int)], []);
  await using published = await prepared(pipeline, [log]);
  const lines = Array.from({ length: 40 }, (_, i): Values => [`line ${i}`, i]);
  await publish(
    published.target,
    lines.map((line) => insert(line, log)),
  );
  await publish(published.target, [remove(['line 3', 3], log)]);
  const records = await recordsOf(places, `${pipeline}.shop.log`);
  expect(new Set(records.map(({ key, partition }) => `${String(key)} ${partition}`))).toEqual(new Set(['null 0']));
  expect((await topicSettings(cluster, `${pipeline}.shop.log`, never)).get('cleanup.policy')).toBe('delete');
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  expect(target.changes.map((change) => 'after' in change && (change.after ?? change.before))).toEqual([
    ...lines,
    ['line 3', 3],
  ]);
});

test('a message that is too large is refused before it is sent', async () => {
  const pipeline = newPipeline();
  await using published = await prepared(pipeline);
  await expect(publish(published.target, [insert(order(1, 'x'.repeat(1_100_000)))])).rejects.toMatchObject({
    code: 'KAFKA_MESSAGE',
    message: expect.stringMatching(
      /^a row \(key id\) of shop\.orders makes a message of 1100\d+ bytes; the topic \S+ takes 1048588$/,
    ),
    fix: expect.stringContaining('max.message.bytes'),
  });
});

test('a part is not seen before its transaction is committed, and never if the publisher goes', async () => {
  const pipeline = newPipeline();
  const cut = await prepared(pipeline);
  const lane = { name: 'stream', kind: 'stream' } as const;
  const part = { changes: [insert(order(1))], checkpoint: null, bytes: 1, copying: new Set<string>(), barrier: null };
  await cut.target.apply(lane, part, never);
  await cut[Symbol.asyncDispose]();
  await using published = await prepared(pipeline);
  await published.target.apply(lane, { ...part, changes: [insert(order(2))] }, never);
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  expect(target.changes).toEqual([]);
  await publish(published.target, [insert(order(3))]);
  await catchUp(places, pipeline, target);
  expect([ofKey(target, 1), ofKey(target, 2), ofKey(target, 3)].map((changes) => changes.length)).toEqual([0, 1, 1]);
});

test('a schema change comes between the rows of the old and of the new schema', async () => {
  const pipeline = newPipeline();
  const wider = tableSchema({ ...orders, columns: [...orders.columns, column('city', text, { nullable: true })] });
  await using published = await prepared(pipeline);
  const before = Array.from({ length: 20 }, (_, i) => insert(order(i)));
  const after = Array.from({ length: 20 }, (_, i) => update([...order(i), null], [...order(i), 'Brno'], wider));
  const alter: Change = {
    kind: 'schema',
    before: orders,
    after: wider,
    statement: 'ALTER TABLE orders ADD city',
    at: moment(9),
  };
  await publish(published.target, [...before, alter, ...after]);
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  expect(target.changes.map(({ kind }) => kind)).toEqual([
    ...before.map(() => 'insert'),
    'schema',
    ...after.map(() => 'update'),
  ]);
  expect(target.changes[20]).toEqual({ ...alter, at: { ...alter.at } });
  expect(target.changes[30]).toMatchObject({ table: wider });
});

test('a new target begins with the tables as they were when their topics began', async () => {
  const pipeline = newPipeline();
  const narrower = tableSchema({ ...orders, columns: orders.columns.slice(0, 3) });
  const renamed = tableSchema({ ...narrower, name: 'purchases', origin: 'shop.purchases' });
  const later = tableSchema({ ...orders, name: 'later', origin: 'shop.later' });
  const change = (before: TableSchema | null, after: TableSchema, n: number): Change => ({
    kind: 'schema',
    before,
    after,
    statement: 'x',
    at: moment(n),
  });
  await using published = await prepared(pipeline);
  await publish(published.target, [
    insert(order(1)),
    change(orders, narrower, 1),
    change(narrower, renamed, 2),
    change(null, later, 3),
  ]);
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  expect(target.prepared).toEqual([orders]);
  // Topics have no order between them: only what is in one is in order.
  const isLater = (change: Change): boolean => change.kind === 'schema' && change.after?.origin === later.origin;
  const inOrder = target.changes.filter((change) => !isLater(change));
  expect(inOrder.map(({ kind }) => kind)).toEqual(['insert', 'schema', 'schema']);
  expect(target.changes.filter(isLater)).toHaveLength(1);
});

test('a rename is applied before any row of the new name', async () => {
  const pipeline = newPipeline();
  const renamed = tableSchema({ ...orders, name: 'purchases', origin: 'shop.purchases' });
  await using published = await prepared(pipeline);
  const rename: Change = { kind: 'schema', before: orders, after: renamed, statement: 'RENAME TABLE', at: moment(9) };
  await publish(published.target, [insert(order(1)), insert(order(2)), rename, insert(order(3), renamed)]);
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  expect(target.changes.map(({ kind }) => kind)).toEqual(['insert', 'insert', 'schema', 'insert']);
});

test('a table that is created while a target follows is followed too', async () => {
  const pipeline = newPipeline();
  const later = tableSchema({ ...orders, name: 'later', origin: 'shop.later' });
  await using published = await prepared(pipeline);
  await publish(published.target, [insert(order(1))]);
  const target = new MemoryTarget();
  const stop = new AbortController();
  const following = consume(places, pipeline, target, stop.signal);
  await until('the first row', () => target.changes.length === 1);
  const create: Change = { kind: 'schema', before: null, after: later, statement: 'CREATE TABLE later', at: moment(5) };
  await publish(published.target, [create, insert(order(2), later)]);
  await until('the new table', () => target.changes.length === 3, 15);
  expect(target.changes[1]).toMatchObject({ kind: 'schema', before: null, after: later });
  stop.abort(new Error('done'));
  await following;
});

test('caught up means everything, behind aborted transactions and in empty topics too', async () => {
  const pipeline = newPipeline();
  const empty = tableSchema({ ...orders, name: 'empty', origin: 'shop.empty' });
  await using published = await prepared(pipeline, [orders, empty]);
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  expect(target.changes).toEqual([]);
  await publish(published.target, [insert(order(1)), remove(order(1))]);
  await published.target.apply(
    { name: 'copy', kind: 'copy' },
    { changes: [insert(order(2))], checkpoint: null, bytes: 1, copying: new Set(), barrier: null },
    never,
  );
  await published[Symbol.asyncDispose]();
  await catchUp(places, pipeline, target);
  expect(target.changes.map(({ kind }) => kind)).toEqual(['insert', 'delete']);
  await catchUp(places, pipeline, target);
  expect(target.changes).toHaveLength(2);
});

test('a target that takes longer than the session keeps its partitions', async () => {
  const pipeline = newPipeline();
  await using published = await prepared(pipeline);
  await publish(published.target, [insert(order(1))]);
  const [target, rival] = [new MemoryTarget(), new MemoryTarget()];
  const started = Promise.withResolvers<void>();
  target.fault = async (when) => {
    if (when === 'after') return;
    started.resolve();
    await sleep(3 * SESSION_MS, never);
  };
  const stop = new AbortController();
  const following = consume(places, pipeline, target, stop.signal, { sessionMs: SESSION_MS });
  await started.promise;
  const watching = consume(places, pipeline, rival, stop.signal, { sessionMs: SESSION_MS });
  await until('the slow batch', () => target.changes.length > 0);
  expect(rival.changes).toEqual([]);
  stop.abort(new Error('done'));
  await Promise.all([following, watching]);
});

test('commits offsets to the group, for tools that show the lag', async () => {
  const pipeline = newPipeline();
  await using published = await prepared(pipeline);
  await publish(published.target, [insert(order(1)), insert(order(2))]);
  await catchUp(places, pipeline, new MemoryTarget());
  const admin = new Kafka({ brokers: [...places.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const topic = `${pipeline}.shop.orders`;
  const [committed] = await admin.fetchOffsets({ groupId: `${pipeline}.copy`, topics: [topic] });
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const offsets = (of: readonly { partition: number; offset: string }[]): unknown =>
    of
      .filter(({ offset }) => Number(offset) > 0)
      .map(({ partition, offset }) => `${partition}:${offset}`)
      .sort();
  expect(offsets(committed?.partitions ?? [])).toEqual(offsets(ends));
});

test('reads the topics of another connector by their prefix', async () => {
  const debezium = newPipeline();
  await using published = await prepared(debezium);
  await publish(published.target, [insert(order(1)), update(order(1), order(1, 'x'))]);
  const target = new MemoryTarget();
  await catchUp(places, newPipeline(), target, { topics: debezium });
  expect(ofKey(target, 1)).toEqual([
    ['insert', null, order(1)],
    ['update', order(1), order(1, 'x')],
  ]);
});

test('the built-in registry serves publisher and consumer from its own topic', async () => {
  const pipeline = newPipeline();
  const builtIn = { brokers: places.brokers, registry: null };
  const published = await openSink(builtIn, pipeline);
  await published.prepare([orders], never);
  await publish(published, [insert(order(1))]);
  await published.close();
  const target = new MemoryTarget();
  await catchUp(builtIn, pipeline, target);
  expect(ofKey(target, 1)).toEqual([['insert', null, order(1)]]);
});

test('doctor finds everything in order, or says what is not', async () => {
  const checks = await sink.check(sinkOptions(places, newPipeline()), never);
  expect(checks.filter(({ outcome }) => outcome !== 'pass').map(({ name }) => name)).toEqual(['kafka replication']);
  const nowhere = sinkOptions({ brokers: ['127.0.0.1:1'], registry: null }, newPipeline());
  expect(await sink.check(nowhere, never)).toMatchObject([
    { outcome: 'fail', fix: expect.stringContaining('advertised.listeners') },
  ]);
  await expect(sink.open(nowhere)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
});

async function prepared(pipeline: string, tables = [orders]) {
  const target = await openSink(places, pipeline);
  await target.prepare(tables, never);
  let closing: Promise<void> | null = null;
  return { target, [Symbol.asyncDispose]: async () => await (closing ??= target.close()) };
}

function byName<T extends { readonly topic: string }>(topics: readonly T[]): T[] {
  return [...topics].sort((a, b) => (a.topic > b.topic ? -1 : 1));
}

/** A topic's messages, decoded with nothing but what the registry says. */
async function decoded(topic: string) {
  const registry = remoteRegistry(places.registry ?? '');
  const records = await recordsOf(places, topic);
  const result = [];
  for (const { partition, key, value } of records) {
    const id = value === null ? null : schemaIdOf(value);
    const schema = id === null ? null : await registry.schema(id, never);
    const message =
      value === null || schema === null ? null : compileDecoder(schema, tableFromSchema(schema, null)).decode(value, 5);
    result.push({ partition, key: key?.toString('hex') ?? '', message });
  }
  await registry.close();
  return result;
}
