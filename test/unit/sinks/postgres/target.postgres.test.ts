import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Values } from '../../../../core/contracts.ts';
import type { ColumnType, TableSchema } from '../../../../core/table.ts';
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
import { Session } from '../../../../sinks/postgres/session.ts';
import { Beside, apply, failure, never } from './server.ts';

let db: Beside;
beforeAll(async () => {
  db = await Beside.start();
});
afterAll(() => db[Symbol.asyncDispose]());

const date: ColumnType = { kind: 'date' };

function keyed(): TableSchema {
  return table(db.name(), [column('id', int), column('v', text)], ['id']);
}

function keyless(): TableSchema {
  return table(db.name(), [column('a', int), column('b', text), column('c', { kind: 'double' })], []);
}

it('changes exactly one of several equal rows of a table without a key', async () => {
  const t = keyless();
  const target = await db.open(t);
  const row: Values = [1, null, 0.1];
  await apply(target, insert(t, row), insert(t, row), insert(t, row), insert(t, [2, "o'x", null]));
  await apply(target, remove(t, row), update(t, row, [1, 'new', 0.1]), update(t, [2, "o'x", null], [3, 'y', null]));
  expect(await db.rows(t)).toEqual([
    ['1', 'new', '0.1'],
    ['1', null, '0.1'],
    ['3', 'y', null],
  ]);
  await target.close();
});

it('keeps the order of changes in a table without a key', async () => {
  const t = keyless();
  const target = await db.open(t);
  await apply(
    target,
    insert(t, [1, 'a', 1]),
    remove(t, [1, 'a', 1]),
    insert(t, [1, 'b', 1]),
    update(t, [1, 'b', 1], [1, 'c', 1]),
  );
  expect(await db.rows(t)).toEqual([['1', 'c', '1']]);
  await target.close();
});

it('stops when the row of a table without a key is not there', async () => {
  const t = keyless();
  const target = await db.open(t);
  const error = await failure(apply(target, remove(t, [1, 'secret', 1])));
  expect(error.code).toBe('TARGET_ROW_REFUSED');
  expect(error.message).not.toContain('secret');
  await target.close();
});

it('appends the copy of a table without a key in one transaction', async () => {
  const t = keyless();
  const target = await db.open(t);
  const rows = Array.from({ length: 400 }, (_, i) => read(t, [i % 3, 'same', i % 3]));
  await target.apply(copy, part(rows.slice(0, 300)), never);
  expect(await db.rows(t)).toEqual([]);
  await target.apply(
    copy,
    { ...part(rows.slice(300)), checkpoint: { set: new Map([['copied', '']]), drop: [] } },
    never,
  );
  expect(await db.query(`SELECT count(*) FROM shop.${t.name}`)).toEqual([['400']]);
  await target.close();
});

it('follows rows that swap a value which is unique in the target', async () => {
  const t = keyed();
  const target = await db.open(t);
  await apply(target, insert(t, [1, 'a']), insert(t, [2, 'b']));
  await db.query(`ALTER TABLE shop.${t.name} ADD UNIQUE (v)`);
  const swap = [update(t, [1, 'a'], [1, 'tmp']), update(t, [2, 'b'], [2, 'a']), update(t, [1, 'tmp'], [1, 'b'])];
  await apply(target, ...swap);
  expect(await db.rows(t)).toEqual([
    ['1', 'b'],
    ['2', 'a'],
  ]);
  await target.apply(stream, part([insert(t, [3, 'c'])]), never);
  await apply(target, update(t, [1, 'b'], [1, 'x']), update(t, [3, 'c'], [3, 'b']), update(t, [1, 'x'], [1, 'c']));
  expect(await db.rows(t)).toEqual([
    ['1', 'c'],
    ['2', 'a'],
    ['3', 'b'],
  ]);
  await target.close();
});

it('brings many rows that should be new, also where some are there', async () => {
  const t = keyed();
  const target = await db.open(t);
  const many = (value: string, first: number) =>
    Array.from({ length: 300 }, (_, i) => insert(t, [first + i, `${value}${String(i)}`]));
  await apply(target, ...many('a', 0));
  await apply(target, ...many('b', 200), update(t, [210, 'b10'], [210, 'c']), remove(t, [0, 'a0']));
  await apply(target, ...many('d', 500), insert(t, [0, 'again']));
  const rows = new Map((await db.rows(t)).map(([id, v]) => [Number(id), v]));
  expect(rows.size).toBe(800);
  expect([0, 1, 199, 200, 210, 499, 500].map((id) => rows.get(id))).toEqual([
    'again',
    'a1',
    'a199',
    'b0',
    'c',
    'b299',
    'd0',
  ]);
  await target.close();
});

it('has on the disk what was applied, once asked to', async () => {
  const t = keyed();
  const target = await db.open(t);
  await apply(target, insert(t, [1, 'a']));
  const [[written = null] = []] = await db.query('SELECT pg_current_wal_insert_lsn()');
  await target.sync?.(never);
  expect(await db.query(`SELECT pg_current_wal_flush_lsn() >= '${String(written)}'`)).toEqual([['t']]);
  await target.close();
});

