import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until, type Running } from '../e2e/cli.ts';
import { newScene, openEntries, type Scene } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { seed } from '../support/seed.ts';
import { killedOnce, LIMIT_MS, said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';

const ACCOUNTS = 100;
const WIDE = 10_000;
const servers = new AsyncDisposableStack();
let source: Server;
let scene: Scene;
let client: Connection;

beforeAll(async () => {
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
  ]);
  for (const server of started) servers.use(server);
  const [mysql, postgres] = started;
  source = mysql;
  client = await openClient(source.url);
  servers.defer(() => client.destroy());
  scene = await newScene('bank', { source: source.url, target: postgres });
  await client.query('CREATE DATABASE bank');
  for (const table of ['savings', 'current']) {
    await client.query(`CREATE TABLE bank.${table} (id INT PRIMARY KEY, money INT NOT NULL, step INT NOT NULL)`);
    const rows = Array.from({ length: ACCOUNTS }, (_, id) => `(${id}, 1000, 0)`);
    await client.query(`INSERT INTO bank.${table} VALUES ${rows.join()}`);
  }
  // One transaction over all of it is some 10 MB of log, handed on in parts.
  await client.query('CREATE TABLE bank.wide (id INT PRIMARY KEY, step INT NOT NULL, filling VARCHAR(600) NOT NULL)');
  const wide = Array.from({ length: WIDE }, (_, id) => `(${id}, 0, REPEAT('x', 500))`);
  for (let at = 0; at < WIDE; at += 5000) {
    await client.query(`INSERT INTO bank.wide VALUES ${wide.slice(at, at + 5000).join()}`);
  }
});
afterAll(async () => await servers.disposeAsync());

/** Transactions one after the other, each with its number in every row that it changes: money from one table to the other, and all of `wide` at times. */
class Bank {
  step = 0;
  #stopped = false;
  readonly #working: Promise<void>;

  constructor(url: string) {
    this.#working = this.#work(url);
    this.#working.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async #work(url: string): Promise<void> {
    const random = seeded(seed);
    const connection = await openClient(url);
    try {
      for (; !this.#stopped; this.step += 1) {
        const next = this.step + 1;
        const [from, to] = random.chance(0.5) ? ['savings', 'current'] : ['current', 'savings'];
        const [money, id, other] = [random.int(50), random.int(ACCOUNTS), random.int(ACCOUNTS)];
        await connection.query('BEGIN');
        await connection.query(`UPDATE bank.${from} SET money = money - ${money}, step = ${next} WHERE id = ${id}`);
        if (next % 50 === 0) await connection.query(`UPDATE bank.wide SET step = ${next}`);
        await connection.query(`UPDATE bank.${to} SET money = money + ${money}, step = ${next} WHERE id = ${other}`);
        await connection.query('COMMIT');
      }
    } finally {
      connection.destroy();
    }
  }
}

/** What one statement of a reader sees. Every state of the source has all money, one number in all of `wide`, and both sides of its last step. */
interface Seen {
  readonly money: number;
  readonly last: readonly [number, number];
  readonly wide: readonly [number, number];
}
const LOOK = `SELECT (SELECT sum(money) FROM bank.savings) + (SELECT sum(money) FROM bank.current) AS money,
  ARRAY[(SELECT max(step) FROM bank.savings), (SELECT max(step) FROM bank.current)] AS last,
  (SELECT ARRAY[min(step), max(step)] FROM bank.wide) AS wide`;

/** Looks at the target as often as it can, until it is stopped; keeps every state that the source never had. */
class Reader {
  looks = 0;
  readonly steps = new Set<number>();
  readonly wide = new Set<number>();
  readonly torn: Seen[] = [];
  #stopped = false;
  readonly #working: Promise<void>;

  constructor(url: string) {
    this.#working = this.#work(url);
    this.#working.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async #work(url: string): Promise<void> {
    const target = new Client(url);
    await target.connect();
    try {
      for (; !this.#stopped; this.looks += 1) {
        const { rows } = await target.query<{ money: string; last: [number, number]; wide: [number, number] }>(LOOK);
        for (const { money, last, wide } of rows) this.#judge({ money: Number(money), last, wide });
        await sleep(5);
      }
    } finally {
      await target.end();
    }
  }

  #judge(seen: Seen): void {
    this.steps.add(Math.max(...seen.last));
    this.wide.add(seen.wide[0]);
    const whole = seen.money === 2000 * ACCOUNTS && seen.last[0] === seen.last[1] && seen.wide[0] === seen.wide[1];
    if (!whole) this.torn.push(seen);
  }
}

test(
  'a reader of PostgreSQL never sees a part of a transaction, one too large for memory or one in which the process is killed',
  async () => {
    await expectNoneLostOrDoubled(scene, 'before any fault');
    const random = seeded(seed);
    await using entries = await openEntries(scene);
    const reader = new Reader(scene.target);
    const bank = new Bank(source.url);
    try {
      for (let kill = 0; kill < 3; kill += 1) {
        const before = (await entries.read()).get('stream');
        await killedOnce(scene, entries, (now) => now.get('stream') !== before, random);
      }
      const { wide } = reader;
      const running: Running = startLockstep(['run', scene.file]);
      const large = wide.size;
      await until(
        () => wide.size > large,
        () => `no large transaction arrives, seed ${seed}: ${said(running)}`,
      );
      // In the middle of a large transaction: parts of it are there, and nobody sees them.
      await inLargeTransaction(scene, running);
      running.process.kill('SIGKILL');
      await running.ended;
    } finally {
      await bank.stop();
    }
    await expectNoneLostOrDoubled(scene, 'killed four times, once within a large transaction');
    await reader.stop();
    expect(reader.torn.slice(0, 3), `of ${reader.looks} looks, seed ${seed}`).toEqual([]);
    expect(reader.steps.size).toBeGreaterThan(10);
    expect(reader.wide.size).toBeGreaterThan(1);
  },
  LIMIT_MS,
);

/** Waits for a moment in which the pipeline's transaction has written to `wide` and is not committed. */
async function inLargeTransaction({ target }: Scene, running: Running): Promise<void> {
  const client = new Client(target);
  await client.connect();
  try {
    const open = `SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE relation = 'bank.wide'::regclass
      AND mode = 'RowExclusiveLock' AND application_name LIKE 'lockstep/%' AND now() - xact_start > '0.05 s'`;
    await until(
      async () => (await client.query(open)).rows.length > 0,
      () => `no large transaction: ${said(running)}`,
    );
  } finally {
    await client.end();
  }
}
