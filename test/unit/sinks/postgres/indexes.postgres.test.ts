import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Target } from '../../../../core/contracts.ts';
import type { LostIndex, SecondaryIndex } from '../../../../core/secondary-index.ts';
import type { ColumnType, TableSchema } from '../../../../core/table.ts';
import { seeded } from '../../../../dev/random.ts';
import { postgres } from '../../../../sinks/postgres/index.ts';
import { alter, column, insert, int, table, text, truncate } from '../../../contract/changes.ts';
import { seed } from '../../../support/seed.ts';
import { apply, Beside, failure, never } from './server.ts';

let db: Beside;
beforeAll(async () => {
  db = await Beside.start();
});
afterAll(() => db[Symbol.asyncDispose]());

const whole = (column: number): SecondaryIndex['parts'][number] => ({ column, length: null, descending: false });
const index = (name: string, columns: readonly number[], more: Partial<SecondaryIndex> = {}): SecondaryIndex => ({
  name,
  kind: 'ordered',
  parts: columns.map(whole),
  ...more,
});

const simple = (name = db.name()): TableSchema =>
  table(name, [column('id', int), column('v', text), column('n', int)], ['id']);

async function make(
  target: Target,
  t: TableSchema,
  ...indexes: SecondaryIndex[]
): Promise<{ made: number; lost: readonly LostIndex[] }> {
  let made = 0;
  const lost = await target.createIndexes?.({ table: t, indexes }, () => (made += 1), never);
  return { made, lost: lost ?? [] };
}

/** The valid indexes of a table beside its primary key: name without its hash, and columns. */
async function indexesOf(t: TableSchema): Promise<(string | null)[][]> {
  return await db.query(`SELECT regexp_replace(i.relname, '_[0-9a-f]{8}$', ''), regexp_replace(pg_get_indexdef(i.oid), '^.* USING ', '') FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = '${t.database}."${t.name}"'::regclass AND x.indisvalid AND NOT x.indisprimary ORDER BY 1`);
}

/** Waits until an index of the table is under way. */
async function making(t: TableSchema): Promise<void> {
  const sql = `SELECT FROM pg_index x WHERE x.indrelid = 'shop."${t.name}"'::regclass AND NOT x.indisvalid`;
  await expect.poll(async () => (await db.query(sql)).length, { timeout: 20_000 }).toBe(1);
}

it('makes those that the table lacks, and again none', async () => {
  const t = simple();
  const target = await db.open(t);
  await db.query(`CREATE INDEX "mine ${t.name}" ON shop."${t.name}" (n)`);
  const wanted = [index('by_n', [2]), index('by_v', [1]), index('both', [2, 1])];
  for (let n = 0; n < 2; n += 1) expect(await make(target, t, ...wanted)).toEqual({ made: 3, lost: [] });
  expect(await indexesOf(t)).toEqual([
    [`mine ${t.name}`, 'btree (n)'],
    [`${t.name}_both`, 'btree (n NULLS FIRST, v NULLS FIRST)'],
    [`${t.name}_by_v`, 'btree (v NULLS FIRST)'],
  ]);
  await target.close();
});

it('finds names that nobody else has, whatever the length', async () => {
  const [a, b] = [simple('a'), simple('a_b')];
  const long = simple('ž'.repeat(31));
  const target = await db.open(a, b, long);
  const columns = index('b_c', [1]);
  await make(target, a, columns);
  await db.query(`ALTER TABLE shop.a RENAME TO z`);
  await db.query(`CREATE TABLE shop.a (LIKE shop.z)`);
  await make(target, a, columns);
  await make(target, b, index('c', [1]));
  await make(target, long, index('š'.repeat(30), [1]), index(`${'š'.repeat(30)}x`, [2]));
  const all = await db.query(
    `SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'shop' AND indexname ~ '_[0-9a-f]{8}(_[0-9])?$' AND tablename ~ '^(a|z|a_b|ž+)$'`,
  );
  const named = all.map(([of, name]) => `${of ?? ''} ${(name ?? '').replace(/_[0-9a-f]{8}/, '_…')}`).toSorted();
  expect(named).toEqual([
    'a a_b_c_…_2',
    'a_b a_b_c_…',
    'z a_b_c_…',
    `${'ž'.repeat(31)} ${'ž'.repeat(26)}_…`,
    `${'ž'.repeat(31)} ${'ž'.repeat(26)}_…`,
  ]);
  await target.close();
});

it('drops what was left half done and makes it again', async () => {
  const t = simple();
  const target = await db.open(t);
  await make(target, t, index('by_v', [1]));
  await db.query(
    `UPDATE pg_index SET indisvalid = false WHERE indrelid = 'shop."${t.name}"'::regclass AND NOT indisprimary`,
  );
  expect(await indexesOf(t)).toEqual([]);
  await make(target, t, index('by_v', [1]));
  expect(await indexesOf(t)).toEqual([[`${t.name}_by_v`, 'btree (v NULLS FIRST)']]);
  await target.close();
});

