import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { lockstep, startLockstep, until } from '../e2e/cli.ts';
import { newScene, onPostgres, openEntries, totalsOf, type Counts, type Scene } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { Proxy } from '../support/proxy.ts';
import { seed } from '../support/seed.ts';
import { killedOnce, LIMIT_MS, said } from './kills.ts';

const ROWS = 4000;
const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;
let toPostgres: Proxy;
let client: Connection;

beforeAll(async () => {
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
  ]);
  for (const server of started) servers.use(server);
  [mysql, postgres] = started;
  toPostgres = servers.use(await Proxy.open(postgres.url));
  client = await openClient(mysql.url);
  servers.defer(() => client.destroy());
});
afterAll(async () => await servers.disposeAsync());

/** Rows with these ids: every 50th is refused by the target, and every seventh is filtered. */
async function insert(from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 4000) {
    const ids = Array.from({ length: Math.min(4000, to - at) }, (_, i) => at + i);
    const rows = ids.map((id) => `(${id}, ${id % 50 === 0 ? -1 : 1}, '${id % 7 === 0 ? 'draft' : 'paid'}')`);
    await client.query(`INSERT INTO counted.orders VALUES ${rows.join()}`);
  }
}

/** What the target holds: rows, and letters. */
async function held({ target }: Scene): Promise<{ applied: number; deadLetters: number }> {
  const sql = `SELECT (SELECT count(*)::int FROM counted.orders) AS applied, (SELECT count(*)::int FROM lockstep.dead_letters) AS letters`;
  const [row] = await onPostgres<{ applied: number; letters: number }>(target, sql);
  return { applied: row?.applied ?? -1, deadLetters: row?.letters ?? -1 };
}

/** Ends once it has caught up, and gives what it counted: read = applied + filtered + dead letters, for each table too. */
async function counted({ file }: Scene): Promise<Counts> {
  const ended = await lockstep(['run', file, '--until', 'caught-up', '--json']);
  expect(ended.code, ended.stderr).toBe(0);
  const { warehouse } = totalsOf(ended);
  if (warehouse === undefined) throw new Error(ended.stdout);
  return warehouse;
}

function filtered(from: number, to: number): number {
  return Array.from({ length: to - from }, (_, i) => from + i).filter((id) => id % 7 === 0).length;
}

test(
  'what a run counts is what became of the rows in it, whatever was killed or cut before and meanwhile',
  async () => {
    const random = seeded(seed);
    const settings = `transforms: [{ filter: { table: counted.orders, where: "state != 'draft'" } }]`;
    const scene = await newScene('counted', {
      source: mysql.url,
      target: postgres,
      through: { target: toPostgres.url },
      settings,
    });
    await client.query('CREATE DATABASE counted');
    await client.query(
      'CREATE TABLE counted.orders (id INT PRIMARY KEY, total INT NOT NULL, state VARCHAR(9) NOT NULL)',
    );
    const table =
      'CREATE TABLE counted.orders (id int PRIMARY KEY, total int NOT NULL CHECK (total >= 0), state varchar(9) NOT NULL)';
    await onPostgres(scene.target, `CREATE SCHEMA counted; ${table}`);
    await insert(0, ROWS);
    expect(await counted(scene)).toMatchObject({ read: ROWS, filtered: filtered(0, ROWS), ...(await held(scene)) });

    // Killed while it follows: what it had applied is not counted again by the next.
    await using entries = await openEntries(scene);
    const position = (await entries.read()).get('stream');
    await insert(ROWS, 2 * ROWS);
    await killedOnce(scene, entries, (now) => now.get('stream') !== position, random);
    const before = await held(scene);
    const rest = await counted(scene);
    const after = await held(scene);
    expect(after.applied + after.deadLetters + filtered(0, 2 * ROWS)).toBe(2 * ROWS);
    expect({ applied: rest.applied, deadLetters: rest.deadLetters }, `seed ${seed}`).toEqual({
      applied: after.applied - before.applied,
      deadLetters: after.deadLetters - before.deadLetters,
    });

    // Cut again and again within one run: what was rolled back and came again is counted once.
    const ended = await cutWhileFollowing(scene);
    const end = await held(scene);
    expect(ended, `seed ${seed}`).toMatchObject({
      read: ROWS,
      filtered: filtered(2 * ROWS, 3 * ROWS),
      applied: end.applied - after.applied,
      deadLetters: end.deadLetters - after.deadLetters,
    });
  },
  LIMIT_MS,
);

/** The target's connections are cut before a commit is sent, three times; then the rest is applied and the run ended in good order. */
async function cutWhileFollowing(scene: Scene): Promise<Counts> {
  const running = startLockstep(['run', scene.file, '--json']);
  await using entries = await openEntries(scene);
  let at = 2 * ROWS;
  for (const rows of [ROWS / 4, ROWS / 4, ROWS / 2]) {
    // Some hundred KB go to the target for these rows, and answers come: in the midst of them it ends.
    toPostgres.cutWithin(300);
    await insert(at, (at += rows));
    const wanted = (await held(scene)).applied;
    await until(
      async () => (await held(scene)).applied > wanted,
      () => `nothing arrives, seed ${seed}: ${said(running)}`,
    );
  }
  await until(
    async () => (await entries.rows('orders')) + (await held(scene)).deadLetters === at - filtered(0, at),
    () => `not everything arrives, seed ${seed}: ${said(running)}`,
  );
  running.process.kill('SIGTERM');
  const { warehouse } = totalsOf(await running.ended);
  if (warehouse === undefined) throw new Error(said(running));
  return warehouse;
}
