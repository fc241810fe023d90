import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { column, copy, insert, int, part, read, remove, stream, table, text } from '../../../contract/changes.ts';
import { seeded } from '../../../../dev/random.ts';
import { endAbandoned } from '../../../../sinks/mongodb/abandoned.ts';
import { appNameOf } from '../../../../sinks/mongodb/connect.ts';
import { Proxy } from '../../../support/proxy.ts';
import { seed } from '../../../support/seed.ts';
import { apply, Beside, never } from './server.ts';

let beside: Beside;
beforeAll(async () => {
  beside = await Beside.start();
});
afterAll(async () => await beside.stop());

/** A process and its successor; what the first one sends can be held. */
async function scene(name: string) {
  const t = table(name, [column('id', int), column('v', text)], ['id']);
  const proxy = await Proxy.open(beside.server.url);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const options = beside.options();
  const url = `${proxy.url.replace(/\?.*/, '')}?directConnection=true`;
  const first = await beside.open({ ...options, url }, t);
  const next = async () => await beside.open(options, t);
  return { t, proxy, first, next, rows: async () => (await beside.documents(t)).map(({ id }) => Number(id)) };
}

const unfinished = [
  ['a chunk of the copy', copy],
  ['a part of a large transaction', stream],
] as const;

/** A process that is held with its second part before what it sends next contains `before`, and what its successor begins with. */
async function late(name: string, lane: typeof copy | typeof stream, before: string) {
  const { t, proxy, first, next, rows } = await scene(name.replaceAll(' ', '_'));
  const row = lane === copy ? read : insert;
  await first.apply(lane, part([row(t, [1, 'a'])]), never);
  const held = proxy.holdBefore((bytes) => bytes.includes(before));
  const writing = first.apply(lane, part([row(t, [5, 'old'])]), never);
  writing.catch(() => undefined);
  await held;
  const goOn = async (): Promise<void> => await apply(await next(), [remove(t, [5, 'old'])], '1');
  return { proxy, writing, goOn, rows };
}

it.each(unfinished)(
  'what a process has still to commit of %s is committed before its successor writes',
  async (what, lane) => {
    const { proxy, writing, goOn, rows } = await late(what, lane, 'commitTransaction');
    const before = await beside.aborted();
    const successor = goOn();
    await expect.poll(() => beside.aborted()).toBeGreaterThan(before + 1);
    proxy.release();
    await writing;
    await successor;
    expect(await rows()).toEqual([1]);
  },
);

it.each(unfinished)(
  'what a process has left uncommitted of %s is ended by its successor, which goes on',
  async (what, lane) => {
    const { proxy, writing, goOn, rows } = await late(`left ${what}`, lane, 'commitTransaction');
    await goOn();
    proxy.release();
    await expect(writing).rejects.toMatchObject({ code: 'CHECKPOINT_MOVED' });
    expect(await rows()).toEqual([1]);
  },
);

it.each(unfinished)(
  'a process that has begun to write %s and was overtaken then writes nothing of it',
  async (what, lane) => {
    const { proxy, writing, goOn, rows } = await late(`begun ${what}`, lane, 'uses');
    await goOn();
    proxy.release();
    await expect(writing).rejects.toMatchObject({ code: 'CHECKPOINT_MOVED' });
    expect(await rows()).toEqual([1]);
  },
);

it('what a process that is gone has left open is ended at once', async () => {
  const appName = 'lockstep/gone/catalog';
  const proxy = await Proxy.open(beside.server.url);
  const gone = new MongoClient(`${proxy.url.replace(/\?.*/, '')}?directConnection=true`, {
    appName,
    serverSelectionTimeoutMS: 1000,
  });
  const session = gone.startSession();
  session.startTransaction();
  await gone.db('gone').collection('rows').insertOne({ id: 1 }, { session });
  await proxy[Symbol.asyncDispose]();
  const successor = new MongoClient(beside.server.url, { appName });
  onTestFinished(() => successor.close());
  expect(await beside.openTransactions(appName)).toHaveLength(1);
  await endAbandoned(successor);
  expect(await beside.openTransactions(appName)).toEqual([]);
  await gone.close();
});

it('a process that is told to stop, whatever it is writing, leaves nothing open that its successor would wait for', async () => {
  const random = seeded(seed);
  const options = beside.options();
  const t = table('stopped', [column('id', int), column('v', text)], ['id']);
  for (let round = 0; round < 10; round += 1) {
    const target = await beside.open(options, t);
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('stop')), random.int(150));
    const rows = Array.from({ length: 3000 }, (_, id) => insert(t, [round * 3000 + id, 'v']));
    const copied = rows.map(({ after }) => read(t, after ?? []));
    await Promise.allSettled([
      target.apply(stream, part(rows), stop.signal),
      target.apply(copy, part(copied), stop.signal),
    ]);
    await target.close();
    const left = await beside.openTransactions(appNameOf(options));
    expect(left, `round ${round}, seed ${seed}`).toEqual([]);
  }
});
