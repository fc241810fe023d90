import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Change, Target, Values } from '../../../../core/contracts.ts';
import type { TargetOptions } from '../../../../core/plugin.ts';
import type { TableSchema } from '../../../../core/table.ts';
import { type Random, seeded } from '../../../../dev/random.ts';
import { postgres } from '../../../../sinks/postgres/index.ts';
import { batch, column, insert, int, remove, stream, table, text, update } from '../../../contract/changes.ts';
import { seed } from '../../../support/seed.ts';
import { apply, Beside, failure, never } from './server.ts';

const LANES = 4;
const ROWS = 3000;

let db: Beside;
beforeAll(async () => {
  db = await Beside.start();
});
afterAll(() => db[Symbol.asyncDispose]());

const keyed = (): TableSchema => table(db.name(), [column('id', int), column('v', text)], ['id']);

async function open(options: TargetOptions, ...tables: TableSchema[]): Promise<Target> {
  const target = await postgres.open(options);
  await target.prepare(tables, never);
  await target.load('', never);
  return target;
}

const laned = (more: Partial<TargetOptions> = {}): TargetOptions => db.options({ lanes: LANES, ...more });

const inserts = (t: TableSchema, from = 0, value = 'a'): Change[] =>
  Array.from({ length: ROWS }, (_, i) => insert(t, [from + i, value]));

/** Random changes of rows that are there, keys included; `rows` is what they leave. */
function change(random: Random, t: TableSchema, rows: Map<number, string>): Change {
  const [id, other] = [random.int(ROWS), random.int(ROWS)];
  const [is, value] = [rows.get(id), `v${String(random.int(1e6))}`];
  rows.set(id, value);
  if (is === undefined) return insert(t, [id, value]);
  const dice = random.next();
  if (dice < 0.2) {
    rows.delete(id);
    return remove(t, [id, is]);
  }
  if (dice > 0.4 || rows.has(other)) return update(t, [id, is], [id, value]);
  rows.delete(id);
  rows.set(other, value);
  return update(t, [id, is], [other, value]);
}

it('leaves what one connection would leave, whatever the changes, and shares the work', async () => {
  const random = seeded(seed);
  const tables = [keyed(), keyed()];
  const [first, second] = tables.map((t) => ({ t, rows: new Map<number, string>() }));
  if (first === undefined || second === undefined) throw new Error('two tables were made');
  const target = await open(laned(), ...tables);
  for (let n = 0; n < 5; n += 1) {
    const changes = Array.from({ length: 2 * ROWS }, () => {
      const { t, rows } = random.next() < 0.8 ? first : second;
      return change(random, t, rows);
    });
    await apply(target, ...changes);
    for (const { t, rows } of [first, second]) {
      const wanted = [...rows].sort(([a], [b]) => a - b).map(([id, v]) => [String(id), v]);
      expect(await db.rows(t), `batch ${String(n)}, seed ${String(seed)}`).toEqual(wanted);
    }
  }
  const writers = await db.query(`SELECT count(DISTINCT xmin::text) FROM shop."${first.t.name}"`);
  expect(Number(writers[0]?.[0])).toBeGreaterThanOrEqual(LANES);
  await target.close();
});

it('applies nothing of a batch whose checkpoint another process has moved (G8)', async () => {
  const t = keyed();
  const options = laned();
  const overtaken = await open(options, t);
  const other = await open(options, t);
  await other.apply(stream, batch([insert(t, [1, 'other'])], '1'), never);
  const error = await failure(overtaken.apply(stream, batch(inserts(t, 10), '1'), never));
  expect(error.code).toBe('CHECKPOINT_MOVED');
  expect(await db.rows(t)).toEqual([['1', 'other']]);
  await Promise.all([overtaken.close(), other.close()]);
});

it('does not commit beside the checkpoint once another process has taken the lane over (G8)', async () => {
  const t = keyed();
  const options = laned();
  const slow = await open(options, t);
  await slow.apply(stream, batch([insert(t, [1, 'slow'])], '1'), never);
  const other = await open(options, t);
  // The other one has the lane, and has not moved the checkpoint yet: only who has the lane tells the two apart.
  const removing = other.apply(stream, { ...batch([remove(t, [1, 'slow'])], '2'), checkpoint: null }, never);
  await removing;
  const error = await failure(slow.apply(stream, batch(inserts(t, 10), '2'), never));
  expect(error.code).toBe('CHECKPOINT_MOVED');
  expect(await db.rows(t)).toEqual([['1', 'slow']]);
  await Promise.all([slow.close(), other.close()]);
});

