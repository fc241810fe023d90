import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Change, Target, Values } from '../../core/contracts.ts';
import { toLockstepError } from '../../core/errors.ts';
import { Progress } from '../../core/progress.ts';
import { isRowChange } from '../../core/transform.ts';
import { valueAt, valuesOf } from '../../core/row.ts';
import { tableSchema, type TableSchema } from '../../core/table.ts';
import { openCluster, type Cluster } from '../../codec/kafka/cluster.ts';
import { deadLetterTopic } from '../../codec/kafka/names.ts';
import { createTopic } from '../../codec/kafka/topics.ts';
import { type Random, seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { kafka as sink, type KafkaTargetOptions } from '../../sinks/kafka/index.ts';
import { seed } from '../support/seed.ts';
import { batch, insert, MemoryTarget, read, remove, truncate, update } from '../unit/core/memory.ts';
import { column, int, orders, table, text } from '../unit/core/tables.ts';
import {
  catchUp,
  moment,
  never,
  newPipeline,
  publish,
  recordsOf,
  sinkOptions,
  until,
  type Places,
} from './kafka/scene.ts';

const LIMIT = 20_000;
const all = { table: null, key: null };
const large = 'x'.repeat(LIMIT);
let kafka: Server;
let places: Places;
let cluster: Cluster;

beforeAll(async () => {
  kafka = await startServer('kafka', { fast: true });
  places = { brokers: [kafka.url], registry: null };
  cluster = await openCluster({ brokers: places.brokers, clientId: 'test' }, never);
});

afterAll(async () => {
  await cluster?.close();
  await kafka?.stop();
});

function order(id: number, note: string | null = null): Values {
  return [BigInt(id), 'paid', '12.50', note, null, id];
}

interface Scene {
  readonly pipeline: string;
  readonly progress: Progress;
  target: Target;
  /** Another process goes on. */
  reopen(): Promise<void>;
  letters(): Promise<(readonly [keys: string, state: string, kind: string])[]>;
  retry(): Promise<(string | null)[]>;
  drop(): Promise<number>;
  /** The topic takes larger messages from now on. */
  raise(): Promise<void>;
  /** What a consumer is brought, in order. */
  changes(): Promise<readonly Change[]>;
  /** The notes of the rows that a consumer has, by id. */
  rows(): Promise<Record<string, unknown>>;
}

/** A pipeline whose topic takes messages of 20 kB. */
async function scene(t: TableSchema = orders, more: Partial<KafkaTargetOptions> = {}): Promise<Scene> {
  const pipeline = newPipeline();
  const topic = `${pipeline}.${t.origin}`;
  const policy = t.key.length > 0 ? 'compact' : 'delete';
  const settings = { 'cleanup.policy': policy, 'max.message.bytes': String(LIMIT) };
  await createTopic(cluster, { topic, partitions: 4, replicationFactor: 1, settings }, never);
  const progress = new Progress();
  const options = sinkOptions(places, pipeline, { progress, deadLetterLimit: 1000, ...more });
  const open = async (): Promise<Target> => {
    const target = await sink.open(options);
    onTestFinished(async () => await target.close());
    await target.prepare([t], never);
    return target;
  };
  const letters = await sink.deadLetters?.(options);
  if (letters === undefined) throw new Error('Kafka keeps no dead letters');
  onTestFinished(async () => await letters.close());
  const opened: Scene = {
    pipeline,
    progress,
    target: await open(),
    async reopen() {
      await opened.target.close();
      opened.target = await open();
    },
    async letters() {
      const list = await letters.list(all, never);
      return list.map(({ keys, state, change }) => [keys.join(' '), state, change.kind] as const);
    },
    retry: async () => (await letters.retry(all, never)).map(({ refused }) => refused?.code ?? null),
    drop: async () => await letters.drop(all, never),
    raise: async () => await raise(topic, policy),
    async changes() {
      const consumer = new MemoryTarget();
      await catchUp(places, pipeline, consumer);
      return consumer.changes;
    },
    async rows() {
      const rows = new Map<string, unknown>();
      for (const change of await opened.changes()) {
        if (change.kind === 'truncate') rows.clear();
        if (!isRowChange(change)) continue;
        if (change.before !== null) rows.delete(String(valueAt(change.before, 0)));
        if (change.after !== null) rows.set(String(valueAt(change.after, 0)), valueAt(change.after, 3));
      }
      return Object.fromEntries(rows);
    },
  };
  return opened;
}

async function raise(topic: string, policy: string): Promise<void> {
  const admin = new Kafka({ brokers: [...places.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const configEntries = [
    { name: 'cleanup.policy', value: policy },
    { name: 'max.message.bytes', value: '10000000' },
  ];
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
  await admin.disconnect();
}

test('a row that is too large is set aside, later changes of its key wait behind it, also after a restart, and others go on', async () => {
  const s = await scene();
  await publish(s.target, [
    insert(order(1)),
    insert(order(2, large)),
    insert(order(3)),
    update(order(2), order(2, 'b')),
  ]);
  expect(await s.letters()).toEqual([
    ['2', 'refused', 'insert'],
    ['2', 'waiting', 'update'],
  ]);
  await s.reopen();
  await publish(s.target, [remove(order(2, 'b')), update(order(3), order(3, 'c'))], 'y');
  expect((await s.letters()).map(([, state]) => state)).toEqual(['refused', 'waiting', 'waiting']);
  expect(await s.rows()).toEqual({ 1: null, 3: 'c' });
  expect(await s.target.load('', never)).toEqual(new Map([['position', 'y']]));
});

test('of a change of the key that does not fit nothing is published, and both keys wait', async () => {
  const s = await scene();
  await publish(s.target, [insert(order(1)), insert(order(3)), update(order(1), order(2, large))]);
  await publish(s.target, [update(order(2, large), order(2, 'b')), insert(order(1, 'again'))]);
  expect(await s.letters()).toEqual([
    ['1 2', 'refused', 'update'],
    ['2', 'waiting', 'update'],
    ['1', 'waiting', 'insert'],
  ]);
  expect(await s.rows()).toEqual({ 1: null, 3: null });
  await s.raise();
  expect(await s.retry()).toEqual([null]);
  expect(await s.rows()).toEqual({ 1: 'again', 2: 'b', 3: null });
});

test('a retry stays refused until the topic takes it, and then publishes in order, in one transaction, beside a publisher that begins again', async () => {
  const s = await scene();
  const changes = [
    insert(order(1, large)),
    update(order(1, large), order(1, 'b')),
    update(order(1, 'b'), order(1, large)),
  ];
  await publish(s.target, [...changes, insert(order(2, large)), insert(order(3))]);
  expect(await s.retry()).toEqual(['KAFKA_MESSAGE', 'KAFKA_MESSAGE']);
  expect(await s.letters()).toHaveLength(4);
  await s.reopen();
  await s.raise();
  expect(await s.retry()).toEqual([null, null]);
  expect(await s.letters()).toEqual([]);
  await expect(publish(s.target, [insert(order(4))])).rejects.toMatchObject({
    code: 'CHECKPOINT_MOVED',
    verdict: 'retry',
  });
  await s.reopen();
  await publish(s.target, [update(order(1, large), order(1, 'last'))]);
  const ofFirst = (await s.changes())
    .filter(isRowChange)
    .filter(({ before, after }) => valueAt(after ?? before ?? [], 0) === 1n);
  expect(ofFirst.map(({ after }) => (after === null ? null : valueAt(after, 3)))).toEqual([large, 'b', large, 'last']);
  expect(await s.rows()).toEqual({ 1: 'last', 2: large, 3: null });
});

test('a row that was mended at the source is good once it is retried, though its first change still is not', async () => {
  const s = await scene();
  await publish(s.target, [insert(order(2)), update(order(2), order(2, large)), read(order(1, large))]);
  expect(await s.retry()).toEqual(['KAFKA_MESSAGE', 'KAFKA_MESSAGE']);
  await s.reopen();
  await publish(s.target, [update(order(1, large), order(1, 'short')), remove(order(2, large))]);
  expect(await s.retry()).toEqual([null, null]);
  expect(await s.rows()).toEqual({ 1: 'short' });
});

test('drop forgets, and what the topic takes since is asked before a row is set aside', async () => {
  const s = await scene();
  await publish(s.target, [insert(order(1, large))]);
  expect([await s.drop(), await s.letters(), await s.drop()]).toEqual([1, [], 0]);
  await s.reopen();
  await s.raise();
  await publish(s.target, [insert(order(1, large)), insert(order(2, large))]);
  expect([await s.letters(), await s.rows()]).toEqual([[], { 1: large, 2: large }]);
});

test('a change larger than any message is kept whole', async () => {
  const s = await scene();
  const huge = Array.from({ length: 3_000_000 }, (_, i) => String.fromCodePoint(33 + (i % 90))).join('');
  await publish(s.target, [insert(order(1, huge)), insert(order(2))]);
  const letters = await sink.deadLetters?.(sinkOptions(places, s.pipeline));
  onTestFinished(async () => await letters?.close());
  const [letter] = (await letters?.list({ table: 'shop.orders', key: '1' }, never)) ?? [];
  expect(letter).toMatchObject({
    id: '1',
    origin: 'shop.orders',
    code: 'KAFKA_MESSAGE',
    change: { at: { offset: 4 } },
  });
  expect(valuesOf(letter?.change.after ?? [])[3] === huge).toBe(true);
  expect(await s.drop()).toBe(1);
  const left = new Map<string, Buffer | null>();
  for (const { key, value } of await recordsOf(places, deadLetterTopic(s.pipeline))) left.set(String(key), value);
  expect([left.size > 3, [...left.values()].every((value) => value === null)]).toEqual([true, true]);
});

test('a truncate takes the letters along, and other columns make them outdated', async () => {
  const s = await scene();
  await publish(s.target, [insert(order(1, large)), truncate(), insert(order(1, 'new')), insert(order(2, large))]);
  expect(await s.letters()).toEqual([['2', 'refused', 'insert']]);
  const wider = tableSchema({ ...orders, columns: [...orders.columns, column('city', text, { nullable: true })] });
  await publish(s.target, [{ kind: 'schema', before: orders, after: wider, statement: 'ALTER', at: moment(9) }]);
  await s.raise();
  expect(await s.retry()).toEqual(['TARGET_SCHEMA']);
  await s.reopen();
  await publish(s.target, [update([...order(2), null], [...order(2), 'Brno'], wider)]);
  expect(await s.letters()).toHaveLength(2);
  await publish(s.target, [{ kind: 'schema', before: wider, after: null, statement: 'DROP', at: moment(10) }]);
  expect(await s.letters()).toEqual([]);
});

test('a value that Avro has not is set aside, and each is counted by its reason', async () => {
  const day = table('shop.days', [column('id', int), column('day', { kind: 'date' })]);
  const s = await scene(day);
  await publish(s.target, [
    insert([1, '2020-01-01'], day),
    insert([2, '0000-00-00'], day),
    remove([2, '0000-00-00'], day),
  ]);
  s.progress.applied({ tables: new Map([['shop.days', { read: 3, filtered: 0, copied: 0 }]]), newestAtMs: null });
  expect(s.progress.table('shop.days')).toMatchObject({ applied: 1, reasons: { KAFKA_MESSAGE: 1, WAITING: 1 } });
  expect(await s.letters()).toEqual([
    ['2', 'refused', 'insert'],
    ['2', 'waiting', 'delete'],
  ]);
});

test('of a table without a key each row is set aside for itself, and retried in order', async () => {
  const log = table('shop.log', [column('line', text)], []);
  const s = await scene(log);
  const lines = ['a', large, 'b', large].map((line) => insert([line], log));
  await publish(s.target, [...lines, remove([large], log), insert(['c'], log)]);
  expect((await s.letters()).map(([, state, kind]) => `${state} ${kind}`)).toEqual([
    'refused insert',
    'waiting insert',
    'waiting delete',
  ]);
  expect(await s.retry()).toEqual(['KAFKA_MESSAGE']);
  await s.raise();
  expect(await s.retry()).toEqual([null]);
  const order = (await s.changes()).map(({ kind }) => kind);
  expect(order).toEqual(['insert', 'insert', 'insert', 'insert', 'insert', 'delete']);
});

test('one letter more than the limit stops it, nothing of the batch published', async () => {
  const s = await scene(orders, { deadLetterLimit: 2 });
  await publish(s.target, [insert(order(1, large)), insert(order(2, large))], 'good');
  const stopped = publish(s.target, [insert(order(3)), insert(order(4, large))], 'bad');
  await expect(stopped).rejects.toMatchObject({
    code: 'TARGET_DEAD_LETTERS',
    message: expect.stringMatching(/KAFKA_MESSAGE/),
  });
  await s.reopen();
  expect(await s.target.load('', never)).toEqual(new Map([['position', 'good']]));
  expect([await s.rows(), (await s.letters()).length]).toEqual([{}, 2]);
});

test('letters are there with the checkpoint of their changes, and not before', async () => {
  const s = await scene();
  await s.target.apply({ name: 'stream', kind: 'stream' }, batch([insert(order(1, large)), insert(order(2))]), never);
  await s.reopen();
  expect(await s.letters()).toEqual([]);
  await s.target.apply({ name: 'stream', kind: 'stream' }, batch([insert(order(1, large))]), never);
  await publish(s.target, [update(order(1, large), order(1, 'b'))]);
  expect(await s.letters()).toHaveLength(2);
});

interface Habits {
  readonly keys: number;
  /** The share of rows that are too large. */
  readonly large: number;
}

/** What a source does next; `source` has its notes by id. */
function randomChanges(random: Random, source: Map<number, string>, { keys, large: share }: Habits): Change[] {
  return Array.from({ length: 40 }, (): Change => {
    const [id, to] = [random.int(keys), random.int(keys)];
    const note = `${random.chance(share) ? large : ''} ${random.next()}`;
    const before = source.get(id);
    source.delete(id);
    if (before !== undefined && random.chance(0.3)) return remove(order(id, before));
    const after = before === undefined || source.has(to) ? id : to;
    source.set(after, note);
    return before === undefined ? insert(order(id, note)) : update(order(id, before), order(after, note));
  });
}

async function expectInStep(s: Scene, source: ReadonlyMap<number, string>): Promise<void> {
  await s.raise();
  expect(
    (await s.retry()).filter((code) => code !== null),
    `seed ${seed}`,
  ).toEqual([]);
  expect(await s.letters(), `seed ${seed}`).toEqual([]);
  expect(await s.rows(), `seed ${seed}`).toEqual(Object.fromEntries(source));
}

test('whatever comes, goes and is retried in between, at last a consumer has what the source has', async () => {
  const random = seeded(seed);
  const s = await scene();
  const source = new Map<number, string>();
  for (let round = 0; round < 12; round += 1) {
    await publish(s.target, randomChanges(random, source, { keys: 12, large: 0.25 }), String(round));
    const retries = random.chance(0.3);
    if (retries) await s.retry();
    if (retries || random.chance(0.3)) await s.reopen();
  }
  await expectInStep(s, source);
});

test('a publisher that never rests gives way to each retry, and loses nothing', async () => {
  const random = seeded(seed);
  const s = await scene(orders, { deadLetterLimit: 50_000 });
  const source = new Map<number, string>();
  const done = new AbortController();
  let batches = 0;
  let began = 0;
  const publishing = (async () => {
    while (!done.signal.aborted) {
      const changes = randomChanges(random, source, { keys: 1000, large: 0.01 });
      // As a source does it: what was not committed comes again.
      for (; !(await isPublished(s, changes, String(batches))); began += 1) await s.reopen();
      batches += 1;
    }
  })();
  for (let retries = 0; retries < 5; retries += 1) {
    const before = batches;
    await until('the next batches', () => batches > before + 10);
    await s.retry();
  }
  done.abort();
  await publishing;
  expect(began, `seed ${seed}`).toBeGreaterThan(0);
  await expectInStep(s, source);
});

/** Publishes unless it is done already, as the checkpoint says; false where it is to be tried again. */
async function isPublished({ target }: Scene, changes: readonly Change[], token: string): Promise<boolean> {
  try {
    if ((await target.load('position', never)).get('position') !== token) await publish(target, changes, token);
    return true;
  } catch (error) {
    if (toLockstepError(error).verdict !== 'retry') throw error;
    return false;
  }
}
