import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Change, Moment } from '../../../../core/contracts.ts';
import { type ColumnType, type TableSchema, tableSchema } from '../../../../core/table.ts';
import { mongodb } from '../../../../sinks/mongodb/index.ts';
import { column, insert, int, part, stream, table, text } from '../../../contract/changes.ts';
import { apply, Beside, never } from './server.ts';

let beside: Beside;
beforeAll(async () => {
  beside = await Beside.start();
});
afterAll(() => beside.stop());

let serial = 0;
function freshName(): string {
  serial += 1;
  return `t${String(serial)}`;
}

function alter(before: TableSchema | null, after: TableSchema | null, statement = 'ALTER TABLE'): Change {
  serial += 1;
  const at: Moment = {
    committedAtMs: 1_700_000_000_000,
    gtid: null,
    file: 'binlog.000001',
    offset: serial,
    serverId: 1,
  };
  return { kind: 'schema', before, after, statement, at };
}

it('renames, drops and adds fields of the documents that are there', async () => {
  const name = freshName();
  const before = table(name, [column('id', int), column('a.b', text), column('gone', text)], ['id']);
  const after = table(
    name,
    [column('id', int), column('$new', text), column('n', int, { default: '7' }), column('z', text)],
    ['id'],
  );
  const target = await beside.open(beside.options(), before);
  await apply(target, [insert(before, [1, 'x', 'y'])], '1');
  // As the source tells of one statement that does all of it: what goes, each new name, then the rest.
  const dropped = table(name, [column('id', int), column('a.b', text)], ['id']);
  const renamed = table(name, [column('id', int), column('$new', text)], ['id']);
  const steps = [alter(before, dropped), alter(dropped, renamed), alter(renamed, after)];
  await apply(target, [...steps, insert(after, [2, 'x', 8, null])], '2');
  expect(await beside.documents(before)).toEqual([
    { _id: 1, id: 1, $new: 'x', n: 7, z: null },
    { _id: 2, id: 2, $new: 'x', n: 8, z: null },
  ]);
});

it('does what it has done of a batch not again when the batch comes again', async () => {
  const name = freshName();
  const columns = (...names: string[]): TableSchema =>
    table(name, [column('id', int), ...names.map((name) => column(name, int, { default: '0' }))], ['id']);
  const [first, second, third] = [columns('a'), columns('b'), columns('b', 'a')];
  const options = beside.options();
  const changes = [
    insert(first, [2, 20]),
    alter(first, second, `ALTER TABLE ${name} RENAME COLUMN a TO b`),
    alter(second, third, `ALTER TABLE ${name} ADD a int DEFAULT 0`),
  ];
  const cut = await beside.open(options, first);
  await apply(cut, [insert(first, [1, 10])], '1');
  await cut.apply(stream, part(changes), never);
  await cut.close();
  const target = await beside.open(options, first);
  await apply(target, [...changes, insert(third, [3, 30, 3])], '2');
  expect(await beside.documents(first)).toEqual([
    { _id: 1, id: 1, b: 10, a: 0 },
    { _id: 2, id: 2, b: 20, a: 0 },
    { _id: 3, id: 3, b: 30, a: 3 },
  ]);
});

it('renames a collection with its table', async () => {
  const [from, to] = [freshName(), freshName()].map((name) => table(name, [column('id', int)], ['id']));
  if (from === undefined || to === undefined) throw new Error('two tables');
  const target = await beside.open(beside.options(), from, to);
  await apply(target, [insert(from, [1]), alter(from, to), insert(to, [2])], '1');
  expect(await beside.documents(to)).toEqual([
    { _id: 1, id: 1 },
    { _id: 2, id: 2 },
  ]);
  expect(await beside.documents(from)).toEqual([]);
  await apply(target, [alter(null, from), insert(from, [3])], '2');
  const refused = expect.objectContaining({ code: 'TARGET_SCHEMA' });
  await expect(apply(target, [alter(from, to)], '3')).rejects.toEqual(refused);
});

it('keeps a key that only grew, and refuses another key', async () => {
  const name = freshName();
  const keyed = (type: ColumnType, ...key: string[]): TableSchema =>
    table(name, [column('id', type), column('k', int)], key);
  const [small, big] = [keyed(int, 'id'), keyed({ kind: 'bigint', unsigned: false }, 'id')];
  const target = await beside.open(beside.options(), small);
  await apply(target, [insert(small, [1, 5]), alter(small, big), insert(big, [1n, 6])], '1');
  expect(await beside.documents(small)).toEqual([{ _id: 1, id: 1, k: 6 }]);
  const refused = expect.objectContaining({
    code: 'TARGET_UNSUPPORTED',
    fix: expect.stringContaining('copy the table again'),
  });
  for (const after of [keyed(text, 'id'), keyed(int, 'id', 'k'), keyed(int, 'k'), keyed(int)]) {
    await expect(apply(target, [alter(big, after)], '2')).rejects.toEqual(refused);
  }
});

it('plans types, what exists, and what could be refused', async () => {
  const name = freshName();
  const t = tableSchema({
    ...table(
      name,
      [column('id', { kind: 'bigint', unsigned: true }), column('d', { kind: 'datetime', digits: 6 })],
      [],
    ),
    columns: [
      column('id', { kind: 'bigint', unsigned: true }),
      column('d', { kind: 'datetime', digits: 6 }, { nullable: false }),
      column('b', { kind: 'blob' }, { declared: 'longblob' }),
    ],
  });
  await beside.client.db('shop').collection(name).insertOne({ old: true });
  const unfit = table('a$b', [column('id', int)], ['id']);
  const [planned, other] = await mongodb.plan(
    beside.options(),
    [t, unfit].map((table) => ({ table, indexes: [] })),
    never,
  );
  expect(planned).toMatchObject({ origin: t.origin, name: `shop.${name}`, exists: true });
  expect(planned?.columns.map(({ to, note }) => [to, note])).toEqual([
    ['long', 'decimal above 9223372036854775807'],
    ['string', 'ISO 8601, so that no microsecond is lost; a row with a zero or partial date is refused'],
    ['binData', null],
  ]);
  expect(planned?.notes.join(' ')).toMatch(/no key.*16 MB is refused.* b\..*about 1 documents/);
  expect(other?.notes).toEqual([expect.stringContaining('not a name for a collection')]);
});

it('checks the connection and says what is wrong with it', async () => {
  const good = await mongodb.check(beside.options(), never);
  expect(good.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
    'connection pass',
    'version pass',
    'transactions pass',
    'rights pass',
  ]);
  const { host } = new URL(beside.server.url);
  for (const [url, said] of [
    ['mongodb://127.0.0.1:1/shop', /ECONNREFUSED/],
    [`mongodb://${host}/?replicaSet=other`, /does not answer/],
    [`mongodb://u:hidden@${host}/`, /refused the login/],
    ['mongodb://u:hidden@[', /url of the target/],
  ] as const) {
    const [check] = await mongodb.check(beside.options({ url }), never);
    expect(check).toMatchObject({
      outcome: 'fail',
      detail: expect.stringMatching(said),
      fix: expect.stringMatching(/./),
    });
    expect(JSON.stringify(check)).not.toContain('hidden');
  }
});