it('goes on with a lane that was another process’s meanwhile, once it has loaded the checkpoint again', async () => {
  const t = keyed();
  const options = laned();
  const [first, second] = [await open(options, t), await open(options, t)];
  await first.apply(stream, batch(inserts(t), '1'), never);
  await second.load('', never);
  await second.apply(stream, batch(inserts(t, 0, 'b'), '2'), never);
  await first.load('', never);
  await first.apply(stream, batch(inserts(t, 0, 'c'), '3'), never);
  expect(new Set((await db.rows(t)).map(([, v]) => v))).toEqual(new Set(['c']));
  await Promise.all([first.close(), second.close()]);
});

it('ends right when it dies after the rows and before the checkpoint (G1)', async () => {
  const t = keyed();
  const options = laned();
  const dying = await open(options, t);
  await dying.apply(stream, batch(inserts(t), '1'), never);
  // A checkpoint that only its commit refuses: by then the other connections have committed.
  await db.query(`CREATE FUNCTION refuse_${t.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '57P01'; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON lockstep.checkpoints DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.name = 'stream') EXECUTE FUNCTION refuse_${t.name}(); ALTER TABLE lockstep.checkpoints ENABLE ALWAYS TRIGGER refuse`);
  const second = [
    ...inserts(t, 0, 'b').slice(1000),
    ...inserts(t, ROWS, 'b'),
    remove(t, [7, 'a']),
    remove(t, [2999, 'b']),
  ];
  const error = await failure(dying.apply(stream, batch(second, '2'), never));
  expect(error.verdict).toBe('retry');
  await dying.close();
  await db.query('DROP TRIGGER refuse ON lockstep.checkpoints');
  const half = (await db.rows(t)).filter(([, v]) => v === 'b').length;
  expect(half, 'some of the connections have committed').toBeGreaterThan(0);
  expect(half, 'and one has not').toBeLessThan(2 * ROWS - 1001);
  const again = await open(options, t);
  expect(await again.load('', never)).toEqual(new Map([['stream', '1']]));
  await again.apply(stream, batch(second, '2'), never);
  const wanted = Array.from({ length: 2 * ROWS }, (_, id) => [String(id), id < 1000 ? 'a' : 'b']);
  expect(await db.rows(t)).toEqual(wanted.filter(([id]) => id !== '7' && id !== '2999'));
  await again.close();
});

it('sets a refused row aside and applies all others (G9)', async () => {
  const t = keyed();
  const target = await open(laned({ deadLetterLimit: 10 }), t);
  await db.query(`ALTER TABLE shop."${t.name}" ADD CHECK (v <> 'bad')`);
  await apply(target, ...inserts(t).map((good, i) => (i === 2500 ? insert(t, [2500, 'bad']) : good)));
  expect(await db.rows(t)).toHaveLength(ROWS - 1);
  expect(await db.query(`SELECT keys FROM lockstep.dead_letters WHERE origin = '${t.origin}'`)).toHaveLength(1);
  await apply(target, ...inserts(t).map((_, i) => update(t, [i, 'a'], [i, 'b'])));
  expect((await db.rows(t)).map(([, v]) => v)).toEqual(Array.from({ length: ROWS - 1 }, () => 'b'));
  await target.close();
});

/** All rows get each other's values of a unique column, by way of values that nobody has: the source takes them one by one. */
const swaps = (t: TableSchema): Change[] => [
  ...Array.from({ length: ROWS }, (_, i) => update(t, unique(i), [i, `free${String(i)}`])),
  ...Array.from({ length: ROWS }, (_, i) => update(t, [i, `free${String(i)}`], mirrored(i))),
];
const unique = (i: number): Values => [i, `v${String(i)}`];
const mirrored = (i: number): Values => [i, `v${String(ROWS - 1 - i)}`];

it('lets rows swap the values of another unique column', async () => {
  const t = keyed();
  const target = await open(laned(), t);
  await db.query(`ALTER TABLE shop."${t.name}" ADD UNIQUE (v)`);
  await apply(target, ...Array.from({ length: ROWS }, (_, i) => insert(t, unique(i))));
  await apply(target, ...swaps(t));
  expect(await db.rows(t)).toEqual(Array.from({ length: ROWS }, (_, i) => mirrored(i).map(String)));
  await target.close();
});

it('does so also where the index was made behind its back, and lanes stand in each other’s way', async () => {
  const t = keyed();
  const target = await open(laned(), t);
  await apply(target, ...Array.from({ length: ROWS }, (_, i) => insert(t, unique(i))));
  await db.query(`ALTER TABLE shop."${t.name}" ADD UNIQUE (v)`);
  await apply(target, ...swaps(t));
  expect(await db.rows(t)).toEqual(Array.from({ length: ROWS }, (_, i) => mirrored(i).map(String)));
  await target.close();
});
