import { BSON, type CommandStartedEvent, MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { send } from '../../../../sinks/mongodb/command.ts';
import { documentSequence } from '../../../../sinks/mongodb/document-sequence.ts';
import { Beside } from './server.ts';

/** What `documentSequence` relies on in the driver, whose own class it is. */

let beside: Beside;
beforeAll(async () => {
  beside = await Beside.start();
});
afterAll(async () => await beside.stop());

const documents = (...of: object[]): Buffer => Buffer.concat(of.map((one) => BSON.serialize(one)));

it('sends serialized documents as they are, many in one piece, in a transaction as outside of one', async () => {
  const shop = await beside.client.db('shop').createCollection('rows');
  const outside = { session: null, ordered: true };
  const three = documents({ _id: 1, v: 'a' }, { _id: 2, v: 'b' }, { _id: 3, v: 'c' });
  expect(await send(shop, 'insert', three, outside)).toEqual({ n: 3, refused: [] });
  await beside.client.withSession(async (session) => {
    session.startTransaction();
    const inside = { session, ordered: true };
    const updates = documents(
      { q: { _id: 1 }, u: { v: 'new' }, upsert: true },
      { q: { _id: 4 }, u: { v: 'd' }, upsert: true },
    );
    expect(await send(shop, 'update', updates, inside)).toEqual({ n: 2, refused: [] });
    expect(await send(shop, 'delete', documents({ q: { _id: 3 }, limit: 1 }), inside)).toEqual({ n: 1, refused: [] });
    expect(await shop.countDocuments(), 'nothing is visible before the commit').toBe(3);
    await session.commitTransaction();
  });
  const rows = await shop.find().sort({ _id: 1 }).toArray();
  expect(rows.map(({ _id, v }) => `${String(_id)} ${String(v)}`)).toEqual(['1 new', '2 b', '4 d']);
});

it('says which statements the server refused, the first alone where their order matters', async () => {
  const shop = await beside.client.db('shop').createCollection('validated', { validator: { v: { $ne: 'bad' } } });
  const some = documents({ _id: 1, v: 'bad' }, { _id: 2 }, { _id: 2 }, { _id: 3 });
  const numbers = async (ordered: boolean) =>
    (await send(shop, 'insert', some, { session: null, ordered })).refused.map(({ code, index }) => [index, code]);
  expect(await numbers(true)).toEqual([[0, 121]]);
  expect(await numbers(false)).toEqual([
    [0, 121],
    [2, 11000],
  ]);
});

it('is no trouble to who listens to commands, or compresses them', async () => {
  const url = beside.server.url.replace('?', '?compressors=zlib&');
  const client = new MongoClient(url, { monitorCommands: true });
  onTestFinished(() => client.close());
  const heard: string[] = [];
  client.on('commandStarted', ({ commandName }: CommandStartedEvent) => heard.push(commandName));
  const answer = await client
    .db('shop')
    .command({ insert: 'heard', documents: documentSequence('documents', documents({ _id: 1 })) });
  expect(answer).toMatchObject({ ok: 1, n: 1 });
  expect(heard).toEqual(['insert']);
});
