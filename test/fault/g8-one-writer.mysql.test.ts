import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until, type Running } from '../e2e/cli.ts';
import { caughtUp, createShapes, expectEqual, newScene, onPostgres, openEntries, type Scene } from '../e2e/scene.ts';
import { seed } from '../support/seed.ts';
import { openClient } from '../support/mysql-run.ts';
import { Writers } from '../support/mysql-writers.ts';
import { said } from './kills.ts';

const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;
let client: Connection;

beforeAll(async () => {
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
  ]);
  for (const server of started) servers.use(server);
  [mysql, postgres] = started;
  client = await openClient(mysql.url);
  servers.defer(() => client.destroy());
});
afterAll(async () => await servers.disposeAsync());

/** Runs a story with two processes on one pipeline, the second begun when the first follows; ends both and compares. */
async function twoProcesses(
  name: string,
  story: (first: Running, second: Running, scene: Scene, writers: Writers) => Promise<void>,
): Promise<void> {
  const scene = await newScene(name, { source: mysql.url, target: postgres });
  await createShapes(client, name, 500);
  const writers = new Writers({ url: mysql.url, database: name, seed });
  const first = startLockstep(['run', scene.file]);
  await until(
    () => first.stdout().includes('following'),
    () => said(first),
  );
  const second = startLockstep(['run', scene.file]);
  try {
    await until(
      () => second.stdout().includes('standing by'),
      () => said(second),
    );
    await story(first, second, scene, writers);
  } finally {
    await writers.stop();
    for (const running of [first, second]) {
      running.process.kill('SIGCONT');
      running.process.kill('SIGTERM');
      await running.ended;
    }
  }
  await caughtUp(scene);
  await expectEqual(scene);
}

test('the second process stands by, and goes on within seconds when the first is killed', async () => {
  await twoProcesses('takeover', async (first, second, scene, writers) => {
    const written = writers.written;
    await until(
      () => writers.written > written + 200,
      () => 'nobody writes',
    );
    expect(second.stdout()).not.toContain('following');
    first.process.kill('SIGKILL');
    const killedAtMs = Date.now();
    await until(
      () => second.stdout().includes('following'),
      () => said(second),
    );
    await movesOn(scene, second);
    expect(Date.now() - killedAtMs).toBeLessThan(10_000);
  });
});

test('a process that was frozen while another took over writes nothing more when it wakes, and stands by', async () => {
  await twoProcesses('zombie', async (first, second, scene) => {
    await freezeBetweenTransactions(first, scene);
    await endSessions();
    await until(
      () => second.stdout().includes('following'),
      () => said(second),
    );
    await movesOn(scene, second);
    first.process.kill('SIGCONT');
    await until(
      () => /CHECKPOINT_MOVED|SOURCE_CONNECTION_LOST/.test(said(first)),
      () => `it did not notice: ${said(first)}`,
    );
    await until(
      () => first.stdout().lastIndexOf('standing by') > first.stdout().lastIndexOf('following'),
      () => said(first),
    );
    await movesOn(scene, second);
    expect(said(second)).not.toContain('error');
  });
});

/** Waits until the place that the target holds has moved several times. */
async function movesOn(scene: Scene, running: Running): Promise<void> {
  await using entries = await openEntries(scene);
  const seen = new Set<string | undefined>();
  await until(
    async () => seen.add((await entries.read()).get('stream')).size > 4,
    () => `it does not go on: ${said(running)}`,
  );
}

/** Frozen inside a transaction it would hold its locks, and others wait for it, as they should. */
async function freezeBetweenTransactions({ process }: Running, { target, name }: Scene): Promise<void> {
  const busy = `SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'lockstep/${name}/%' AND state <> 'idle'`;
  await until(
    async () => {
      process.kill('SIGSTOP');
      // Its last statement may be under way yet.
      const idle = (await onPostgres(target, busy)).length === 0 && (await onPostgres(target, busy)).length === 0;
      if (!idle) process.kill('SIGCONT');
      return idle;
    },
    () => 'always inside a transaction',
  );
}

/** As the server would do itself after some time: the lock that keeps others waiting goes with them. */
async function endSessions(): Promise<void> {
  const [sessions] = await client.query<RowDataPacket[]>(
    `SELECT processlist_id AS id FROM performance_schema.threads WHERE processlist_command LIKE 'Binlog Dump%' OR thread_id IN
     (SELECT owner_thread_id FROM performance_schema.metadata_locks WHERE object_type = 'USER LEVEL LOCK' AND lock_status = 'GRANTED')`,
  );
  expect(sessions.length).toBeGreaterThanOrEqual(2);
  for (const { id } of sessions) await client.query(`KILL ${Number(id)}`);
}