it('leaves an administrator the last word about waiting for the disk', async () => {
  const waits = async (relaxed = true): Promise<string | null | undefined> => {
    const session = await Session.open({ url: db.server.url, applicationName: 'waits', relaxed }, never);
    const [outcome] = await session.query('SHOW synchronous_commit', never);
    await session.end();
    return outcome?.rows[0]?.[0];
  };
  expect([await waits(), await waits(false)]).toEqual(['off', 'on']);
  await db.query('ALTER ROLE postgres SET synchronous_commit = remote_apply');
  expect(await waits()).toBe('remote_apply');
  await db.query('ALTER ROLE postgres RESET synchronous_commit');
});

it('names the constraint that refuses a row, and no value', async () => {
  const t = keyed();
  const target = await db.open(t);
  await apply(target, insert(t, [1, 'secret']));
  await db.query(`ALTER TABLE shop.${t.name} ADD CONSTRAINT one_of_each UNIQUE (v)`);
  const error = await failure(apply(target, insert(t, [2, 'secret'])));
  expect(error.code).toBe('TARGET_ROW_REFUSED');
  expect(error.message).toContain(`table shop.${t.name}, constraint one_of_each`);
  expect(`${error.message} ${String(error.cause)}`).not.toContain('secret');
  await target.close();
});

it('writes NULL for zero and partial dates where the column may be NULL', async () => {
  const t = table(
    db.name(),
    [column('id', int), column('d', date), column('ts', { kind: 'timestamp', digits: 0 })],
    ['id'],
  );
  const target = await db.open(t);
  const zero = ['0000-00-00', '2020-00-10', '2020-01-00', '0000-01-01'];
  await apply(target, ...zero.map((value, id) => insert(t, [id, value, `${value} 00:00:00`])));
  expect(await db.rows(t)).toEqual(zero.map((_, id) => [String(id), null, null]));
  await target.close();
});

it.each([1, 400])('says where a zero date is that it cannot write, and not what it is (%i rows)', async (count) => {
  const t = table(db.name(), [column('id', int), column('d', date, { nullable: false })], ['id']);
  const target = await db.open(t);
  const rows = Array.from({ length: count }, (_, id) => insert(t, [id, '0000-00-00']));
  const error = await failure(apply(target, ...rows));
  expect(error.code).toBe('TARGET_VALUE_UNSUPPORTED');
  expect(error.message).toContain(`shop.${t.name}, column d`);
  expect(error.message).toContain('key ("id"), at binlog.000001:4');
  expect(error.message).not.toContain('0000-00');
  await target.close();
});

it.each([1, 400])('refuses U+0000 in text and JSON (%i rows)', async (count) => {
  const t = table(db.name(), [column('id', int), column('v', text), column('j', { kind: 'json' })], ['id']);
  for (const row of [
    ['a\0b', null],
    [null, '"\\u0000"'],
  ]) {
    const target = await db.open(t);
    const rows = Array.from({ length: count }, (_, id) => insert(t, [id, ...row]));
    expect((await failure(apply(target, ...rows))).code).toBe('TARGET_VALUE_UNSUPPORTED');
    await target.close();
  }
  const target = await db.open(t);
  await apply(target, insert(t, [1, '\\u0000', '"\\\\u0000"']));
  expect(await db.rows(t)).toEqual([['1', '\\u0000', '"\\\\u0000"']]);
  await target.close();
});

it('lets no trigger and no foreign key interfere', async () => {
  const [parent, child] = [keyed(), table(db.name(), [column('id', int), column('parent', int)], ['id'])];
  const target = await db.open(parent, child);
  await db.query(`ALTER TABLE shop.${child.name} ADD FOREIGN KEY (parent) REFERENCES shop.${parent.name} (id) ON DELETE CASCADE;
    CREATE FUNCTION shop.shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$;
    CREATE TRIGGER shout BEFORE INSERT ON shop.${parent.name} FOR EACH ROW EXECUTE FUNCTION shop.shout()`);
  await apply(
    target,
    insert(child, [1, 7]),
    insert(parent, [7, 'a']),
    remove(parent, [7, 'a']),
    insert(parent, [8, 'b']),
  );
  expect(await db.rows(child)).toEqual([['1', '7']]);
  expect(await db.rows(parent)).toEqual([['8', 'b']]);
  await apply(target, truncate(parent), insert(parent, [9, 'c']));
  expect(await db.rows(parent)).toEqual([['9', 'c']]);
  await target.close();
});

