import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RowChange, Target } from '../../../../core/contracts.ts';
import type { TargetOptions } from '../../../../core/plugin.ts';
import { Progress } from '../../../../core/progress.ts';
import { valueAt } from '../../../../core/row.ts';
import type { TableSchema } from '../../../../core/table.ts';
import { postgres } from '../../../../sinks/postgres/index.ts';
import { openDeadLetters } from '../../../../sinks/postgres/dead-letters.ts';
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
import { seed } from '../../../support/seed.ts';
import { Beside, apply, failure, never } from './server.ts';

let db: Beside;
beforeAll(async () => {
  db = await Beside.start();
});
afterAll(() => db[Symbol.asyncDispose]());

const all = { table: null, key: null };

interface Scene extends AsyncDisposable {
  readonly options: TargetOptions;
  readonly t: TableSchema;
  target: Target;
  reopen(): Promise<void>;
  letters(): Promise<(readonly [keys: string, state: string, kind: string])[]>;
  retry(): Promise<(string | null)[]>;
}

/** A target with a table whose `v` must not be `bad`. */
async function scene(deadLetterLimit = 1000, t = keyed()): Promise<Scene> {
  const options = db.options({ deadLetterLimit, progress: new Progress() });
  const open = async (): Promise<Target> => {
    const target = await postgres.open(options);
    await target.prepare([t], never);
    await target.load('', never);
    return target;
  };
  const target = await open();
  await db.query(`ALTER TABLE shop.${t.name} ADD CONSTRAINT good CHECK (v <> 'bad')`);
  const kept = await openDeadLetters(options);
  const opened: Scene = {
    options,
    t,
    target,
    async reopen() {
      await opened.target.close();
      opened.target = await open();
    },
    async letters() {
      const letters = await kept.list(all, never);
      return letters.map(({ keys, state, change }) => [keys.join(' '), state, change.kind] as const);
    },
    retry: async () => (await kept.retry(all, never)).map(({ refused }) => refused?.code ?? null),
    async [Symbol.asyncDispose]() {
      await opened.target.close();
      await kept.close();
    },
  };
  return opened;
}

function keyed(): TableSchema {
  return table(db.name(), [column('id', int), column('v', text)], ['id']);
}

it.each([3, 1000])('sets a refused row aside and applies the other %i', async (count) => {
  await using s = await scene();
  const rows = Array.from({ length: count }, (_, id) => insert(s.t, [id, 'good']));
  await apply(s.target, ...rows.slice(0, count >> 1), insert(s.t, [-1, 'bad']), ...rows.slice(count >> 1));
  expect(await db.query(`SELECT count(*) FROM shop.${s.t.name}`)).toEqual([[String(count)]]);
  expect(await s.letters()).toEqual([['-1', 'refused', 'insert']]);
  const [[code, reason, keys, change] = []] = await db.query(
    `SELECT code, reason, keys, change->'after' FROM lockstep.dead_letters WHERE pipeline = '${s.options.pipeline}'`,
  );
  expect([code, reason, keys, change]).toEqual([
    'TARGET_ROW_REFUSED',
    expect.stringContaining('constraint good'),
    '{-1}',
    '{"id":-1,"v":"bad"}',
  ]);
});

it('sets rows of a chunk of the copy aside', async () => {
  await using s = await scene();
  const rows = Array.from({ length: 500 }, (_, id) => read(s.t, [id, id % 100 === 7 ? 'bad' : 'a\tb']));
  await s.target.apply(copy, { ...batch(rows, 'x'), copying: new Set([s.t.origin]) }, never);
  expect(await db.query(`SELECT count(*) FROM shop.${s.t.name}`)).toEqual([['495']]);
  expect((await s.letters()).map(([key]) => key)).toEqual(['7', '107', '207', '307', '407']);
});

it.each([1, 600])('sets a value aside that PostgreSQL cannot hold (among %i)', async (count) => {
  await using s = await scene();
  const rows = Array.from({ length: count }, (_, id) => insert(s.t, [id, id === count - 1 ? 'a\0b' : 'good']));
  await apply(s.target, ...rows);
  expect(await s.letters()).toEqual([[String(count - 1), 'refused', 'insert']]);
  expect(await db.query(`SELECT count(*) FROM shop.${s.t.name}`)).toEqual([[String(count - 1)]]);
  await apply(s.target, update(s.t, [count - 1, 'a\0b'], [count - 1, 'ab']));
  expect(await s.retry(), 'the update has mended it').toEqual([null]);
  expect(await db.query(`SELECT v FROM shop.${s.t.name} WHERE id = ${String(count - 1)}`)).toEqual([['ab']]);
});

