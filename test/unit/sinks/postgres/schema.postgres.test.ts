import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Change } from '../../../../core/contracts.ts';
import { type Column, type ColumnType, type TableSchema, tableSchema } from '../../../../core/table.ts';
import { postgres } from '../../../../sinks/postgres/index.ts';
import { alter, column, insert, int, read, table, text, update } from '../../../contract/changes.ts';
import { Beside, apply, failure, never } from './server.ts';

let db: Beside;
beforeAll(async () => {
  db = await Beside.start();
});
afterAll(() => db[Symbol.asyncDispose]());

/** Applies rows of the old shape, the change, and the change again; gives the table's columns as the server has them. */
async function evolve(before: TableSchema, after: TableSchema, ...rows: Change[]): Promise<(string | null)[][]> {
  const target = await db.open(before);
  await apply(target, ...rows);
  await apply(target, alter(before, after));
  await apply(target, alter(before, after));
  await target.close();
  return shape(after);
}

async function shape(t: TableSchema): Promise<(string | null)[][]> {
  return db.query(`SELECT attname, format_type(atttypid, atttypmod), attnotnull, (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
    WHERE adrelid = attrelid AND adnum = attnum) FROM pg_attribute WHERE attrelid = '"${t.database}"."${t.name}"'::regclass AND attnum > 0
    AND NOT attisdropped ORDER BY attname`);
}

const id = column('id', int);
const idShape = ['id', 'integer', 't', null];

it('adds columns and fills the rows that are there as MySQL does', async () => {
  const name = db.name();
  const before = table(name, [id], ['id']);
  const added = [
    column('a', int, { nullable: false }),
    column('b', text, { nullable: false, default: "'x'" }),
    column('c', text),
    column('d', { kind: 'enum', labels: ['first', 'second'] }, { nullable: false }),
    column('e', { kind: 'timestamp', digits: 0 }, { nullable: false, default: 'CURRENT_TIMESTAMP' }),
  ];
  const after = table(name, [...added, id], ['id']);
  const columns = await evolve(before, after, insert(before, [1]));
  expect(columns).toEqual([
    ['a', 'integer', 't', null],
    ['b', 'character varying(200)', 't', "'x'::character varying"],
    ['c', 'character varying(200)', 'f', null],
    ['d', 'text', 't', null],
    ['e', 'timestamp(0) with time zone', 't', 'CURRENT_TIMESTAMP(0)'],
    idShape,
  ]);
  expect(await db.rows(after, 'id, a, b, c, d, e')).toEqual([['1', '0', 'x', null, 'first', '2023-11-14 22:13:20+00']]);
});

it('drops columns', async () => {
  const name = db.name();
  const before = table(name, [id, column('a', int), column('b', int)], ['id']);
  expect(await evolve(before, table(name, [id, column('b', int)], ['id']))).toEqual([
    ['b', 'integer', 'f', null],
    idShape,
  ]);
});

it('keeps the values of a column that is renamed', async () => {
  const name = db.name();
  const labels: ColumnType = { kind: 'enum', labels: ['x', 'y'] };
  const before = table(name, [id, column('a', labels)], ['id']);
  const after = table(name, [id, column('z', labels)], ['id']);
  expect(await evolve(before, after, insert(before, [1, 'x']))).toEqual([idShape, ['z', 'text', 'f', null]]);
  expect(await db.rows(after)).toEqual([['1', 'x']]);
  await expect(db.query(`INSERT INTO shop.${name} VALUES (2, 'no')`)).rejects.toThrow('z labels');
});

it('renames a column of the key', async () => {
  const name = db.name();
  const before = table(name, [id, column('a', int)], ['id']);
  const after = table(name, [column('key', int), column('a', int)], ['key']);
  await evolve(before, after, insert(before, [1, 1]));
  const target = await db.open(after);
  await apply(target, update(after, [1, 1], [1, 2]));
  expect(await db.rows(after)).toEqual([['1', '2']]);
  await target.close();
});

const conversions: [ColumnType, ColumnType, string | number | bigint, string, string][] = [
  [int, { kind: 'bigint', unsigned: false }, 7, 'bigint', '7'],
  [int, { kind: 'varchar', length: 20 }, -7, 'character varying(20)', '-7'],
  [
    { kind: 'decimal', precision: 8, scale: 2 },
    { kind: 'decimal', precision: 12, scale: 4 },
    '1.50',
    'numeric(12,4)',
    '1.5000',
  ],
  [text, { kind: 'text' }, 'ab', 'text', 'ab'],
  [text, { kind: 'enum', labels: ['ab'] }, 'ab', 'text', 'ab'],
  [{ kind: 'float' }, { kind: 'double' }, 1.5, 'double precision', '1.5'],
  [
    { kind: 'datetime', digits: 0 },
    { kind: 'datetime', digits: 6 },
    '2024-01-01 00:00:00',
    'timestamp(6) without time zone',
    '2024-01-01 00:00:00',
  ],
  [{ kind: 'bit', length: 4 }, { kind: 'bit', length: 8 }, 5n, 'bit(8)', '00000101'],
];

