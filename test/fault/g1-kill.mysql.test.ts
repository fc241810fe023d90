import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until, type Running } from '../e2e/cli.ts';
import { openClient } from '../support/mysql-run.ts';
import { Writers } from '../support/mysql-writers.ts';
import { caughtUp, createShapes, newScene, openEntries, type Scene } from '../e2e/scene.ts';
import { seed } from '../support/seed.ts';
import { durableRows, forwardOnly, isCopied, killedOnce, KILLS, LIMIT_MS, said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';
import { endInOrder } from './returns.ts';

const ROWS = 60_000;

describe.each([
  ['mysql', 'postgres'],
  ['mariadb', 'mongodb'],
] as const)('from %s to %s', { timeout: LIMIT_MS }, (flavour, kind) => {
  const servers = new AsyncDisposableStack();
  const random = seeded(seed);
  let source: Server;
  let target: Server;
  let scene: Scene;

  beforeAll(async () => {
    const started = await Promise.all([
      startServer(flavour, { fast: true, own: true }),
      startServer(kind, { fast: true, own: true }),
    ]);
    for (const server of started) servers.use(server);
    [source, target] = started;
    scene = await newScene('killed', { source: source.url, target });
    await using client = await openClient(source.url);
    await createShapes(client, scene.name, 1500);
    await client.query('CREATE TABLE killed.wide (id INT PRIMARY KEY, v INT NOT NULL, filling VARCHAR(2000) NOT NULL)');
    await client.query(
      `INSERT INTO killed.wide SELECT seq, 0, REPEAT(CHAR(97 + seq % 26), 1200) FROM ${numbers(ROWS)}`,
    );
  });
  afterAll(async () => await servers.disposeAsync());

  test('killed again and again while it copies under writes it goes on with what is copied, and ends equal', async () => {
    await using entries = await openEntries(scene);
    const wide = `${scene.name}.wide`;
    const goesForward = forwardOnly([
      wide,
      ...['ints', 'words', 'bins', 'decs', 'enums', 'uniques'].map((name) => `${scene.name}.${name}`),
    ]);
    const writers = new Writers({ url: source.url, database: scene.name, seed });
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        // The first one hits the beginning, wherever that is by then; the later ones each a further part of the large table.
        const rows = kill === 0 ? 0 : ((kill - 1 + random.next()) / (KILLS + 1)) * 0.8 * ROWS;
        await killedOnce(scene, entries, (now) => now.size > 0 && durableRows(now, wide) >= rows, random);
        const now = await entries.read();
        expect(isCopied(now, wide), `kill ${kill} came too late, seed ${seed}`).toBe(false);
        goesForward(now);
      }
    } finally {
      await writers.stop();
    }
    const kept = durableRows(await entries.read(), wide);
    const { warehouse } = await expectNoneLostOrDoubled(scene, `killed ${KILLS} times in the copy`);
    expect(kept).toBeGreaterThan(ROWS / 4);
    expect(warehouse?.copied, 'what was copied is not copied again').toBeLessThan(ROWS - kept + 8 * 5000);
  });

  test('killed again and again while it follows it applies every change once, in the table without a key too', async () => {
    await using entries = await openEntries(scene);
    const writers = new Writers({ url: source.url, database: scene.name, seed: seed + 100 });
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        const position = (await entries.read()).get('stream');
        const moved = (now: ReadonlyMap<string, string>): boolean => now.get('stream') !== position;
        await killedOnce(scene, entries, moved, random);
      }
    } finally {
      await writers.stop();
    }
    const { warehouse } = await expectNoneLostOrDoubled(scene, `killed ${KILLS} times in the stream`);
    expect(warehouse?.copied, 'nothing is copied again').toBe(0);
  });

  test('its target killed under it while it follows it applies every change once, also those that the target took back', async () => {
    const writers = new Writers({ url: source.url, database: scene.name, seed: seed + 200 });
    const running = startLockstep(['run', scene.file]);
    try {
      for (let kill = 0; kill < 3; kill += 1) {
        await moves(running);
        await new Promise((resolve) => setTimeout(resolve, random.int(200)));
        await target.kill();
        await target.start();
      }
      await moves(running);
    } finally {
      await writers.stop();
      await endInOrder(running);
    }
    await expectNoneLostOrDoubled(scene, 'its target killed 3 times in the stream');
  });

  /** Waits until the stream goes on in the target. */
  async function moves(running: Running): Promise<void> {
    await using entries = await openEntries(scene);
    const position = (await entries.read()).get('stream');
    await until(
      async () => (await entries.read()).get('stream') !== position,
      () => `it does not move, seed ${seed}: ${said(running)}`,
    );
  }

  test('killed while it copies a table without a key, of which nothing changes, it leaves no row twice', async () => {
    const quiet = await newScene('quiet', { source: source.url, target });
    await using client = await openClient(source.url);
    await client.query('CREATE DATABASE quiet');
    await client.query('CREATE TABLE quiet.bag (a INT, b VARCHAR(200))');
    await client.query(`INSERT INTO quiet.bag SELECT seq % 1000, REPEAT('x', 150) FROM ${numbers(60_000)}`);
    await using entries = await openEntries(quiet);
    // MongoDB shows the rows as they come, PostgreSQL when all are there.
    const begun = async (now: ReadonlyMap<string, string>): Promise<boolean> =>
      now.has('range/quiet.bag/0') && (kind === 'postgres' || (await entries.rows('bag')) > 2000);
    for (let kill = 0; kill < 3; kill += 1) await killedOnce(quiet, entries, begun, random);
    await expectNoneLostOrDoubled(quiet, 'killed 3 times in the copy of a table without a key');
  });

  test('killed again and again while the schema changes it makes every change once, and loses no row before or behind it', async () => {
    const altered = await newScene('altered', { source: source.url, target });
    await using client = await openClient(source.url);
    await client.query('CREATE DATABASE altered');
    await client.query('CREATE TABLE altered.rows (id INT PRIMARY KEY, v INT)');
    await client.query('CREATE TABLE altered.bag (id INT, v INT)');
    for (const table of ['rows', 'bag']) {
      await client.query(`INSERT INTO altered.${table} SELECT seq, seq FROM ${numbers(2000)}`);
    }
    await caughtUp(altered);
    await using entries = await openEntries(altered);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const position = (await entries.read()).get('stream');
      for (const table of ['rows', 'bag']) {
        for (const statement of alterations(`altered.${table}`, kill)) await client.query(statement);
      }
      // The first of several statements is done, and what is behind it is not, or under way.
      await killedOnce(altered, entries, (now) => now.get('stream') !== position, random);
    }
    await expectNoneLostOrDoubled(altered, `killed ${KILLS} times while the schema changed`);
  });
});

