import { BSON } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, Values } from '../../../../core/contracts.ts';
import { cascadesOf } from '../../../../core/cascade.ts';
import type { ForeignKey } from '../../../../core/foreign-key.ts';
import { expand } from '../../../../sinks/mongodb/cascade.ts';
import { destinations } from '../../../../sinks/mongodb/destination.ts';
import { writeCascade } from '../../../../sinks/mongodb/writes.ts';
import type { TableSchema } from '../../../../core/table.ts';
import {
  column,
  copy,
  insert,
  int,
  part,
  read,
  remove,
  stream,
  table,
  text,
  truncate,
  update,
} from '../../../contract/changes.ts';
import { apply, Beside, never } from './server.ts';

let beside: Beside;
beforeAll(async () => {
  beside = await Beside.start();
});
afterAll(() => beside.stop());

let serial = 0;
function simple(...key: string[]): TableSchema {
  serial += 1;
  return table(`t${String(serial)}`, [column('id', int), column('v', text)], key);
}

const moved = expect.objectContaining({ code: 'CHECKPOINT_MOVED' });
/** What the manual says a document may hold, in bytes. */
const LARGEST = 16 << 20;
const blob = (megabytes: number): string => 'x'.repeat(megabytes << 20);

describe('what foreign keys did', () => {
  it('is found again where a crash left it half done, and goes beyond one transaction', async () => {
    const a = simple('id');
    const b = table(`${a.name}b`, [column('id', int), column('a_id', int)], ['id']);
    const c = table(`${a.name}c`, [column('id', int), column('b_id', int)], ['id']);
    const refers = (child: TableSchema, parent: TableSchema): ForeignKey => {
      const actions = { onDelete: 'cascade', onUpdate: 'none' } as const;
      return { name: child.name, child, columns: [1], parent, references: [0], ...actions };
    };
    const gone = remove(a, [1, 'x']);
    const [cascade] = cascadesOf(gone, [refers(b, a), refers(c, b)]);
    if (cascade === undefined) throw new Error('nothing follows');
    const ids = Array.from({ length: 1500 }, (_, id) => id);
    const options = beside.options();
    const target = await beside.open(options, a, b, c);
    await apply(target, [insert(a, [1, 'x']), ...ids.flatMap((id) => [insert(b, [id, 1]), insert(c, [id, id])])], '1');
    const connection = { client: beside.client, database: null, transactions: true, server: '' };
    const writes = await expand(cascade, destinations({ ...connection, metadata: beside.client.db('lockstep') }), null);
    await writeCascade(null, writes.slice(0, 2000));
    expect((await beside.documents(b)).length).toBe(1000);
    await apply(await beside.open(options, a, b, c), [gone, cascade], '2');
    expect([await beside.documents(a), await beside.documents(b), await beside.documents(c)]).toEqual([[], [], []]);
  });
});

describe('one writer (G8)', () => {
  it('lets a process that lost its lane write no row, not even of a part', async () => {
    const options = beside.options();
    const t = simple('id');
    const zombie = await beside.open(options, t);
    await apply(zombie, [insert(t, [1, 'a'])], '1');
    const successor = await beside.open(options, t);
    await successor.apply(stream, part([update(t, [1, 'a'], [1, 'new'])]), never);
    await expect(zombie.apply(stream, part([update(t, [1, 'a'], [1, 'stale'])]), never)).rejects.toEqual(moved);
    await expect(apply(zombie, many(t, 2500), '2')).rejects.toEqual(moved);
    expect(await beside.documents(t)).toEqual([{ _id: 1, id: 1, v: 'new' }]);
    await apply(successor, [], '2');
  });

  it('lets a process that slept since its start write no row', async () => {
    const options = beside.options();
    const t = simple('id');
    const sleeper = await beside.open(options, t);
    const other = await beside.open(options, t);
    await apply(other, [insert(t, [1, 'new'])], '1');
    await expect(sleeper.apply(stream, part([insert(t, [1, 'stale'])]), never)).rejects.toEqual(moved);
    await sleeper.load('other/', never);
    await expect(sleeper.apply(stream, part([insert(t, [1, 'stale'])]), never)).rejects.toEqual(moved);
    expect(await beside.documents(t)).toEqual([{ _id: 1, id: 1, v: 'new' }]);
  });

  it('takes a lane back after loading what another process made of it', async () => {
    const options = beside.options();
    const one = await beside.open(options);
    const two = await beside.open(options);
    await apply(one, [], '1');
    await two.load('', never);
    await apply(two, [], '2');
    await one.load('', never);
    await apply(one, [], '3');
    expect(await one.load('', never)).toEqual(new Map([['stream', '3']]));
  });

  it('has every row of a large batch once when the batch comes again', async () => {
    const options = beside.options();
    const t = simple('id');
    const changes = many(t, 4500);
    for (const token of ['1', '1']) {
      const target = await beside.open(options, t);
      await apply(target, changes, token);
    }
    expect(await beside.documents(t)).toHaveLength(4500);
  });
});