it('stops at once when the signal aborts while it waits for a lock, and applies nothing', async () => {
  const t = keyed();
  const target = await db.open(t);
  const blocker = await db.pool.connect();
  try {
    await blocker.query(`BEGIN; LOCK TABLE shop.${t.name}`);
    const stop = new AbortController();
    const applying = target.apply(stream, batch([insert(t, [1, 'a'])], 'x'), stop.signal);
    const waiting = `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'shop.${t.name}'::regclass`;
    await expect.poll(async () => (await blocker.query<{ count: string }>(waiting)).rows[0]?.count).toBe('1');
    stop.abort(new Error('stopped'));
    await expect(applying).rejects.toThrow('stopped');
    await blocker.query('SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted; COMMIT');
  } finally {
    blocker.release(true);
  }
  expect(await db.rows(t)).toEqual([]);
  await target.close();
});

it('says that the connection was lost in the middle of a batch, and takes a new one for the next', async () => {
  const t = keyed();
  const target = await db.open(t);
  const blocker = await db.pool.connect();
  try {
    await blocker.query(`BEGIN; LOCK TABLE shop.${t.name}`);
    const applying = failure(apply(target, insert(t, [2, 'b'])));
    const end = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = 'shop.${t.name}'::regclass`;
    await expect.poll(async () => (await blocker.query(end)).rowCount).toBe(1);
    expect((await applying).code).toBe('TARGET_CONNECTION_LOST');
  } finally {
    blocker.release(true);
  }
  await apply(target, insert(t, [3, 'c']));
  expect(await db.rows(t)).toEqual([['3', 'c']]);
  await target.close();
});

it('drops a connection that ended while it was idle', async () => {
  const t = keyed();
  const target = await db.open(t);
  await apply(target, insert(t, [1, 'a']));
  await db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'lockstep/%'`);
  await expect
    .poll(() =>
      target.load('', never).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  await apply(target, insert(t, [2, 'b']));
  expect(await db.rows(t)).toHaveLength(2);
  await target.close();
});

it('takes back a part that runs into a row, and goes on in the same transaction', async () => {
  const t = keyed();
  const target = await db.open(t);
  await apply(target, insert(t, [500, 'old']));
  const rows = (from: number): ReturnType<typeof read>[] =>
    Array.from({ length: 400 }, (_, i) => read(t, [from + i, 'new']));
  await target.apply(copy, part(rows(0)), never);
  await target.apply(copy, part(rows(400)), never);
  await target.apply(copy, { ...part(rows(700)), checkpoint: { set: new Map([['copied', '']]), drop: [] } }, never);
  expect(await db.query(`SELECT count(*), count(*) FILTER (WHERE v = 'new'), max(id) FROM shop.${t.name}`)).toEqual([
    ['1100', '1100', '1099'],
  ]);
  await target.close();
});

it('does not write a column that the target computes', async () => {
  const t = table(db.name(), [column('id', int), column('double', int, { generated: 'stored' })], ['id']);
  await db.query(
    `CREATE SCHEMA IF NOT EXISTS shop; CREATE TABLE shop.${t.name} (id int PRIMARY KEY, double int GENERATED ALWAYS AS (id * 2) STORED)`,
  );
  const target = await db.open(t);
  await apply(target, insert(t, [4, 8]), insert(t, [5, 10]), update(t, [4, 8], [6, 12]));
  expect(await db.rows(t)).toEqual([
    ['5', '10'],
    ['6', '12'],
  ]);
  await target.close();
});

it('gives new rows of the target ids and defaults after the way of the source', async () => {
  const columns = [
    column('id', int, { autoIncrement: true }),
    column('n', int, { default: '7' }),
    column('s', text, { default: "'it''s'" }),
    column('b', { kind: 'bit', length: 1 }, { default: "b'1'" }),
    column('at', { kind: 'timestamp', digits: 3 }, { default: 'CURRENT_TIMESTAMP(3)' }),
  ];
  const t = table(db.name(), columns, ['id']);
  const target = await db.open(t);
  await apply(target, insert(t, [40, 1, 'x', false, null]));
  await db.query(`INSERT INTO shop.${t.name} DEFAULT VALUES`);
  expect(await db.rows(t, 'id, n, s, b, at IS NOT NULL')).toEqual([
    ['1', '7', "it's", 't', 't'],
    ['40', '1', 'x', 'f', 'f'],
  ]);
  await target.close();
});

it('keeps enums and sets to their labels', async () => {
  const columns = [
    column('id', int),
    column('e', { kind: 'enum', labels: ['a', 'b'] }),
    column('s', { kind: 'set', labels: ['x', 'y'] }),
  ];
  const t = table(db.name(), columns, ['id']);
  const target = await db.open(t);
  await apply(target, insert(t, [1, '', 'x,y']));
  await expect(db.query(`INSERT INTO shop.${t.name} VALUES (2, 'c', '{}')`)).rejects.toThrow('e labels');
  await expect(db.query(`INSERT INTO shop.${t.name} VALUES (2, 'a', '{z}')`)).rejects.toThrow('s labels');
  await target.close();
});

it('drops a table and one that is not there', async () => {
  const t = keyed();
  const target = await db.open(t);
  await apply(target, alter(t, null), alter(t, null));
  expect(await db.query(`SELECT to_regclass('shop.${t.name}')`)).toEqual([[null]]);
  await target.close();
});
