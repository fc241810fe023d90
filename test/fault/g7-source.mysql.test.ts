import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { ask, startPair } from '../../dev/servers/replication.ts';
import { configFile, lockstep, startLockstep, until } from '../e2e/cli.ts';
import { caughtUp, expectEqual, inDatabase, newScene, onPostgres, openEntries, type Scene } from '../e2e/scene.ts';
import { flavours, openClient } from '../support/mysql-run.ts';
import { durableRows, said } from './kills.ts';
import { endInOrder } from './returns.ts';

const ROWS = 20_000;
/** What may be said to a source: questions, and settings of the session. A named lock is none of a table or row. */
const harmless =
  /^\(?(SELECT|SHOW|SET (?!GLOBAL|PERSIST)|DO 1|XA RECOVER|COMMIT|START TRANSACTION (READ ONLY|WITH CONSISTENT SNAPSHOT, READ ONLY))/;
const locking = /\bFOR (UPDATE|SHARE)\b|LOCK IN SHARE MODE|\bINTO OUTFILE\b|SQL_BUFFER_RESULT/i;

describe.each(flavours)('%s', (flavour) => {
  const servers = new AsyncDisposableStack();
  let source: Server;
  let replica: Server;
  let postgres: Server;
  let client: Connection;

  beforeAll(async () => {
    const [pair, target] = await Promise.all([startPair(flavour), startServer('postgres', { fast: true, own: true })]);
    [source, replica, postgres] = [servers.use(pair).primary, pair.replica, servers.use(target)];
    client = await openClient(source.url);
    servers.defer(() => client.destroy());
    await client.query(`CREATE USER reader@'%' IDENTIFIED BY 'pw'`);
    await client.query(`GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO reader@'%'`);
  });
  afterAll(async () => await servers.disposeAsync());

  async function tables(name: string): Promise<void> {
    await client.query(`CREATE DATABASE ${name}`);
    await client.query(`CREATE TABLE ${name}.t (id INT PRIMARY KEY, v VARCHAR(20))`);
    await client.query(`CREATE TABLE ${name}.nokey (v VARCHAR(20))`);
    const rows = Array.from({ length: ROWS }, (_, i) => `(${i}, 'v${i}')`);
    await client.query(`INSERT INTO ${name}.t VALUES ${rows.join()}`);
    await client.query(`INSERT INTO ${name}.nokey VALUES ('a'), ('a'), ('b')`);
  }

  async function sceneOf(name: string, copy: string): Promise<Scene> {
    const url = new URL(source.url);
    [url.username, url.password] = ['reader', 'pw'];
    const scene = await newScene(name, { source: url.href, target: postgres });
    const text = [
      `name: ${name}`,
      `source: { url: '${url.href}', tables: ['${name}.*'], copy: ${copy} }`,
      `targets: { warehouse: { url: '${inDatabase(postgres.url, name)}' } }`,
    ];
    return { ...scene, source: source.url, file: configFile(text.join('\n')) };
  }

  test('is only asked: no statement locks a row or a table, none writes', async () => {
    await tables('asked');
    const scene = await sceneOf('asked', '{ readers: 2 }');
    await client.query("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON");
    await caughtUp(scene);
    await client.query("INSERT INTO asked.t VALUES (100000, 'late')");
    await caughtUp(scene);
    await client.query('SET GLOBAL general_log = OFF');
    const [rows] = await client.query({
      sql: `SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log
        WHERE user_host LIKE '%reader%' AND command_type IN ('Query', 'Execute', 'Prepare')`,
      rowsAsArray: true,
    });
    const statements = (rows as string[][]).map(([statement = '']) => statement);
    expect(statements.filter((statement) => /FROM `asked`\.`t`/.test(statement)).length).toBeGreaterThan(2);
    expect(statements.filter((statement) => !harmless.test(statement) || locking.test(statement))).toEqual([]);
    await expectEqual(scene);
  });

  test('is left in peace by the copy while too many threads run, and copied once they do not', async () => {
    await tables('busy');
    const scene = await sceneOf('busy', '{ backOff: { threadsRunning: 15 } }');
    const sleepers = await Promise.all(Array.from({ length: 20 }, async () => await openClient(source.url)));
    for (const sleeper of sleepers) void sleeper.query('SELECT SLEEP(600)').catch(() => undefined);
    const running = startLockstep(['run', scene.file]);
    await using entries = await openEntries(scene);
    try {
      const status = async (): Promise<string> => (await lockstep(['status', scene.file])).stdout;
      await until(
        async () => /copy held back: \d+ threads are running at the source, above 15/.test(await status()),
        () => said(running),
      );
      expect(durableRows(await entries.read(), 'busy.t')).toBe(0);
      await client.query("INSERT INTO busy.t VALUES (100000, 'late')");
      for (const sleeper of sleepers) await client.query(`KILL ${String(sleeper.threadId)}`).catch(() => undefined);
      await until(
        async () => (await onPostgres(scene.target, 'SELECT 1 FROM busy.t')).length === ROWS + 1,
        () => said(running),
      );
      await until(
        async () => !(await status()).includes('held back'),
        () => said(running),
      );
      expect(said(running)).toMatch(/copy held back: \d+ threads are running/);
    } finally {
      await endInOrder(running);
      for (const sleeper of sleepers) sleeper.destroy();
    }
    await expectEqual(scene);
  });

  test('is left in peace by the copy while a replica of it is behind, and copied once it is not', async () => {
    await tables('behind');
    const scene = await sceneOf('behind', `{ backOff: { replicaLag: 2, replicas: ['${replica.url}'] } }`);
    await delay(3600);
    await client.query("INSERT INTO behind.t VALUES (100000, 'late')");
    await until(
      async () => (await secondsBehind()) > 2,
      () => 'the replica is not behind',
    );
    const running = startLockstep(['run', scene.file]);
    await using entries = await openEntries(scene);
    try {
      const { host } = new URL(replica.url);
      const heldBack = new RegExp(`copy held back: ${host} is \\d+ s behind, above 2 s`);
      await until(
        () => heldBack.test(said(running)),
        () => said(running),
      );
      expect(durableRows(await entries.read(), 'behind.t')).toBe(0);
      await delay(0);
      await until(
        async () => (await onPostgres(scene.target, 'SELECT 1 FROM behind.t')).length === ROWS + 1,
        () => said(running),
      );
    } finally {
      await endInOrder(running);
    }
    await expectEqual(scene);
  });

  /** Has the replica apply what it gets so many seconds late. */
  async function delay(seconds: number): Promise<void> {
    const statements = {
      mysql: [
        'STOP REPLICA SQL_THREAD',
        `CHANGE REPLICATION SOURCE TO SOURCE_DELAY = ${seconds}`,
        'START REPLICA SQL_THREAD',
      ],
      mariadb: ['STOP SLAVE', `CHANGE MASTER TO MASTER_DELAY = ${seconds}`, 'START SLAVE'],
    };
    await ask(replica, ...statements[flavour]);
  }

  async function secondsBehind(): Promise<number> {
    await using asking = await openClient(replica.url);
    const statement = flavour === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS';
    const [[row]] = await asking.query<RowDataPacket[]>(statement);
    return Number(row?.['Seconds_Behind_Source'] ?? row?.['Seconds_Behind_Master'] ?? 0);
  }
});