it.each(conversions)('changes the type %j to %j', async (from, to, value, type, shown) => {
  const name = db.name();
  const before = table(name, [id, column('v', from, { default: 'NULL' })], ['id']);
  const after = table(name, [id, column('v', to)], ['id']);
  expect(await evolve(before, after, insert(before, [1, value]))).toEqual([idShape, ['v', type, 'f', null]]);
  expect(await db.rows(after)).toEqual([['1', shown]]);
});

it('changes a type together with its default', async () => {
  const name = db.name();
  const before = table(name, [id, column('v', int, { default: '1' })], ['id']);
  const after = table(name, [id, column('v', text, { default: "'one'", nullable: false })], ['id']);
  const columns = await evolve(before, after, insert(before, [1, 1]));
  expect(columns[1]).toEqual(['v', 'character varying(200)', 't', "'one'::character varying"]);
});

it('changes nullability and defaults', async () => {
  const name = db.name();
  const before = table(name, [id, column('a', int, { nullable: false, default: '3' }), column('b', int)], ['id']);
  const after = table(name, [id, column('a', int), column('b', int, { nullable: false, default: '4' })], ['id']);
  expect(await evolve(before, after)).toEqual([['a', 'integer', 'f', null], ['b', 'integer', 't', '4'], idShape]);
});

it('takes in new labels', async () => {
  const name = db.name();
  const labelled = (labels: string[], set: string[]): TableSchema =>
    table(name, [id, column('e', { kind: 'enum', labels }), column('s', { kind: 'set', labels: set })], ['id']);
  const [before, after] = [labelled(['a'], ['x']), labelled(['a', 'b'], ['x', 'y'])];
  await evolve(before, after, insert(before, [1, 'a', 'x']));
  const target = await db.open(after);
  await apply(target, insert(after, [2, 'b', 'x,y']));
  expect(await db.rows(after)).toEqual([
    ['1', 'a', '{x}'],
    ['2', 'b', '{x,y}'],
  ]);
  await target.close();
});

it('changes the key', async () => {
  const name = db.name();
  const columns = [id, column('k', int, { nullable: false })];
  const [one, two, none] = [table(name, columns, ['id']), table(name, columns, ['id', 'k']), table(name, columns, [])];
  await evolve(one, two, insert(one, [1, 1]));
  const target = await db.open(two);
  await apply(target, insert(two, [1, 2]));
  await apply(target, alter(two, none), insert(none, [1, 2]));
  expect(await db.rows(none)).toHaveLength(3);
  await target.close();
});

it('renames and moves a table with its rows', async () => {
  const before = table(db.name(), [id, column('v', text)], ['id']);
  const after = tableSchema({ ...before, database: 'other', name: db.name(), origin: 'other.x' });
  const target = await db.open(before);
  await apply(target, insert(before, [1, 'a']), alter(before, after), insert(after, [2, 'b']));
  await apply(target, alter(before, after));
  expect(await db.rows(after)).toEqual([
    ['1', 'a'],
    ['2', 'b'],
  ]);
  await target.close();
});

it('stops with the statement where the values of the rows cannot be known', async () => {
  const name = db.name();
  const before = table(name, [id, column('v', { kind: 'double' })], ['id']);
  const target = await db.open(before);
  await apply(target, insert(before, [1, 1.5]));
  const narrowed = await failure(apply(target, alter(before, table(name, [id, column('v', int)], ['id']))));
  expect([narrowed.code, narrowed.fix]).toEqual([
    'TARGET_UNSUPPORTED',
    expect.stringContaining('ALTER COLUMN "v" TYPE integer'),
  ]);
  const generated: Column = column('g', int, { generated: 'stored' });
  const added = await failure(apply(target, alter(before, table(name, [...before.columns, generated], ['id']))));
  expect([added.code, added.fix]).toEqual(['TARGET_UNSUPPORTED', expect.stringContaining('ADD COLUMN "g" integer')]);
  await target.close();
});

it('changes a table without rows into any other', async () => {
  const name = db.name();
  const before = table(name, [id, column('v', { kind: 'double' })], ['id']);
  const counted = column('n', { kind: 'bigint', unsigned: false }, { nullable: false, autoIncrement: true });
  const after = table(name, [id, column('v', { kind: 'datetime', digits: 0 }), counted], ['n']);
  const target = await db.open(before);
  await apply(target, alter(before, after), insert(after, [1, '2024-01-02 03:04:05', 7n]));
  expect(await db.rows(after)).toEqual([['1', '2024-01-02 03:04:05', '7']]);
  await target.close();
});

