import { hostname } from 'node:os';
import { valueAt } from '../../core/row.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Change, Target } from '../../core/contracts.ts';
import { openCluster, type Cluster } from '../../codec/kafka/cluster.ts';
import { consumerGroup } from '../../codec/kafka/names.ts';
import { createTopic } from '../../codec/kafka/topics.ts';
import { kafka as source } from '../../connectors/kafka/index.ts';
import { joinGroup, leaveGroup } from '../../connectors/kafka/membership.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { batch, checkpoint, insert, MemoryTarget, truncate, marker, update } from '../unit/core/memory.ts';
import { orders } from '../unit/core/tables.ts';
import { startChild, type Child } from './kafka/children.ts';
import {
  catchUp,
  consume,
  membersOf,
  moment,
  never,
  newFile,
  newPipeline,
  openSink,
  publish,
  sourceOptions,
  until,
  type Places,
} from './kafka/scene.ts';
import { SharedTarget, type Kept } from './kafka/shared-target.ts';

const SESSION_MS = 1000;
const LONG_SESSION_MS = 600_000;
let kafka: Server;
let registry: Server;
let places: Places;

beforeAll(async () => {
  [kafka, registry] = await Promise.all([
    startServer('kafka', { fast: true, args: ['group.min.session.timeout.ms=500'] }),
    startServer('registry', { fast: true }),
  ]);
  places = { brokers: [kafka.url], registry: registry.url };
});

afterAll(async () => {
  await Promise.all([kafka?.stop(), registry?.stop()]);
});

