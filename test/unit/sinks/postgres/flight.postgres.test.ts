import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Session } from '../../../../sinks/postgres/session.ts';
import { failure, Beside, never } from './server.ts';

let db: Beside;
let session: Session;
beforeAll(async () => {
  db = await Beside.start();
  session = await Session.open({ url: db.server.url, applicationName: 'flight' }, never);
});
afterAll(async () => {
  await session.end();
  await db[Symbol.asyncDispose]();
});

let [one, two] = ['', ''];
beforeEach(async () => {
  [one, two] = [db.name(), db.name()];
  await db.query(
    `CREATE TABLE ${one} (id integer PRIMARY KEY, v text); CREATE TABLE ${two} (LIKE ${one} INCLUDING ALL)`,
  );
});

/** More of them than all the buffers on the way to the server hold. */
const MANY = 300_000;
const WIDE = 'x'.repeat(100);

function* rows(count: number, first = 0): Generator<Buffer> {
  for (let id = first; id < first + count; id += 1000) {
    const lines = Array.from({ length: Math.min(1000, first + count - id) }, (_, i) => `${String(id + i)}\t${WIDE}\n`);
    yield Buffer.from(lines.join(''));
  }
}

const copyInto = (table: string, pieces: Iterable<Buffer>) => ({ statement: `COPY ${table} FROM STDIN`, pieces });

async function counts(): Promise<number[]> {
  const all = await Promise.all([one, two].map(async (table) => await db.query(`SELECT count(*) FROM ${table}`)));
  return all.map(([row]) => Number(row?.[0]));
}

it('brings the rows of several COPYs, and what is done between them, in one round trip', async () => {
  await session.send(
    ['BEGIN', copyInto(one, rows(MANY)), `DELETE FROM ${one} WHERE id >= 10`, copyInto(two, rows(5)), 'COMMIT'],
    never,
  );
  expect(await counts()).toEqual([10, 5]);
});

it('brings a COPY of no rows', async () => {
  await session.send([copyInto(one, []), copyInto(two, rows(1))], never);
  expect(await counts()).toEqual([0, 1]);
});

it('says what the server refuses, leaves out all that stands behind it, and goes on', async () => {
  const twice = [...rows(1), ...rows(1)];
  const error = await failure(
    session.send(['BEGIN', copyInto(one, twice), copyInto(two, rows(MANY)), 'COMMIT'], never),
  );
  expect(error.message).toContain(`${one}_pkey`);
  await session.query('ROLLBACK', never);
  await session.send([copyInto(two, rows(3))], never);
  expect(await counts()).toEqual([0, 3]);
});

it('says why rows could not be made, leaves none of them, and goes on', async () => {
  const broken = function* (): Generator<Buffer> {
    yield* rows(10);
    throw new RangeError('no such row');
  };
  await expect(session.send(['BEGIN', copyInto(one, broken()), 'COMMIT'], never)).rejects.toThrow('no such row');
  await session.query('ROLLBACK', never);
  await session.send([copyInto(two, rows(3))], never);
  expect(await counts()).toEqual([0, 3]);
});

it('says that the connection was lost while rows were under way', async () => {
  const lost = await Session.open({ url: db.server.url, applicationName: 'lost' }, never);
  const kill = function* (): Generator<Buffer> {
    yield* rows(1000);
    void db.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lost'`);
    for (;;) yield* rows(1000);
  };
  const error = await failure(lost.send([copyInto(one, kill())], never));
  expect(error.verdict).toBe('retry');
  expect(await counts()).toEqual([0, 0]);
});