it('goes on after a person did by hand what it could not', async () => {
  const name = db.name();
  const before = table(name, [id, column('v', { kind: 'double' })], ['id']);
  const after = table(name, [id, column('v', int)], ['id']);
  const target = await db.open(before);
  await db.query(`ALTER TABLE shop.${name} ALTER COLUMN v TYPE integer`);
  await apply(target, alter(before, after), insert(after, [1, 5]));
  expect(await db.rows(after)).toEqual([['1', '5']]);
  await target.close();
});

it('catches up where a table was created in a later shape than the stream has come to', async () => {
  const name = db.name();
  const now = table(name, [id, column('late', int, { nullable: false }), column('v', int)], ['id']);
  const first = table(name, [id, column('gone', int)], ['id']);
  const second = table(name, [id, column('late', int, { nullable: false }), column('gone', int)], ['id']);
  const third = table(name, [id, column('late', int, { nullable: false }), column('v', int)], ['id']);
  const target = await db.open(now);
  await apply(
    target,
    alter(null, first),
    insert(first, [1, 10]),
    alter(first, second),
    insert(second, [2, 2, 20]),
    alter(second, third),
  );
  await apply(target, insert(third, [3, 3, 30]));
  const columns = await shape(now);
  expect(columns.map(([name, , notNull]) => [name, notNull])).toContainEqual(['late', 't']);
  expect(await db.rows(now, 'id, late')).toEqual([
    ['1', '0'],
    ['2', '2'],
    ['3', '3'],
  ]);
  await target.close();
});

it('takes a table that somebody else made when every row fits, and names what differs when not', async () => {
  const t = table(
    db.name(),
    [id, column('n', { kind: 'decimal', precision: 8, scale: 2 }), column('s', text), column('j', { kind: 'json' })],
    ['id'],
  );
  const create = (columns: string): Promise<unknown> =>
    db.query(
      `CREATE SCHEMA IF NOT EXISTS shop; DROP TABLE IF EXISTS shop.${t.name}; CREATE TABLE shop.${t.name} (${columns})`,
    );
  await create('extra text, j text, s text, n numeric, id bigint, UNIQUE (id)');
  const target = await db.open(t);
  await target.apply(
    { name: 'c', kind: 'copy' },
    { changes: [read(t, [1, '1.50', 'x', '{}'])], checkpoint: null, bytes: 1, copying: new Set(), barrier: null },
    never,
  );
  await target.close();
  await create('id int, n numeric(6,2), s varchar(10), must int NOT NULL');
  const error = await failure(db.open(t));
  expect(error.code).toBe('TARGET_SCHEMA');
  for (const part of [
    'column j is missing',
    'column n is numeric(6,2)',
    'column s is character varying(10)',
    'column must',
    'key (id)',
  ]) {
    expect(error.message).toContain(part);
  }
  await db.query(error.fix);
  await (await db.open(t)).close();
});

it('refuses names that PostgreSQL would cut, and two tables for one name', async () => {
  const long = table('x'.repeat(64), [id], ['id']);
  expect((await failure(db.open(long))).code).toBe('TARGET_SCHEMA');
  expect((await failure(db.open(table(db.name(), [id, column('ctid', int)], ['id'])))).code).toBe('TARGET_SCHEMA');
  const t = table(db.name(), [id], ['id']);
  const error = await failure(db.open(t, tableSchema({ ...t, origin: 'blog.posts' })));
  expect([error.code, error.message]).toEqual(['TARGET_NAME_COLLISION', expect.stringContaining('blog.posts')]);
});

it('keeps names with quotes, spaces and capitals', async () => {
  const t = tableSchema({
    ...table(`Or"der's`, [column('I d', int, { nullable: false }), column('sel"ect', text)], []),
    database: 'My Shop',
    key: [0],
  });
  const target = await db.open(t);
  await apply(target, insert(t, [1, 'a']), update(t, [1, 'a'], [2, 'b']));
  await apply(target, ...Array.from({ length: 400 }, (_, i) => insert(t, [i, 'c'])));
  expect(await db.query(`SELECT count(*) FROM "My Shop"."Or""der's"`)).toEqual([['400']]);
  await target.close();
});

it('plans without changing anything', async () => {
  const columns = [
    column('id', { kind: 'bigint', unsigned: true }, { autoIncrement: true, declared: 'bigint unsigned' }),
    column('d', { kind: 'date' }),
    column('g', { kind: 'geometry', shape: 'point' }),
  ];
  const t = tableSchema({ ...table(db.name(), columns, ['id']), database: 'planned' });
  const [planned] = await postgres.plan(db.options(), [{ table: t, indexes: [] }], never);
  expect(planned).toMatchObject({ origin: t.origin, exists: false, notes: [] });
  expect(planned?.columns.map(({ name, to }) => [name, to])).toEqual([
    ['id', 'numeric(20,0)'],
    ['d', 'date'],
    ['g', 'bytea'],
  ]);
  expect(planned?.columns.every(({ note }) => note !== null)).toBe(true);
  expect(await db.query(`SELECT to_regnamespace('planned')`)).toEqual([[null]]);
});
