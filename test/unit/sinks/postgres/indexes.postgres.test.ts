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

/** The valid indexes of a table beside its primary key: name and columns. */
async function indexesOf(t: TableSchema): Promise<(string | null)[][]> {
  return await db.query(`SELECT i.relname, regexp_replace(pg_get_indexdef(i.oid), '^.* USING ', '') FROM pg_index x
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
  await make(target, a, index('b_c', [1]));
  await make(target, b, index('c', [1]));
  await make(target, long, index('š'.repeat(30), [1]), index(`${'š'.repeat(30)}x`, [2]));
  expect((await indexesOf(a))[0]?.[0]).toBe('a_b_c');
  expect((await indexesOf(b))[0]?.[0]).toMatch(/^a_b_c_[0-9a-f]{8}$/);
  const names = (await indexesOf(long)).map(([name]) => name ?? '');
  expect(names.map((name) => /^ž{26}_[0-9a-f]{8}$/.test(name))).toEqual([true, true]);
  await target.close();
});

it('drops what was left half done and makes it again', async () => {
  const t = simple();
  const target = await db.open(t);
  await apply(target, insert(t, [1, 'a', 1]), insert(t, [2, 'a', 2]));
  const failing = db.query(`CREATE UNIQUE INDEX CONCURRENTLY ${t.name}_by_v ON shop."${t.name}" (v)`);
  await expect(failing).rejects.toThrow(/could not create unique index/);
  expect(await indexesOf(t)).toEqual([]);
  await make(target, t, index('by_v', [1]));
  expect(await indexesOf(t)).toEqual([[`${t.name}_by_v`, 'btree (v NULLS FIRST)']]);
  await target.close();
});

it('keeps one whose comment was not written any more, and does not double it', async () => {
  const t = simple();
  const target = await db.open(t);
  const start = index('start', [], { parts: [{ column: 1, length: 5, descending: false }] });
  await make(target, t, start);
  await db.query(`COMMENT ON INDEX shop."${t.name}_start" IS NULL`);
  for (let n = 0; n < 2; n += 1) await make(target, t, start);
  expect(await indexesOf(t)).toHaveLength(1);
  await target.close();
});

it('drops those of ours that the source has no more, or has otherwise, and no other', async () => {
  const t = simple();
  const target = await db.open(t);
  await db.query(`CREATE INDEX "mine ${t.name}" ON shop."${t.name}" (n, id)`);
  await make(target, t, index('by_v', [1]), index('by_n', [2]));
  await make(target, t, index('by_v', [1, 2]));
  expect(await indexesOf(t)).toEqual([
    [`mine ${t.name}`, 'btree (n, id)'],
    [`${t.name}_by_v`, 'btree (v NULLS FIRST, n NULLS FIRST)'],
  ]);
  await target.close();
});

it('never drops an index of another table, whatever its name', async () => {
  const [first, second] = [simple(), simple()];
  const target = await db.open(first, second);
  const names = [`${second.name}_x`];
  await make(target, second, index('x', [1]));
  names.push(...(await indexesOf(second)).map(([name]) => name ?? ''));
  for (const [n, name] of ['', '_2', '_3'].entries()) {
    await db.query(`DROP INDEX IF EXISTS shop."${second.name}_x"`);
    await db.query(`CREATE INDEX "${second.name}_x" ON shop."${first.name}" (v, n, id)`);
    await make(target, second, index('x', [1]));
    await db.query(`ALTER INDEX shop."${second.name}_x" RENAME TO "other ${String(n)}${name}"`);
  }
  const others = (await indexesOf(first)).map(([name]) => name);
  expect(others).toEqual(['other 0', 'other 1_2', 'other 2_3']);
  expect(await indexesOf(second)).toHaveLength(1);
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

it.each(['made', 'half made'])(
  'lets a column be of another type, where an index that is %s could not be so',
  async (state) => {
    const columns = (type: ColumnType, n: ColumnType): TableSchema['columns'] => [
      column('id', int),
      column('v', type),
      column('n', n),
    ];
    const [before, after] = [columns({ kind: 'text' }, int), columns({ kind: 'blob' }, int)];
    const t = table(db.name(), before, ['id']);
    const target = await db.open(t);
    const start = index('start', [], { parts: [{ column: 1, length: 5, descending: false }] });
    await make(target, t, start, index('by_n', [2]));
    if (state === 'half made')
      await db.query(
        `COMMENT ON INDEX shop."${t.name}_start" IS NULL; UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop."${t.name}_start"'::regclass`,
      );
    const blobs = table(t.name, after, ['id']);
    await apply(target, alter(t, blobs));
    expect(await indexesOf(blobs)).toEqual([[`${t.name}_by_n`, 'btree (n NULLS FIRST)']]);
    await make(target, blobs, start, index('by_n', [2]));
    expect(await indexesOf(blobs)).toHaveLength(2);
    await target.close();
  },
);

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
  const { made, lost } = await make(other, t, index('by_v', [1]));
  expect([made, lost]).toEqual([
    0,
    [{ name: 'by_v', reason: expect.stringMatching(/must be owner of table/) as string }],
  ]);
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
