import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { cascadesOf } from '../../../core/cascade.ts';
import type { Change, RowChange, Values } from '../../../core/contracts.ts';
import type { ForeignKey } from '../../../core/foreign-key.ts';
import type { TableSchema } from '../../../core/table.ts';
import { Transforms } from '../../../core/transform.ts';
import { column, insert, int, part, remove, table, update } from '../../contract/changes.ts';
import { MemoryServer } from '../../support/memory-target.ts';
import { seed } from '../../support/seed.ts';

const pair = (name: string): TableSchema => table(name, [column('id', int), column('ref', int)], ['id']);
const [a, b, c, tree] = [pair('a'), pair('b'), pair('c'), pair('tree')];
const line = table('line', [column('b', int), column('n', int)], ['b', 'n']);
const tables = [a, b, c, line, tree];

function refers(child: TableSchema, index: number, parent: TableSchema, actions: Partial<ForeignKey>): ForeignKey {
  const name = `${child.name}_${parent.name}`;
  return { name, child, columns: [index], parent, references: [0], onDelete: 'none', onUpdate: 'none', ...actions };
}

const both = { onDelete: 'cascade', onUpdate: 'cascade' } as const;
const keys = [
  refers(b, 1, a, both),
  refers(c, 1, b, { onDelete: 'set-null', onUpdate: 'cascade' }),
  refers(line, 0, b, both),
  refers(tree, 1, tree, { onDelete: 'cascade' }),
];

interface Op {
  readonly table: TableSchema;
  readonly kind: 'put' | 'delete';
  readonly id: number;
  readonly to: number;
  readonly ref: number | null;
  readonly unchecked: boolean;
}

const id = fc.integer({ min: 1, max: 5 });
const op: fc.Arbitrary<Op> = fc.record({
  table: fc.constantFrom(...tables),
  kind: fc.constantFrom('put', 'delete'),
  id,
  to: id,
  ref: fc.option(id, { freq: 4 }),
  unchecked: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

/** What a server logs of the operations, each followed by what foreign keys did, one by one; gives the rows that it has in the end. */
function logged(ops: readonly Op[]): { changes: Change[]; server: MemoryServer } {
  const server = new MemoryServer();
  for (const one of tables) server.prepare(one);
  const changes: Change[] = [];
  for (const { table: to, kind, ...op } of ops) {
    const row: Values = to === line ? [op.id, op.to] : [op.id, op.ref];
    const isOld = (other: Values): boolean => other[0] === row[0] && (to !== line || other[1] === row[1]);
    const old = server.rows(to).find(isOld);
    const now: Values = to === line ? [op.ref ?? op.id, op.to] : [op.to, op.ref];
    const isTaken = server.rows(to).some((other) => other[0] === now[0] && (to !== line || other[1] === now[1]));
    let change: RowChange | null = null;
    if (old === undefined) change = kind === 'put' ? insert(to, row) : null;
    else if (kind === 'delete') change = remove(to, old);
    else if (isOld(now) || !isTaken) change = update(to, old, now);
    if (change === null) continue;
    const all = [change, ...(op.unchecked ? [] : cascadesOf(change, keys))];
    server.write(all, new Set());
    changes.push(...all);
  }
  return { changes, server };
}

const sorted = (rows: readonly Values[]): string[] => rows.map((row) => row.join()).toSorted();

test('what waits to be done together leaves what would have been left one by one', () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 80, size: 'max' }), (ops) => {
      const { changes, server } = logged(ops);
      const merged = new MemoryServer();
      for (const one of tables) merged.prepare(one);
      merged.write(new Transforms([]).batch(part(changes)).batch.changes, new Set());
      for (const one of tables) expect(sorted(merged.rows(one))).toEqual(sorted(server.rows(one)));
    }),
    { seed, numRuns: 1000 },
  );
});

test('many deleted parents come to one cascade for each key', () => {
  const rows = Array.from({ length: 100 }, (_, i) => [remove(b, [i, i]), remove(a, [i, null])]);
  const all = rows.flat().flatMap((change): Change[] => [change, ...cascadesOf(change, keys)]);
  const { changes } = new Transforms([]).batch(part(all)).batch;
  expect(changes.filter(({ kind }) => kind === 'cascade').length).toBeLessThan(5);
});