describe('tables without a key', () => {
  it('apply each change to one document with exactly the old values', async () => {
    const t = simple();
    const target = await beside.open(beside.options(), t);
    await apply(target, [insert(t, [1, 'a']), insert(t, [1, 'a']), insert(t, [1, null]), insert(t, [2, 'b'])], '1');
    await apply(target, [update(t, [1, 'a'], [1, 'c']), remove(t, [1, null]), update(t, [2, 'b'], [2, null])], '2');
    expect((await values(t)).toSorted()).toEqual(['1 a', '1 c', '2 null']);
  });

  it('refuse a change whose old row is not there, unless the table is being copied', async () => {
    const t = simple();
    const target = await beside.open(beside.options(), t);
    const changes = [insert(t, [1, 'a']), update(t, [2, 'x'], [2, 'y']), remove(t, [3, 'x'])];
    const refused = expect.objectContaining({
      code: 'TARGET_ROW_REFUSED',
      message: expect.stringContaining('2 changes'),
    });
    await expect(apply(target, changes, '1')).rejects.toEqual(refused);
    expect(await values(t)).toEqual([]);
    await apply(target, changes, '1', { copying: new Set([t.origin]) });
    expect(await values(t)).toEqual(['1 a']);
  });

  it('do not double when a batch is refused and comes again (G1)', async () => {
    const options = beside.options();
    const t = simple();
    const first = await beside.open(options, t);
    const second = await beside.open(options, t);
    await apply(first, many(t, 3000), '1');
    await expect(apply(second, many(t, 3000), '1')).rejects.toEqual(moved);
    expect(await values(t)).toHaveLength(3000);
  });

  it('find rows by names that only a pipeline can say', async () => {
    serial += 1;
    const t = table(`t${String(serial)}`, [column('a.b', int), column('$v', text), column('7', text)], []);
    const target = await beside.open(beside.options(), t);
    await apply(target, [insert(t, [1, 'a', 'x']), insert(t, [2, null, 'x'])], '1');
    await apply(target, [update(t, [1, 'a', 'x'], [1, 'b', 'x']), remove(t, [2, null, 'x'])], '2');
    expect(await beside.documents(t)).toEqual([{ _id: expect.anything(), 'a.b': 1, $v: 'b', '7': 'x' }]);
  });
});

describe('documents', () => {
  it('keep columns of any name', async () => {
    serial += 1;
    const names = ['__proto__', '$set', 'a.b', '10', '9', '_bsontype', 'toBSON', ''];
    const t = table(`t${String(serial)}`, [column('id', int), ...names.map((name) => column(name, int))], ['id', '9']);
    const row = (v: number): Values => [1, v, v, v, v, 5, v, v, v];
    const target = await beside.open(beside.options(), t);
    await apply(target, [insert(t, row(1))], '1');
    await apply(target, [update(t, row(1), row(2))], '2');
    const [document = {}] = await beside.documents(t);
    expect(Object.keys(document).toSorted()).toEqual(['_id', 'id', ...names].toSorted());
    expect(names.map((name) => document[name])).toEqual([2, 2, 2, 2, 5, 2, 2, 2]);
    await apply(target, [remove(t, row(2))], '3');
    expect(await beside.documents(t)).toEqual([]);
  });

  it('have a SET key as its text, for an _id cannot be an array', async () => {
    serial += 1;
    const t = table(
      `t${String(serial)}`,
      [column('id', { kind: 'set', labels: ['a', 'b'] }), column('v', int)],
      ['id'],
    );
    const target = await beside.open(beside.options(), t);
    await apply(target, [insert(t, ['a,b', 1])], '1');
    expect(await beside.documents(t)).toEqual([{ _id: 'a,b', id: ['a', 'b'], v: 1 }]);
  });

  it('go to the database of the url', async () => {
    const t = simple('id');
    const url = beside.server.url.replace('/?', '/elsewhere?');
    const target = await beside.open(beside.options({ url }), t);
    await apply(target, [insert(t, [1, 'a'])], '1');
    expect(await beside.documents(t, 'elsewhere')).toHaveLength(1);
  });

  it('may be many megabytes together, and 16 MB each', async () => {
    const t = simple('id');
    const target = await beside.open(beside.options(), t);
    const rows = Array.from({ length: 6 }, (_, id): Values => [id, blob(9)]);
    const bytes = 6 * (9 << 20);
    await apply(
      target,
      rows.map((row) => insert(t, row)),
      '1',
      { bytes },
    );
    await target.apply(copy, { ...part(rows.map((row) => read(t, row))), bytes }, never);
    expect(await beside.client.db('shop').collection(t.name).countDocuments()).toBe(6);
    const refused = expect.objectContaining({ code: 'TARGET_ROW_REFUSED', message: expect.stringContaining(t.name) });
    await expect(apply(target, [insert(t, [7, blob(17)])], '2', { bytes: 17 << 20 })).rejects.toEqual(refused);
    await expect(apply(target, [insert(t, [7, blob(40)])], '2', { bytes: 40 << 20 })).rejects.toEqual(refused);
  });

  it.each([0, 1, 17])(
    'may fill a document but for %s bytes, new or changed, copied or streamed, alone or with others',
    async (but) => {
      const t = simple('id');
      const target = await beside.open(beside.options(), t);
      const most = LARGEST - BSON.calculateObjectSize({ _id: 1, id: 1, v: '' });
      const full = (letter: string): string => letter.repeat(most - but);
      const bytes = LARGEST;
      await apply(target, [insert(t, [1, 'a']), insert(t, [2, full('a')])], '1', { bytes });
      await apply(target, [update(t, [1, 'a'], [1, full('b')]), insert(t, [3, 'b'])], '2', { bytes });
      await apply(target, [update(t, [1, full('b')], [1, full('c')])], '3', { bytes });
      await target.apply(copy, { ...part([read(t, [4, full('d')]), read(t, [5, 'd'])]), bytes }, never);
      const documents = await beside.documents(t);
      expect(documents.map(({ id, v }) => [id, String(v).length, String(v)[0]])).toEqual([
        [1, most - but, 'c'],
        [2, most - but, 'a'],
        [3, 1, 'b'],
        [4, most - but, 'd'],
        [5, 1, 'd'],
      ]);
      const beyond = 'x'.repeat(most + 1);
      const refused = expect.objectContaining({ code: 'TARGET_ROW_REFUSED', message: expect.stringContaining(t.name) });
      await expect(apply(target, [insert(t, [6, beyond])], '4', { bytes })).rejects.toEqual(refused);
    },
  );
});