it('takes nobody else’s for its own, and drops none of them', async () => {
  const t = simple();
  const target = await db.open(t);
  const start = index('start', [], { parts: [{ column: 1, length: 5, descending: false }] });
  await db.query(
    `CREATE INDEX ${t.name}_start ON shop."${t.name}" (lower(v)); CREATE INDEX ${t.name}_by_n ON shop."${t.name}" (n) WHERE id > 5`,
  );
  for (let n = 0; n < 2; n += 1) await make(target, t, start, index('by_n', [2]));
  const found = await indexesOf(t);
  expect(found.map(([, text]) => text ?? '').toSorted()).toEqual([
    'btree ("left"((v)::text, 5) NULLS FIRST)',
    'btree (lower((v)::text))',
    'btree (n NULLS FIRST)',
    'btree (n) WHERE (id > 5)',
  ]);
  await target.close();
});

it('leaves an index to whoever takes its name in that very moment, and is tried again', async () => {
  const t = simple();
  const target = await db.open(t);
  await make(target, t, index('by_v', [1]));
  const sql = `SELECT indexname FROM pg_indexes WHERE schemaname = 'shop' AND indexname LIKE '${t.name}_by_v_%'`;
  const name = (await db.query(sql))[0]?.[0] ?? '';
  await db.query(`DROP INDEX shop."${name}"; CREATE TABLE shop."${t.name} other" (v integer)`);
  const holder = await db.pool.connect();
  await holder.query(`BEGIN; CREATE INDEX "${name}" ON shop."${t.name} other" (v)`);
  const first = failure(make(target, t, index('by_v', [1])));
  const waits = `SELECT FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%${name}%' AND wait_event_type = 'Lock'`;
  await expect.poll(async () => (await db.query(waits)).length, { timeout: 20_000 }).toBe(1);
  await holder.query('COMMIT');
  holder.release();
  expect(await first).toMatchObject({ code: 'TARGET_BUSY' });
  expect(await make(target, t, index('by_v', [1]))).toEqual({ made: 1, lost: [] });
  expect(await db.query(sql)).toEqual([[name], [`${name}_2`]]);
  await target.close();
});

it('makes one for a new column that has the name of one that was renamed', async () => {
  const t = simple();
  const target = await db.open(t);
  await make(target, t, index('by_v', [1]));
  await db.query(
    `ALTER TABLE shop."${t.name}" RENAME COLUMN v TO old; ALTER TABLE shop."${t.name}" ADD COLUMN v varchar(200)`,
  );
  await make(target, t, index('by_v', [1]));
  expect((await indexesOf(t)).map(([, text]) => text)).toEqual(['btree (old NULLS FIRST)', 'btree (v NULLS FIRST)']);
  await target.close();
});

it('waits for nobody who makes indexes of the same table, and is tried again', async () => {
  const t = simple();
  const [one, other] = [await db.open(t), await db.open(t)];
  const holder = await db.pool.connect();
  // A transaction that has written to the table keeps every index of it from becoming valid.
  await holder.query(`BEGIN; LOCK TABLE shop."${t.name}" IN ROW EXCLUSIVE MODE`);
  const first = make(one, t, index('by_v', [1]));
  await making(t);
  expect(await failure(make(other, t, index('by_v', [1])))).toMatchObject({ code: 'TARGET_BUSY' });
  await holder.query('COMMIT');
  holder.release();
  expect(await first).toEqual({ made: 1, lost: [] });
  await Promise.all([one.close(), other.close()]);
});

const changes = {
  'a truncate': (t: TableSchema) => truncate(t),
  'a new column': (t: TableSchema) => alter(t, table(t.name, [...t.columns, column('more', int)], ['id'])),
  'a drop': (t: TableSchema) => alter(t, null),
};
it.each(Object.entries(changes))('ends for %s of its table, and is tried again', async (_, change) => {
  const t = simple();
  const target = await db.open(t);
  const holder = await db.pool.connect();
  // Whoever reads in a transaction keeps every index that is made meanwhile from becoming valid.
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
  const first = failure(make(target, t, index('by_v', [1])));
  await making(t);
  await apply(target, change(t));
  expect(await first).toMatchObject({ code: 'TARGET_BUSY' });
  await holder.query('COMMIT');
  holder.release();
  await target.close();
});

it('lets a column be of another type, also where indexes could not be so, and keeps the others', async () => {
  const wide = { kind: 'varchar', length: 2000 } as const;
  const longer = { kind: 'varchar', length: 210 } as const;
  const columns = (v: ColumnType, w: ColumnType, x: ColumnType) => [
    column('id', int),
    column('v', v),
    column('w', w),
    column('x', x),
  ];
  const t = table(db.name(), columns({ kind: 'text' }, text, text), ['id']);
  const after = table(t.name, columns({ kind: 'blob' }, wide, longer), ['id']);
  const target = await db.open(t);
  const indexes = [
    index('start', [], { parts: [{ column: 1, length: 5, descending: false }] }),
    index('by_w', [2]),
    index('by_x', [3]),
  ];
  await make(target, t, ...indexes);
  await db.query(
    `UPDATE pg_index SET indisvalid = false WHERE indrelid = 'shop."${t.name}"'::regclass AND indexprs IS NOT NULL`,
  );
  await apply(target, alter(t, after));
  expect(await indexesOf(after)).toEqual([[`${t.name}_by_x`, 'btree (x NULLS FIRST)']]);
  const { lost } = await make(target, after, ...indexes);
  expect(lost.map(({ name }) => name)).toEqual(['by_w']);
  expect(await indexesOf(after)).toHaveLength(2);
  await target.close();
});

