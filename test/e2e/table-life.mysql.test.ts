import { writeFileSync } from 'node:fs';
import type { Connection } from 'mysql2/promise';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';
import { Writers } from '../support/mysql-writers.ts';
import { expectSoonEqual } from '../support/equal.ts';
import { seed } from '../support/seed.ts';
import { configFile, lockstep, startLockstep, until, type Running } from './cli.ts';
import { createShapes, inDatabase, onPostgres, openEntries, type Entries } from './scene.ts';

const ROWS = 2000;
const database = 'life';

describe('tables of a running pipeline', () => {
  const servers = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;
  let postgres: string;
  let mongodb: string;
  let file: string;
  let running: Running | null = null;
  let entries: readonly Entries[];

  beforeAll(async () => {
    const kinds = ['mysql', 'postgres', 'mongodb'] as const;
    const [first, second, third] = await Promise.all(
      kinds.map(async (kind) => servers.use(await startServer(kind, { own: true, fast: true }))),
    );
    if (first === undefined || second === undefined || third === undefined) throw new Error('a server is missing');
    source = first;
    client = await openClient(source.url);
    servers.defer(() => client.destroy());
    await createShapes(client, database, ROWS);
    await onPostgres(second.url, `CREATE DATABASE ${database}`);
    postgres = inDatabase(second.url, database);
    mongodb = inDatabase(third.url, database);
    file = configFile(configuration([`${database}.*`]));
    const held = { name: database, file, source: source.url, tables: [] };
    entries = await Promise.all([postgres, mongodb].map(async (target) => await openEntries({ ...held, target })));
    for (const target of entries) servers.use(target);
  });
  afterAll(async () => {
    await stop();
    await servers.disposeAsync();
  });

  const configuration = (tables: readonly string[]): string =>
    [
      `name: ${database}`,
      `source: { url: '${source.url}', tables: ${JSON.stringify(tables)} }`,
      `targets: { warehouse: { url: '${postgres}' }, catalog: { url: '${mongodb}' } }`,
    ].join('\n');

  const stop = async (): Promise<void> => {
    running?.process.kill('SIGTERM');
    await running?.ended;
    running = null;
  };

  /** Starts the pipeline if it does not run, and waits until both targets hold every table and nothing is asked. */
  async function follows(): Promise<void> {
    running ??= startLockstep(['run', file]);
    await soon(async () => {
      const held = await Promise.all(entries.map(async (target) => await target.read()));
      return held.every((tokens) => tokens.has('stream') && ![...tokens].some(isUnderWay));
    });
  }

  const isUnderWay = ([name, token]: readonly [string, string]): boolean =>
    name.startsWith('request/') || (name.startsWith('table/') && token.includes('"copying"'));

  async function soon(condition: () => Promise<boolean>): Promise<void> {
    await until(condition, () => `not there, seed ${seed}: ${running?.stdout() ?? ''}${running?.stderr() ?? ''}`);
  }

  async function statusLines(): Promise<readonly string[]> {
    const { stdout } = await lockstep(['status', file, '--json']);
    const { targets } = JSON.parse(stdout) as { targets: readonly { lines: readonly string[] }[] };
    const lines = targets.flatMap((target) => target.lines);
    return lines;
  }

  /** Asks for it, of as many targets as are meant; with a process that runs it is done then. */
  async function ask(targets: number, ...args: readonly string[]): Promise<void> {
    const [action = '', table = '', ...options] = args;
    const { code, stdout, stderr } = await lockstep([
      'table',
      action,
      file,
      `${database}.${table}`,
      '--json',
      ...options,
    ]);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
    const answers = (JSON.parse(stdout) as { targets: readonly { outcome: string }[] }).targets;
    expect(answers.length).toBe(targets);
    // Whoever runs may need longer than the command waits for it.
    expect(answers.every(({ outcome }) => outcome === 'asked' || (running !== null && outcome === 'done'))).toBe(true);
    if (running !== null) await soon(async () => (await Promise.all(entries.map(isIdle))).every(Boolean));
  }

  const isIdle = async (target: Entries): Promise<boolean> =>
    (await target.read()).keys().every((name) => !name.startsWith('request/'));

  async function equal(...tables: readonly string[]): Promise<void> {
    for (const target of [postgres, mongodb])
      expect(
        await expectSoonEqual(
          source.url,
          target,
          tables.map((table) => `${database}.${table}`),
        ),
      ).toBeGreaterThan(0);
  }

  async function inMongodb(work: (db: ReturnType<MongoClient['db']>) => Promise<unknown>): Promise<void> {
    const mongo = await MongoClient.connect(mongodb);
    try {
      await work(mongo.db());
    } finally {
      await mongo.close();
    }
  }

  /** Rows that the source does not have, and too few of those that it has. */
  async function spoil(): Promise<void> {
    await onPostgres(postgres, `DELETE FROM ${database}.ints WHERE n IN (7, 8)`);
    await onPostgres(postgres, `INSERT INTO ${database}.ints VALUES (900001, 'rogue', 7), (900002, 'rogue', 8)`);
    await inMongodb(async (db) => {
      await db.collection('ints').deleteMany({ n: { $in: [7, 8] } });
      await db.collection<{ _id: number }>('ints').insertOne({ _id: 900_001, v: 'rogue', n: 7 } as never);
      await db.collection<{ _id: number }>('ints').insertOne({ _id: 900_002, v: 'rogue', n: 8 } as never);
    });
  }

  async function rogues(): Promise<readonly number[]> {
    const rows = await onPostgres<{ id: number }>(
      postgres,
      `SELECT id FROM ${database}.ints WHERE v = 'rogue' ORDER BY id`,
    );
    return rows.map(({ id }) => id);
  }

  test('are copied again under writes: with and without a key, or some rows of them', async () => {
    await follows();
    const writers = new Writers({ url: source.url, database, seed });
    try {
      await spoil();
      await ask(2, 'resync', 'ints', '--where', 'n = 7');
      await soon(async () => (await rogues()).length === 1);
      expect(await rogues()).toEqual([900_002]);
      await ask(2, 'resync', 'ints');
    } finally {
      await writers.stop();
    }
    await ask(1, 'resync', 'nokey', '--target', 'warehouse');
    await follows();
    await equal('*');
  }, 300_000);

  test('are added while it runs once the configuration takes them in', async () => {
    await follows();
    await client.query('CREATE DATABASE other');
    await client.query('CREATE TABLE other.t (id INT PRIMARY KEY)');
    await client.query('INSERT INTO other.t VALUES (1), (2)');
    const refused = await lockstep(['table', 'add', file, 'other.t', '--json']);
    expect([refused.code, refused.stdout]).toEqual([2, expect.stringContaining('CONFIG_INVALID')]);
    writeFileSync(file, configuration([`${database}.*`, 'other.t']));
    expect((await lockstep(['table', 'add', file, 'other.t'])).stdout).toMatch(/add other\.t.*\n.*add other\.t/);
    await follows();
    await client.query('INSERT INTO other.t VALUES (3)');
    for (const target of [postgres, mongodb]) expect(await expectSoonEqual(source.url, target, ['other.t'])).toBe(3);
  });

  test('are asked for while nothing runs, and it is done with the next run', async () => {
    await follows();
    await stop();
    await ask(2, 'pause', 'ints');
    await ask(2, 'resync', 'ints');
    expect((await statusLines()).filter((line) => line.includes('asked: resync'))).toHaveLength(2);
    const ended = await lockstep(['run', file, '--until', 'caught-up']);
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('SOURCE_COPY_PAUSED')]);
    running = startLockstep(['run', file]);
    await soon(async () => (await statusLines()).filter((line) => line.includes('ints  paused, waiting')).length === 2);
    await ask(2, 'resume', 'ints');
    await follows();
    await equal('ints');
  });

  test('are left alone where what is asked for cannot be done', async () => {
    await follows();
    const refused = [
      [['resync', 'life.none'], 'does not follow it'],
      [['pause', 'LIFE.ints'], 'did you mean life.ints'],
      [['resync', 'life.ints', '--where', 'n > 7'], 'compared in a way'],
      [['resync', 'life.nokey', '--where', 'a = 7'], 'no key'],
      [['resync', 'life.ints', '--target', 'warehous'], 'did you mean warehouse'],
    ] as const;
    for (const [[action, table, ...options], reason] of refused) {
      const { code, stderr } = await lockstep(['table', action, file, table, ...options]);
      expect([code === 1 || code === 2, stderr]).toEqual([true, expect.stringContaining(reason)]);
    }
    for (const target of entries)
      expect([...(await target.read()).keys()].filter((name) => /^re(quest|fused)/.test(name))).toEqual([]);
  });
});
