import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LostIndex, SecondaryIndex } from '../../../../core/secondary-index.ts';
import type { TableSchema } from '../../../../core/table.ts';
import { column, int, table, text } from '../../../contract/changes.ts';
import { Beside, never } from './server.ts';

let beside: Beside;
beforeAll(async () => {
  beside = await Beside.start();
});
afterAll(() => beside.stop());

const index = (name: string, ...columns: (number | null)[]): SecondaryIndex => ({
  name,
  kind: 'ordered',
  parts: columns.map((column) => ({ column, length: null, descending: column === 2 })),
});

async function make(
  t: TableSchema,
  ...indexes: SecondaryIndex[]
): Promise<{ made: number; lost: readonly LostIndex[] }> {
  const target = await beside.open(beside.options(), t);
  let made = 0;
  const lost = await target.createIndexes?.({ table: t, indexes }, () => (made += 1), never);
  return { made, lost: lost ?? [] };
}

async function indexesOf(t: TableSchema): Promise<unknown[]> {
  const found = await beside.client.db(t.database).collection(t.name).indexes();
  return found.slice(1).map(({ name, key, unique }) => [name, Object.entries(key), unique]);
}

it('makes those that the collection lacks, and again none', async () => {
  const t = table('lacks', [column('id', int), column('10', text), column('2', text), column('v', text)], ['id']);
  await beside.client.db(t.database).collection(t.name).createIndex({ v: 1 }, { name: 'mine' });
  const wanted = [index('both', 1, 2, 3), index('by_v', 3)];
  for (let n = 0; n < 2; n += 1) expect(await make(t, ...wanted)).toEqual({ made: 2, lost: [] });
  const found = await indexesOf(t);
  expect(found).toContainEqual(['mine', [['v', 1]], undefined]);
  expect(found.map((one) => (Array.isArray(one) ? one[0] : one))).toEqual(['mine', 'both']);
});

it('names those that MongoDB cannot have, and makes the rest', async () => {
  const set = { kind: 'set', labels: ['a', 'b'] } as const;
  const columns = [column('id', int), column('a', set), column('b', set), column('x.y', text), column('v', text)];
  const t = table('cannot', columns, ['id']);
  await beside.client.db(t.database).collection(t.name).createIndex({ other: 1 }, { name: 'taken' });
  const { made, lost } = await make(
    t,
    index('sets', 1, 2),
    index('dotted', 3),
    index('odd', null),
    { ...index('words', 4), kind: 'fulltext' },
    { ...index('places', 4), kind: 'spatial' },
    index('taken', 4),
    index('by_v', 4),
  );
  expect([made, lost.map(({ name }) => name)]).toEqual([1, ['sets', 'dotted', 'odd', 'words', 'places', 'taken']]);
});

it('names those beyond the number that a collection has', async () => {
  const columns = Array.from({ length: 66 }, (_, i) => column(`c${String(i)}`, int));
  const t = table('many', columns, ['c0']);
  const { made, lost } = await make(t, ...Array.from({ length: 65 }, (_, i) => index(`i${String(i + 1)}`, i + 1)));
  expect([made, lost]).toEqual([
    63,
    [64, 65].map((n) => ({ name: `i${String(n)}`, reason: expect.stringMatching(/64 indexes/) as string })),
  ]);
});