/** Changes of rows and of the table's shape, one behind the other; each time other ones. */
function alterations(table: string, round: number): string[] {
  const [id, fresh] = [round * 10 + 3, 5000 + round * 10];
  return [
    `INSERT INTO ${table} (id, v) VALUES (${fresh}, 1)`,
    `ALTER TABLE ${table} ADD COLUMN c${round} VARCHAR(20) NOT NULL DEFAULT 'new'`,
    `UPDATE ${table} SET c${round} = 'set', v = v + 1 WHERE id BETWEEN ${id} AND ${id + 200}`,
    `ALTER TABLE ${table} CHANGE COLUMN c${round} d${round} VARCHAR(40)`,
    `INSERT INTO ${table} (id, v, d${round}) VALUES (${fresh + 1}, 2, NULL)`,
    ...(round > 0 ? [`ALTER TABLE ${table} DROP COLUMN d${round - 1}`] : []),
    `DELETE FROM ${table} WHERE id = ${id}`,
    ...(table.endsWith('.bag')
      ? [`TRUNCATE ${table}`, `INSERT INTO ${table} (id, v) SELECT id, v FROM altered.rows`]
      : []),
  ];
}

/** A derived table `n` with a column `seq` from 1 on. */
function numbers(count: number): string {
  const digits = Array.from({ length: 5 }, (_, i) => `digit AS d${i}`).join(', ');
  const value = Array.from({ length: 5 }, (_, i) => `d${i}.d * ${10 ** i}`).join(' + ');
  const digit = 'digit (d) AS (SELECT 0 UNION ALL SELECT d + 1 FROM digit WHERE d < 9)';
  return `(WITH RECURSIVE ${digit} SELECT 1 + ${value} AS seq FROM ${digits} HAVING seq <= ${count}) AS n`;
}