function order(id: number, items = 1): Change {
  return insert([BigInt(id), 'paid', '1.00', null, null, items]);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

test('a publisher that is killed between send and commit publishes every row once', async () => {
  const pipeline = newPipeline();
  for (let round = 1; round <= 3; round++) {
    await using child = startChild('publisher-process.ts', { places, pipeline });
    await until(
      () => `parts in round ${round}: ${child.said()}`,
      () => child.said().split('\n').length > 5,
    );
    child.kill('SIGKILL');
  }
  const last = await openSink(places, pipeline);
  await last.prepare([orders], never);
  const done = Number((await last.load('position', never)).get('position'));
  await last.close();
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  const ids = target.changes.map((change) => (change.kind === 'insert' ? Number(valueAt(change.after, 0)) : -1));
  expect(ids.sort((a, b) => a - b)).toEqual(range(0, done));
  expect(done).toBeGreaterThan(30);
});

test('a second publisher takes over, and the first can write no more, in no lane', async () => {
  const pipeline = newPipeline();
  const [first, second] = [await openSink(places, pipeline), await openSink(places, pipeline)];
  await first.prepare([orders], never);
  await publish(first, [order(1)], 'first');
  await first.apply({ name: 'copy/1', kind: 'copy' }, batch([order(2)]), never);
  await second.prepare([orders], never);
  expect(await second.load('', never)).toEqual(new Map([['position', 'first']]));
  const fenced = { code: 'KAFKA_FENCED', message: expect.stringContaining(pipeline) };
  await expect(
    first.apply({ name: 'copy/1', kind: 'copy' }, batch([order(3)], { checkpoint: checkpoint({ c: '1' }) }), never),
  ).rejects.toMatchObject(fenced);
  await expect(publish(first, [order(4)])).rejects.toMatchObject(fenced);
  await expect(first.apply({ name: 'copy/2', kind: 'copy' }, batch([order(5)]), never)).rejects.toMatchObject(fenced);
  await publish(second, [order(6)], 'second');
  await Promise.all([first.close(), second.close()]);
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  const ids = target.changes.map((change) => (change.kind === 'insert' ? Number(valueAt(change.after, 0)) : -1));
  expect(ids.sort((a, b) => a - b)).toEqual([1, 6]);
});

test('a target can be looked at without taking it from its publisher', async () => {
  const pipeline = newPipeline();
  const [publishing, looking] = [await openSink(places, pipeline), await openSink(places, pipeline)];
  expect(await looking.load('', never)).toEqual(new Map());
  await publishing.prepare([orders], never);
  await publish(publishing, [order(1)], 'one');
  await until('the checkpoint is seen', async () => (await looking.load('', never)).get('position') === 'one');
  await publish(publishing, [order(2)], 'two');
  await Promise.all([publishing.close(), looking.close()]);
});

test('entries are replaced, dropped by prefix, and outlive the publisher', async () => {
  const pipeline = newPipeline();
  const lane = { name: 'stream', kind: 'stream' } as const;
  const first = await openSink(places, pipeline);
  await first.apply(lane, batch([], { checkpoint: checkpoint({ a: '1', 'copy/1': 'x', 'copy/2': 'y' }) }), never);
  await first.apply(lane, batch([], { checkpoint: checkpoint({ a: '2', 'copy/3': 'z' }, ['copy/']) }), never);
  const entries = new Map([
    ['a', '2'],
    ['copy/3', 'z'],
  ]);
  expect(await first.load('', never)).toEqual(entries);
  await first.close();
  const second = await openSink(places, pipeline);
  expect(await second.load('', never)).toEqual(entries);
  expect(await second.load('copy/', never)).toEqual(new Map([['copy/3', 'z']]));
  await second.close();
});

test('topics that have just been made are read, though their leaders do not know yet that they lead', async () => {
  const pipeline = newPipeline();
  await using stack = new AsyncDisposableStack();
  const cluster = await openCluster({ brokers: places.brokers, clientId: 'test' }, never);
  stack.defer(() => cluster.close());
  const beginning = await source.open(sourceOptions(places, pipeline));
  stack.defer(() => beginning.close());
  const leaving = new AbortController();
  const following = consume(places, pipeline, new MemoryTarget(), leaving.signal);
  following.catch(() => undefined);
  for (const n of range(0, 30)) {
    const topic = `${pipeline}.shop.t${n}`;
    let made = false;
    const making = createTopic(cluster, { topic, partitions: 12, replicationFactor: 1, settings: {} }, never);
    void making.finally(() => (made = true));
    // oxlint-disable-next-line no-unmodified-loop-condition
    while (!made) await beginning.tables(never);
    await making;
  }
  leaving.abort(new Error('the test is over'));
  await following;
});

test('two consumers share the partitions; when one is killed the other goes on where it stood', async () => {
  const pipeline = newPipeline();
  await using published = await publisher(pipeline, 200);
  const file = newFile('shared.sqlite');
  await using first = consumer(pipeline, file, 20);
  const seen = new SharedTarget(file);
  await until(
    () => `the first has begun: ${first.said()}`,
    () => seen.changes().length === 200,
  );
  await using second = consumer(pipeline, file, 20);
  let id = 200;
  const flow = async (): Promise<void> =>
    await publish(
      published.target,
      range(id, (id += 20)).map((n) => order(n)),
    );
  await until('both work', async () => {
    await flow();
    return new Set(seen.changes().map((change) => change.process)).size === 2;
  });
  expect(first.said() + second.said()).not.toContain('CHECKPOINT_MOVED');
  first.kill('SIGKILL');
  await flow();
  await until(
    () => `the second has everything: ${second.said()}`,
    () => seen.changes().length >= id,
  );
  expect(idsOf(seen.changes())).toEqual(range(0, id));
  await seen.close();
});

test('a barrier over all partitions is applied once, after everything before it and before everything behind it', async () => {
  const pipeline = newPipeline();
  const file = newFile('shared.sqlite');
  await using published = await publisher(pipeline, 40);
  const seen = new SharedTarget(file);
  await using first = consumer(pipeline, file);
  await using second = consumer(pipeline, file);
  await until('both work', async () => {
    await publish(published.target, [
      update([0n, 'paid', '1.00', null, null, 1], [0n, 'paid', '1.00', null, null, 1]),
      ...range(1, 40).map((id) => order(id)),
    ]);
    return new Set(seen.changes().map((change) => change.process)).size === 2;
  });
  await publish(published.target, [
    ...range(1000, 1100).map((id) => order(id)),
    { ...truncate(), at: moment(1) },
    ...range(2000, 2100).map((id) => order(id)),
    { ...marker('m'), at: moment(1) },
  ]);
  await until(
    () => `the end: ${first.said()} ${second.said()}`,
    () => seen.changes().at(-1)?.kind === 'marker',
  );
  const changes = seen.changes();
  const cut = changes.findIndex(({ kind }) => kind === 'truncate');
  expect(changes.filter(({ kind }) => kind === 'truncate' || kind === 'marker').map(({ kind }) => kind)).toEqual([
    'truncate',
    'marker',
  ]);
  expect(idsOf(changes.slice(0, cut)).filter((id) => id >= 1000)).toEqual(range(1000, 1100));
  expect(idsOf(changes.slice(cut))).toEqual(range(2000, 2100));
  await seen.close();
});

test('a consumer that is frozen for longer than its session corrupts nothing when it wakes', async () => {
  const pipeline = newPipeline();
  const file = newFile('shared.sqlite');
  await using published = await publisher(pipeline, 0);
  const seen = new SharedTarget(file);
  await using first = consumer(pipeline, file, 20);
  await using second = consumer(pipeline, file, 20);
  let id = 0;
  const flow = async (): Promise<void> =>
    await publish(
      published.target,
      range(id, (id += 10)).map((n) => order(n)),
    );
  await until(
    () => `both work: ${first.said()} ${second.said()}`,
    async () => {
      await flow();
      return new Set(seen.changes().map((change) => change.process)).size === 2;
    },
  );
  for (let n = 0; n < 20; n++) await flow();
  await seen.betweenWrites(async () => await first.freeze());
  await until(
    () => `the second has taken over: ${second.said()}`,
    async () => {
      await flow();
      return lanesEndingWith(second, seen.changes()) === 4;
    },
  );
  first.kill('SIGCONT');
  for (let n = 0; n < 20; n++) await flow();
  await until(
    () => `everything is there: ${first.said()} ${second.said()}`,
    () => seen.changes().length >= id,
  );
  expect(idsOf(seen.changes())).toEqual(range(0, id));
  for (const lane of new Set(seen.changes().map((change) => change.lane))) {
    const ids = seen
      .changes()
      .filter((change) => change.lane === lane)
      .map(({ key }) => Number(key));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  }
  await seen.close();
});

test('a consumer that stops while it waits for others to join leaves the group at once', async () => {
  const pipeline = newPipeline();
  await using published = await publisher(pipeline, 10);
  const members = async (): Promise<number> => await membersOf(published.cluster, consumerGroup(pipeline, 'copy'));
  const file = newFile('shared.sqlite');
  await using frozen = startChild('consumer-process.ts', { places, pipeline, file, sessionMs: 30_000, slowMs: 0 });
  await until(
    () => `it has joined: ${frozen.said()}`,
    async () => (await members()) === 1,
  );
  await frozen.freeze();
  const stop = new AbortController();
  const joining = consume(places, pipeline, new MemoryTarget(), stop.signal);
  await until('another one joins', async () => (await members()) === 2);
  stop.abort(new Error('stop'));
  await joining;
  expect(await members()).toBe(1);
});

test('a consumer that was killed and is started again has its partitions at once, long before its session is over', async () => {
  const pipeline = newPipeline();
  const file = newFile('shared.sqlite');
  await using published = await publisher(pipeline, 10);
  const seen = new SharedTarget(file);
  const arrive = async (count: number, child: Child): Promise<void> =>
    await until(
      () => `${count} rows: ${child.said()}`,
      () => seen.changes().length === count,
      20,
    );
  const start = (): Child =>
    startChild('consumer-process.ts', { places, pipeline, file, sessionMs: LONG_SESSION_MS, slowMs: 0 });
  await using first = start();
  await arrive(10, first);
  await using other = start();
  const members = async (): Promise<number> => await membersOf(published.cluster, consumerGroup(pipeline, 'copy'));
  await until(
    () => `two share: ${other.said()}`,
    async () => (await members()) === 2,
  );
  first.kill('SIGKILL');
  await using second = start();
  await publish(
    published.target,
    range(10, 50).map((id) => order(id)),
  );
  await arrive(50, second);
  expect(idsOf(seen.changes())).toEqual(range(0, 50));
  await seen.close();
});

test('two processes that take each other for a successor go on side by side', async () => {
  const pipeline = newPipeline();
  await using published = await publisher(pipeline, 10);
  const [target, stop] = [new MemoryTarget(), new AbortController()];
  const group = consumerGroup(pipeline, 'copy');
  const consuming = consume(places, pipeline, target, stop.signal, { sessionMs: LONG_SESSION_MS });
  await until('it reads', () => target.changes.length === 10);
  const cluster = published.cluster;
  const namesake = {
    coordinator: await cluster.coordinator('group', group, never),
    group,
    memberId: '',
    instance: `${hostname()}-0`,
  };
  const nothing = { topics: [], held: [], generation: -1, shape: '0' };
  const timeouts = { sessionMs: LONG_SESSION_MS, rebalanceMs: LONG_SESSION_MS };
  const joined = await joinGroup(cluster, namesake, nothing, timeouts, () => undefined, never);
  await until('both are members', async () => (await membersOf(cluster, group)) === 2);
  await leaveGroup(cluster, joined, never);
  await publish(
    published.target,
    range(10, 50).map((id) => order(id)),
  );
  await until('it reads on', () => target.changes.length === 50);
  stop.abort(new Error('the test is over'));
  await consuming;
});

test('goes on after the broker was killed and has come back', async () => {
  const pipeline = newPipeline();
  const first = await openSink(places, pipeline);
  await first.prepare([orders], never);
  await publish(first, [order(1)], 'one');
  await kafka.kill();
  await expect(publish(first, [order(2)], 'two')).rejects.toMatchObject({
    verdict: 'retry',
    code: expect.stringMatching(/^KAFKA_/),
  });
  await Promise.all([first.close(), kafka.start()]);
  const second = await openSink(places, pipeline);
  await second.prepare([orders], never);
  expect(await second.load('', never)).toEqual(new Map([['position', 'one']]));
  await publish(second, [order(2)], 'two');
  await second.close();
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  expect(target.changes).toHaveLength(2);
});

function consumer(pipeline: string, file: string, slowMs = 0): Child {
  return startChild('consumer-process.ts', { places, pipeline, file, sessionMs: SESSION_MS, slowMs });
}

async function publisher(
  pipeline: string,
  rows: number,
): Promise<{ target: Target; cluster: Cluster } & AsyncDisposable> {
  const cluster = await openCluster({ brokers: places.brokers, clientId: 'test' }, never);
  const target = await openSink(places, pipeline);
  await target.prepare([orders], never);
  if (rows > 0)
    await publish(
      target,
      range(0, rows).map((id) => order(id)),
    );
  const close = async (): Promise<void> => void (await Promise.all([target.close(), cluster.close()]));
  return { target, cluster, [Symbol.asyncDispose]: close };
}

function idsOf(changes: readonly Kept[]): number[] {
  return changes
    .filter(({ kind }) => kind === 'insert')
    .map(({ key }) => Number(key))
    .sort((a, b) => a - b);
}

/** In how many lanes the newest change is of this process. */
function lanesEndingWith(child: Child, changes: readonly Kept[]): number {
  const newest = new Map(changes.map(({ lane, process }) => [lane, process]));
  return [...newest.values()].filter((process) => process === child.pid).length;
}