it('waits for columns that the stream has still to bring', async () => {
  const t = simple();
  const later = table(t.name, [...t.columns, column('w', int)], ['id']);
  const target = await db.open(t);
  expect(await failure(make(target, later, index('by_w', [3])))).toMatchObject({ code: 'TARGET_BUSY' });
  await apply(target, alter(t, later));
  expect(await make(target, later, index('by_w', [3]))).toEqual({ made: 1, lost: [] });
  await target.close();
});

it('names what PostgreSQL cannot have, and makes the rest', async () => {
  const t = table(db.name(), [column('id', int), column('doc', { kind: 'text' }), column('v', text)], ['id']);
  const target = await db.open(t);
  const odd = index('odd', [2], { parts: [{ column: null, length: null, descending: false }] });
  const { made, lost } = await make(
    target,
    t,
    index('docs', [1]),
    odd,
    index('words', [1], { kind: 'fulltext' }),
    index('by_v', [2]),
  );
  expect([made, lost.map(({ name }) => name)]).toEqual([1, ['docs', 'odd', 'words']]);
  await target.close();
});

it('says what the server refuses', async () => {
  const t = simple();
  const target = await db.open(t);
  await db.query(`CREATE ROLE "r ${t.name}"; ALTER TABLE shop."${t.name}" OWNER TO "r ${t.name}"`);
  await db.query(`CREATE ROLE "w ${t.name}" LOGIN PASSWORD 'w'; GRANT ALL ON SCHEMA shop TO "w ${t.name}"`);
  const url = new URL(db.server.url);
  [url.username, url.password] = [`w ${t.name}`, 'w'];
  const other = await postgres.open(db.options({ url: url.href }));
  expect(await failure(make(other, t, index('by_v', [1])))).toMatchObject({
    code: 'TARGET_GRANT',
    message: expect.stringMatching(/must be owner of table/) as string,
  });
  await Promise.all([target.close(), other.close()]);
});

it('makes them of a partitioned table too', async () => {
  const t = simple();
  await db.query(`CREATE SCHEMA IF NOT EXISTS shop; CREATE TABLE shop."${t.name}" (id integer PRIMARY KEY, v text, n integer) PARTITION BY RANGE (id);
    CREATE TABLE shop."${t.name} 1" PARTITION OF shop."${t.name}" DEFAULT`);
  const target = await db.open(t);
  expect(await make(target, t, index('by_v', [1]))).toEqual({ made: 1, lost: [] });
  expect(await indexesOf(t)).toHaveLength(1);
  await target.close();
});

it('holds the widest rows in every index that it makes', async () => {
  const random = seeded(seed);
  const pick = (length: number, from: number, to: number): string =>
    String.fromCodePoint(...Array.from({ length }, () => from + random.int(to - from)));
  const widest = (type: ColumnType, charset: string | null): string | Uint8Array => {
    if (type.kind === 'varbinary') return Uint8Array.from({ length: type.length }, () => random.int(256));
    const length = type.kind === 'varchar' ? type.length : 4000;
    return charset === 'ascii'
      ? pick(length, 33, 127)
      : charset === 'utf8mb3'
        ? pick(length, 0x4e00, 0x9f00)
        : pick(length, 0x20000, 0x2a000);
  };
  let [made, lost] = [0, 0];
  for (let n = 0; n < 60; n += 1) {
    const columns = Array.from({ length: 1 + random.int(3) }, (_, i) => {
      const charset = ['ascii', 'utf8mb3', 'utf8mb4'][random.int(3)] ?? null;
      const length = 1 + random.int(900);
      const types: ColumnType[] = [
        { kind: 'varchar', length },
        { kind: 'varbinary', length: 3 * length },
        { kind: 'text' },
      ];
      const type = types[random.int(3)] ?? text;
      return column(`c${String(i)}`, type, { charset: type.kind === 'varbinary' ? null : charset });
    });
    const t = table(db.name(), [column('id', int), ...columns], ['id']);
    const parts = columns.map((_, i) => ({
      column: i + 1,
      length: random.next() < 0.5 || columns[i]?.type.kind === 'text' ? 1 + random.int(400) : null,
      descending: random.next() < 0.5,
    }));
    const target = await db.open(t);
    const outcome = await make(target, t, index('wide', [], { parts }));
    made += outcome.made;
    lost += outcome.lost.length;
    await apply(target, insert(t, [1, ...columns.map(({ type, charset }) => widest(type, charset))]));
    await target.close();
  }
  expect([made > 10, lost > 0], `${made} made, ${lost} lost, seed ${seed}`).toEqual([true, true]);
});