describe('refusals', () => {
  it('say which collection refused a row, and no value', async () => {
    const t = simple('id');
    await beside.client.db('shop').createCollection(t.name, { validator: { v: { $ne: 'secret' } } });
    await beside.client.db('shop').collection(t.name).createIndex({ v: 1 }, { unique: true });
    const target = await beside.open(beside.options(), t);
    for (const changes of [[insert(t, [1, 'secret'])], [insert(t, [1, 'b']), insert(t, [2, 'b'])]]) {
      const error: unknown = await apply(target, changes, '1').catch((error: unknown) => error);
      expect(error).toMatchObject({ code: 'TARGET_ROW_REFUSED', message: expect.stringContaining(t.name) });
      expect(JSON.stringify([String(error), error instanceof Error ? error.cause : null])).not.toMatch(/secret|"b"/);
    }
    expect(await beside.documents(t)).toEqual([]);
  });

  it('come for tables that would share a collection or take ours', async () => {
    const one = simple('id');
    const two = { ...one, database: 'other', origin: 'other.t' };
    const collision = expect.objectContaining({ code: 'TARGET_NAME_COLLISION' });
    const url = beside.server.url.replace('/?', '/both?');
    await expect(beside.open(beside.options({ url }), one, two)).rejects.toEqual(collision);
    await expect(beside.open(beside.options({ metadata: 'shop' }), one)).rejects.toEqual(collision);
  });

  it.each([
    table('system.x', [column('id', int)], ['id']),
    table('a$b', [column('id', int)], ['id']),
    table('n'.repeat(300), [column('id', int)], ['id']),
    table('t_id', [column('id', int), column('_id', int)], ['id']),
    table('t_dollar', [column('id', int), column('$k', int)], ['id', '$k']),
  ])('come for names that MongoDB does not take: $name', async (t) => {
    await expect(beside.open(beside.options(), t)).rejects.toEqual(expect.objectContaining({ code: 'TARGET_SCHEMA' }));
  });
});

describe('a batch with a truncate', () => {
  it('ends the same when it comes again', async () => {
    const options = beside.options();
    const t = simple('id');
    const changes: Change[] = [insert(t, [1, 'a']), truncate(t), insert(t, [2, 'b'])];
    const target = await beside.open(options, t);
    await target.apply(stream, part(changes), never);
    const again = await beside.open(options, t);
    await apply(again, changes, '1');
    expect(await beside.documents(t)).toEqual([{ _id: 2, id: 2, v: 'b' }]);
  });
});

function many(t: TableSchema, count: number): Change[] {
  return Array.from({ length: count }, (_, id) => insert(t, [id, 'many']));
}

async function values(t: TableSchema): Promise<string[]> {
  return (await beside.documents(t)).map((document) => `${String(document['id'])} ${String(document['v'])}`);
}

describe('a truncate', () => {
  it('of a process that another one has overtaken deletes nothing that the other one writes (G8)', async () => {
    const t = simple('id');
    const options = beside.options();
    const rows = (from: number, count: number): Change[] =>
      Array.from({ length: count }, (_, i) => insert(t, [from + i, 'row']));
    const slow = await beside.open(options, t);
    await apply(slow, rows(0, 40_000), '1');
    const successor = await beside.open(options, t);
    const truncating = apply(slow, [truncate(t)], '2');
    truncating.catch(() => undefined);
    while ((await beside.client.db('shop').collection(t.name).countDocuments({})) === 40_000);
    await successor.load('', never);
    await apply(successor, rows(50_000, 20), '2');
    await expect(truncating).rejects.toEqual(moved);
    expect((await beside.documents(t)).filter(({ id }) => Number(id) >= 50_000)).toHaveLength(20);
  });
});