it('lets later changes of the key wait, also after a restart, and retries them in order', async () => {
  await using s = await scene();
  await apply(s.target, insert(s.t, [1, 'bad']), insert(s.t, [2, 'a']));
  await apply(s.target, update(s.t, [1, 'bad'], [1, 'good']), update(s.t, [2, 'a'], [2, 'b']));
  await s.reopen();
  await apply(s.target, remove(s.t, [1, 'good']), insert(s.t, [1, 'last']), update(s.t, [2, 'b'], [2, 'c']));
  expect(await db.rows(s.t)).toEqual([['2', 'c']]);
  expect(await s.letters()).toEqual([
    ['1', 'refused', 'insert'],
    ['1', 'waiting', 'update'],
    ['1', 'waiting', 'delete'],
    ['1', 'waiting', 'insert'],
  ]);
  expect(await s.retry()).toEqual([null]);
  expect(await s.letters()).toEqual([]);
  expect(await db.rows(s.t)).toEqual([
    ['1', 'last'],
    ['2', 'c'],
  ]);
});

it('keeps what is still refused', async () => {
  await using s = await scene();
  await apply(s.target, insert(s.t, [1, 'bad']), insert(s.t, [2, 'bad']), update(s.t, [2, 'bad'], [2, 'good']));
  await apply(s.target, update(s.t, [1, 'bad'], [1, 'bad']));
  expect(await s.retry()).toEqual(['TARGET_ROW_REFUSED']);
  expect(await db.rows(s.t)).toEqual([['2', 'good']]);
  expect(await s.letters()).toHaveLength(2);
});

it('holds a row under both of its keys while its key changes', async () => {
  await using s = await scene();
  await apply(s.target, insert(s.t, [1, 'a']));
  await apply(s.target, update(s.t, [1, 'a'], [2, 'bad']), insert(s.t, [1, 'new']));
  await apply(s.target, update(s.t, [2, 'bad'], [3, 'b']));
  await apply(s.target, update(s.t, [3, 'b'], [3, 'c']));
  expect(await db.rows(s.t)).toEqual([['1', 'a']]);
  expect(await s.letters()).toEqual([
    ['1 2', 'refused', 'update'],
    ['1', 'waiting', 'insert'],
    ['2 3', 'waiting', 'update'],
    ['3', 'waiting', 'update'],
  ]);
  expect(await s.retry()).toEqual([null]);
  expect(await db.rows(s.t)).toEqual([
    ['1', 'new'],
    ['3', 'c'],
  ]);
});

it('a running target takes up keys that were retried beside it', async () => {
  await using s = await scene();
  await apply(s.target, insert(s.t, [1, 'bad']));
  await db.query(`ALTER TABLE shop.${s.t.name} DROP CONSTRAINT good`);
  expect(await s.retry()).toEqual([null]);
  const change = update(s.t, [1, 'bad'], [1, 'new']);
  expect((await failure(apply(s.target, change))).code).toBe('CHECKPOINT_MOVED');
  await s.reopen();
  await apply(s.target, change);
  expect(await db.rows(s.t)).toEqual([['1', 'new']]);
});

it('takes over the letters of a lane that another process worked on', async () => {
  await using s = await scene();
  const other = await postgres.open(s.options);
  await other.load('', never);
  const lane = (token: string) => ({ set: new Map([['lane', token]]), drop: [] });
  await other.apply(stream, { ...part([insert(s.t, [5, 'good'])]), checkpoint: lane('0') }, never);
  await apply(s.target, insert(s.t, [1, 'bad']));
  await other.load('stream', never);
  await other.apply(stream, batch([update(s.t, [1, 'bad'], [1, 'good'])], 'later'), never);
  expect(await db.rows(s.t)).toEqual([['5', 'good']]);
  expect(await s.letters()).toHaveLength(2);
  await other.close();
});

it('forgets the letters of a table that is emptied', async () => {
  await using s = await scene();
  await apply(s.target, insert(s.t, [1, 'bad']));
  await apply(s.target, truncate(s.t), insert(s.t, [1, 'good']), insert(s.t, [2, 'bad']));
  expect(await db.rows(s.t)).toEqual([['1', 'good']]);
  expect(await s.letters()).toEqual([['2', 'refused', 'insert']]);
  await apply(s.target, update(s.t, [1, 'good'], [1, 'better']));
  expect(await db.rows(s.t)).toEqual([['1', 'better']]);
});

it('sets rows aside in parts of a transaction, and nothing when it is not ended', async () => {
  await using s = await scene();
  await s.target.apply(stream, part([insert(s.t, [1, 'bad']), insert(s.t, [2, 'a'])]), never);
  expect(await s.letters()).toEqual([]);
  await s.reopen();
  await s.target.apply(stream, part([insert(s.t, [1, 'bad']), insert(s.t, [2, 'a'])]), never);
  await s.target.apply(stream, part([update(s.t, [1, 'bad'], [1, 'b']), insert(s.t, [3, 'bad'])]), never);
  await apply(s.target, update(s.t, [2, 'a'], [2, 'b']));
  expect(await db.rows(s.t)).toEqual([['2', 'b']]);
  expect((await s.letters()).map(([key]) => key)).toEqual(['1', '1', '3']);
});

