import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { TargetOptions } from '../../../../core/plugin.ts';
import { Progress } from '../../../../core/progress.ts';
import type { Target } from '../../../../core/contracts.ts';
import { valuesOf } from '../../../../core/row.ts';
import type { TableSchema } from '../../../../core/table.ts';
import { openDeadLetters } from '../../../../sinks/mongodb/dead-letters.ts';
import {
  alter,
  batch,
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
afterAll(async () => await beside.stop());

const all = { table: null, key: null };
let serial = 0;

function simple(...more: Parameters<typeof table>[1]): TableSchema {
  serial += 1;
  return table(`letters${String(serial)}`, [column('id', int), column('v', text), ...more], ['id']);
}

interface Scene {
  readonly options: TargetOptions;
  target: Target;
  reopen(): Promise<void>;
  letters(): Promise<(readonly [keys: string, state: string, kind: string])[]>;
  retry(): Promise<(string | null)[]>;
  rows(): Promise<string[]>;
}

/** A target whose collection takes no `bad` and each other text once. */
async function scene(t: TableSchema, deadLetterLimit = 1000): Promise<Scene> {
  const options = beside.options({ deadLetterLimit, progress: new Progress() });
  await beside.client.db('shop').createCollection(t.name, { validator: { v: { $ne: 'bad' } } });
  const filter = { v: { $gte: 'once' } };
  await beside.client
    .db('shop')
    .collection(t.name)
    .createIndex({ v: 1 }, { unique: true, partialFilterExpression: filter });
  const letters = await openDeadLetters(options);
  onTestFinished(async () => await letters.close());
  const opened: Scene = {
    options,
    target: await beside.open(options, t),
    async reopen() {
      opened.target = await beside.open(options, t);
    },
    async letters() {
      const list = await letters.list(all, never);
      return list.map(({ keys, state, change }) => [keys.join(' '), state, change.kind] as const);
    },
    retry: async () => (await letters.retry(all, never)).map(({ refused }) => refused?.code ?? null),
    rows: async () => (await beside.documents(t)).map(({ _id, v }) => `${String(_id)} ${String(v)}`),
  };
  return opened;
}

async function mend(t: TableSchema): Promise<void> {
  await beside.client.db('shop').command({ collMod: t.name, validator: {} });
}

it('sets rows aside that the validator or a unique index refuses, and applies the others', async () => {
  const t = simple();
  const s = await scene(t);
  const rows = [
    insert(t, [1, 'a']),
    insert(t, [2, 'bad']),
    insert(t, [3, 'once']),
    insert(t, [4, 'once']),
    insert(t, [5, 'b']),
  ];
  await apply(s.target, rows, '1');
  expect(await s.rows()).toEqual(['1 a', '3 once', '5 b']);
  expect((await s.letters()).map(([key]) => key)).toEqual(['2', '4']);
});

it('finds the bad rows of a large batch and of a chunk of the copy', async () => {
  const t = simple();
  const s = await scene(t);
  const v = (id: number): string => (id % 500 === 7 ? 'bad' : 'good');
  const inserts = Array.from({ length: 3000 }, (_, id) => insert(t, [id, v(id)]));
  await apply(s.target, inserts, '1');
  const reads = Array.from({ length: 3000 }, (_, id) => read(t, [id + 3000, v(id)]));
  const chunk = { ...batch(reads, '1'), checkpoint: { set: new Map([['copied', '1']]), drop: [] } };
  await s.target.apply(copy, { ...chunk, copying: new Set([t.origin]) }, never);
  expect(await s.rows()).toHaveLength(6000 - 12);
  expect(await s.letters()).toHaveLength(12);
});

it('sets a row aside that is too large for a document, whole', async () => {
  const t = simple(column('b', { kind: 'blob' }));
  const s = await scene(t);
  const large = Buffer.alloc(17 << 20, 7);
  await apply(s.target, [insert(t, [1, 'a', null]), insert(t, [2, 'large', large])], '1', { bytes: large.length });
  expect(await s.rows()).toEqual(['1 a']);
  expect(await s.letters()).toEqual([['2', 'refused', 'insert']]);
  const letters = await openDeadLetters(s.options);
  const [letter] = await letters.list(all, never);
  const kept = letter === undefined ? [] : valuesOf(letter.change.after ?? []);
  expect(kept.map((value) => (value instanceof Uint8Array ? large.equals(value) : value))).toEqual([2, 'large', true]);
  expect(letter?.code).toBe('TARGET_ROW_REFUSED');
  expect(await letters.drop(all, never)).toBe(1);
  await letters.close();
  const pieces = beside.client.db('lockstep').collection('dead_letter_pieces');
  expect(await pieces.countDocuments({ '_id.pipeline': s.options.pipeline })).toBe(0);
});

it('sets a value aside that cannot be carried', async () => {
  const t = simple(column('d', { kind: 'date' }, { nullable: false }));
  const s = await scene(t);
  await apply(s.target, [insert(t, [1, 'a', '0000-00-00']), insert(t, [2, 'b', '2020-01-01'])], '1');
  expect(await s.rows()).toEqual(['2 b']);
  await apply(s.target, [update(t, [1, 'a', '0000-00-00'], [1, 'a', '2020-01-01'])], '2');
  expect(await s.retry(), 'the update has mended it').toEqual([null]);
  expect(await s.rows()).toEqual(['1 a', '2 b']);
});

it('lets later changes of the key wait, also after a restart, and retries them in order', async () => {
  const t = simple();
  const s = await scene(t);
  await apply(s.target, [insert(t, [1, 'bad']), insert(t, [2, 'a'])], '1');
  await s.reopen();
  await apply(s.target, [update(t, [1, 'bad'], [3, 'c']), update(t, [2, 'a'], [2, 'b'])], '2');
  await apply(s.target, [update(t, [3, 'c'], [3, 'd'])], '3');
  expect(await s.rows()).toEqual(['2 b']);
  expect(await s.letters()).toEqual([
    ['1', 'refused', 'insert'],
    ['1 3', 'waiting', 'update'],
    ['3', 'waiting', 'update'],
  ]);
  expect(await s.retry()).toEqual([null]);
  expect(await s.rows()).toEqual(['2 b', '3 d']);
  const late = apply(s.target, [update(t, [3, 'd'], [3, 'e'])], '4');
  await expect(late, 'a running target reads its letters anew').rejects.toMatchObject({ code: 'CHECKPOINT_MOVED' });
  await s.reopen();
  await apply(s.target, [update(t, [3, 'd'], [3, 'e'])], '4');
  expect(await s.rows()).toEqual(['2 b', '3 e']);
});

it('takes over the letters of a lane that another process worked on', async () => {
  const t = simple();
  const s = await scene(t);
  const other = await beside.open(s.options, t);
  const lane = { name: 'other', kind: 'stream' } as const;
  const checkpoint = { set: new Map([['other', '0']]), drop: [] };
  await other.apply(lane, { ...part([insert(t, [5, 'good'])]), checkpoint }, never);
  await apply(s.target, [insert(t, [1, 'bad'])], '1');
  await other.load('stream', never);
  await apply(other, [update(t, [1, 'bad'], [1, 'good'])], '2');
  expect(await s.rows()).toEqual(['5 good']);
  expect(await s.letters()).toHaveLength(2);
});

it('keeps a row as it was while a change of its key is refused', async () => {
  const t = simple();
  const s = await scene(t);
  await apply(s.target, [insert(t, [1, 'a'])], '1');
  await apply(s.target, [update(t, [1, 'a'], [2, 'bad']), insert(t, [1, 'new'])], '2');
  expect(await s.rows()).toEqual(['1 a']);
  expect(await s.retry()).toEqual(['TARGET_ROW_REFUSED']);
  expect(await s.rows()).toEqual(['1 a']);
  await mend(t);
  expect(await s.retry()).toEqual([null]);
  expect(await s.rows()).toEqual(['1 new', '2 bad']);
  expect(await s.letters()).toEqual([]);
});

it('sets rows aside in parts of a large transaction', async () => {
  const t = simple();
  const s = await scene(t);
  await s.target.apply(stream, part([insert(t, [1, 'bad']), insert(t, [2, 'a'])]), never);
  await s.target.apply(stream, part([remove(t, [1, 'bad']), insert(t, [3, 'bad'])]), never);
  await apply(s.target, [update(t, [2, 'a'], [2, 'b'])], '1');
  expect(await s.rows()).toEqual(['2 b']);
  expect((await s.letters()).map(([key]) => key)).toEqual(['1', '1', '3']);
});

it('forgets the letters of a table that is emptied, and stops at the limit', async () => {
  const t = simple();
  const s = await scene(t, 2);
  await apply(s.target, [insert(t, [1, 'bad']), insert(t, [2, 'bad'])], '1');
  const more = apply(s.target, [insert(t, [3, 'bad'])], '2');
  await expect(more).rejects.toMatchObject({ code: 'TARGET_DEAD_LETTERS' });
  await s.reopen();
  await apply(s.target, [truncate(t), insert(t, [1, 'a']), insert(t, [3, 'bad'])], '2');
  expect(await s.rows()).toEqual(['1 a']);
  expect(await s.letters()).toEqual([['3', 'refused', 'insert']]);
});

it('does not retry rows of a shape that the table has no longer, and goes on holding their keys', async () => {
  const t = simple();
  const s = await scene(t);
  await apply(s.target, [insert(t, [1, 'bad']), insert(t, [2, 'a'])], '1');
  const wider = table(t.name, [...t.columns, column('more', text)], ['id']);
  await apply(s.target, [alter(t, wider), update(wider, [1, 'bad', null], [1, 'good', 'x'])], '2');
  expect(await s.rows()).toEqual(['2 a']);
  expect(await s.retry()).toEqual(['TARGET_SCHEMA']);
  expect(await s.letters()).toHaveLength(2);
});