it('stops at the limit, with nothing of the batch applied', async () => {
  await using s = await scene(2);
  await apply(s.target, insert(s.t, [1, 'bad']));
  const more = [2, 3, 4].map((id) => insert(s.t, [id, id === 4 ? 'good' : 'bad']));
  const error = await failure(apply(s.target, ...more));
  expect([error.code, error.message]).toEqual(['TARGET_DEAD_LETTERS', expect.stringContaining('constraint good')]);
  expect(await db.rows(s.t)).toEqual([]);
  expect(await s.letters()).toHaveLength(1);
});

it('refuses as before where nothing may be set aside', async () => {
  await using s = await scene(0);
  expect((await failure(apply(s.target, insert(s.t, [1, 'bad'])))).code).toBe('TARGET_ROW_REFUSED');
});

it('sets rows of a table without a key aside', async () => {
  await using s = await scene(1000, table(db.name(), [column('id', int), column('v', text)], []));
  await apply(s.target, insert(s.t, [1, 'bad']), insert(s.t, [1, 'good']));
  await apply(s.target, update(s.t, [1, 'bad'], [1, 'mended']), remove(s.t, [1, 'good']));
  expect(await db.rows(s.t)).toEqual([]);
  expect(await s.letters()).toHaveLength(2);
});

const step = fc.record({
  id: fc.integer({ min: 0, max: 7 }),
  to: fc.integer({ min: 0, max: 7 }),
  v: fc.constantFrom('a', 'b', 'bad', 'n\0l'),
  kind: fc.integer({ min: 0, max: 3 }),
});

it('any changes: what is good arrives, what is bad waits with what comes after it, and retried all of it is right', async () => {
  const batches = fc.array(fc.array(step, { maxLength: 8 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(batches, async (batches) => {
      await using s = await scene();
      const rows = new Map<number, string>();
      const spoilt = new Set<number>();
      for (const steps of batches) {
        const changes = steps.map((step) => changeOf(s.t, rows, step));
        for (const { before, after } of changes) {
          const keys = [before, after].flatMap((row) => (row === null ? [] : [Number(valueAt(row, 0))]));
          const bad = after !== null && /bad|\0/.test(String(valueAt(after, 1)));
          if (bad || keys.some((key) => spoilt.has(key))) for (const key of keys) spoilt.add(key);
        }
        await apply(s.target, ...changes);
      }
      await expectRows(s.t, rows, spoilt);
      await db.query(`ALTER TABLE shop.${s.t.name} DROP CONSTRAINT good`);
      await s.retry();
      const left = new Set((await s.letters()).flatMap(([keys]) => keys.split(' ').map(Number)));
      await expectRows(s.t, rows, left);
    }),
    { seed, numRuns: 40 },
  );
});

async function expectRows(t: TableSchema, rows: ReadonlyMap<number, string>, but: ReadonlySet<number>): Promise<void> {
  const found = (await db.rows(t)).map(([id, v]) => [Number(id), v] as const);
  const wanted = [...rows].toSorted(([a], [b]) => a - b);
  expect(found.filter(([id]) => !but.has(id))).toEqual(wanted.filter(([id]) => !but.has(id)));
}

interface Step {
  readonly id: number;
  readonly to: number;
  readonly v: string;
  readonly kind: number;
}

/** A change that the source could have made to these rows, which are changed with it. */
function changeOf(t: TableSchema, rows: Map<number, string>, { id, to, v, kind }: Step): RowChange {
  const before = rows.get(id);
  if (before === undefined) {
    rows.set(id, v);
    return insert(t, [id, v]);
  }
  if (kind === 0) {
    rows.delete(id);
    return remove(t, [id, before]);
  }
  const target = kind === 1 && !rows.has(to) ? to : id;
  rows.delete(id);
  rows.set(target, v);
  return update(t, [id, before], [target, v]);
}

it('does not retry rows of a shape that the table has no longer, and goes on holding their keys', async () => {
  await using s = await scene();
  await apply(s.target, insert(s.t, [1, 'bad']), insert(s.t, [2, 'a']));
  const wider = table(s.t.name, [...s.t.columns, column('more', text)], ['id']);
  await apply(s.target, alter(s.t, wider), update(wider, [1, 'bad', null], [1, 'good', 'x']));
  await apply(s.target, update(wider, [2, 'a', null], [2, 'b', 'y']));
  expect(await db.rows(wider)).toEqual([['2', 'b', 'y']]);
  expect(await s.retry()).toEqual(['TARGET_SCHEMA']);
  expect(await s.letters()).toHaveLength(2);
  const narrow = table(s.t.name, wider.columns, ['v']);
  const error = await failure(apply(s.target, alter(wider, narrow)));
  expect([error.code, error.message]).toEqual(['TARGET_DEAD_LETTERS', expect.stringContaining('key')]);
});
