import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { ask, inStep, promote, replicate, startPair } from '../../dev/servers/replication.ts';
import { lockstep, startLockstep, until as untilWithin } from '../e2e/cli.ts';
import { caughtUp, createShapes, expectEqual, newScene, openEntries, type Scene } from '../e2e/scene.ts';
import { Application } from '../support/application.ts';
import { shapes } from '../support/mysql-writers.ts';
import { openClient } from '../support/mysql-run.ts';
import { Proxy } from '../support/proxy.ts';
import { seed } from '../support/seed.ts';
import { failOver, holdBack } from './failover.ts';
import { durableRows, forwardOnly, isCopied, said } from './kills.ts';
import { endInOrder } from './returns.ts';

const ROWS = 40_000;
/** Of one test: two servers, their writers and the pipeline may share a busy machine. */
const PATIENCE_MS = 300_000;

const until = async (condition: () => boolean | Promise<boolean>, otherwise: () => string): Promise<void> =>
  await untilWithin(condition, otherwise, PATIENCE_MS / 2);

describe.each([
  ['mysql', 'postgres'],
  ['mariadb', 'mongodb'],
] as const)('from a pair of %s to %s', (flavour, kind) => {
  const servers = new AsyncDisposableStack();
  let first: Server;
  let second: Server;
  let proxy: Proxy;
  let scene: Scene;

  beforeAll(async () => {
    const [pair, target] = await Promise.all([startPair(flavour), startServer(kind, { fast: true, own: true })]);
    servers.use(pair);
    servers.use(target);
    [first, second] = [pair.primary, pair.replica];
    proxy = servers.use(await Proxy.open(first.url));
    scene = await newScene('failover', { source: proxy.url, target });
    const client = await openClient(first.url);
    await createShapes(client, scene.name, 1500);
    await client.query('CREATE TABLE failover.wide (id INT PRIMARY KEY, v INT NOT NULL, filling VARCHAR(1500))');
    for (let from = 0; from < ROWS; from += 10_000) {
      const rows = Array.from({ length: 10_000 }, (_, i) => `(${from + i}, 0, REPEAT('x', 1200))`);
      await client.query(`INSERT INTO failover.wide VALUES ${rows.join()}`);
    }
    client.destroy();
    // Each server's log has other files and offsets.
    for (let i = 0; i < 5; i += 1) await ask(second, 'FLUSH BINARY LOGS');
    await inStep({ primary: first, replica: second });
  });
  afterAll(async () => await servers.disposeAsync());

  test(
    'an address that comes to lead to the promoted replica, in the middle of the copy under writes, is followed and the copy goes on',
    async () => {
      await using entries = await openEntries(scene);
      const wide = `${scene.name}.wide`;
      const application = new Application({ url: proxy.url, database: scene.name, seed });
      const running = startLockstep(['run', scene.file]);
      try {
        await until(
          async () => durableRows(await entries.read(), wide) > 0,
          () => `not copied: ${said(running)}`,
        );
        const before = await entries.read();
        expect(isCopied(before, wide), 'the failover came too late').toBe(false);
        const goesForward = forwardOnly([wide]);
        goesForward(before);
        await failOver({ primary: first, replica: second }, proxy);
        await until(
          async () => {
            const now = await entries.read();
            goesForward(now);
            return isCopied(now, wide);
          },
          () => `the copy did not go on: ${said(running)}`,
        );
        await application.stop();
        await until(
          async () => {
            const now = await entries.read();
            return shapes.every(({ name }) => isCopied(now, `${scene.name}.${name}`));
          },
          () => `not all is copied: ${said(running)}`,
        );
      } finally {
        await application.stop();
        await endInOrder(running);
      }
      // What the run before had under way in MongoDB may still stand in the way of the next one.
      expect(said(running)).not.toMatch(
        /error (?!(SOURCE_(CONNECTION_LOST|UNREACHABLE|BEHIND)|TARGET_BUSY) .*next try in)/,
      );
      const { warehouse } = await caughtUp(scene, 'may heal');
      expect(warehouse?.copied, 'everything is copied').toBe(0);
      await expectEqual(scene);
    },
    PATIENCE_MS,
  );

  test(
    'back to the first server, which lags behind at that moment and is waited for, nothing is lost or doubled',
    async () => {
      await first.start();
      await replicate(second, first);
      const running = startLockstep(['run', scene.file]);
      const application = new Application({ url: proxy.url, database: scene.name, seed: seed + 7 });
      try {
        await until(
          () => running.stdout().includes('following'),
          () => said(running),
        );
        await inStep({ primary: second, replica: first });
        const lock = await holdBack(first);
        await ask(second, `INSERT INTO ${scene.name}.nokey VALUES (1, 'late', 1), (1, 'late', 1)`);
        await application.stop();
        await using entries = await openEntries(scene);
        const [late] = await ask(second, `SELECT COUNT(*) FROM ${scene.name}.nokey`);
        await until(
          async () => (await entries.rows('nokey')) === Number(late),
          () => `the last rows did not come: ${said(running)}`,
        );
        proxy.leadTo(first.url);
        proxy.cut();
        await until(
          () => /error SOURCE_BEHIND .*next try in/.test(said(running)),
          () => `it was not waited for: ${said(running)}`,
        );
        const doctor = await lockstep(['doctor', scene.file]);
        expect(doctor.stdout).toMatch(/pass +server .*, replica, read-only/);
        expect(doctor.stdout).toMatch(/warn +history +SOURCE_BEHIND .* has not applied/);
        lock.destroy();
        await inStep({ primary: second, replica: first });
        await promote(first);
        await second.kill();
        await ask(first, `INSERT INTO ${scene.name}.nokey VALUES (2, 'new', 1), (2, 'new', 1)`);
        await until(
          async () => (await entries.rows('nokey')) === Number(late) + 2,
          () => `it did not go on: ${said(running)}`,
        );
        const status = await lockstep(['status', scene.file]);
        expect(status.stdout).toMatch(/server {2}.*, primary\n/);
        expect(status.stdout).toMatch(/history {2}goes on from what the target holds/);
      } finally {
        await application.stop();
        await endInOrder(running);
      }
      const { warehouse } = await caughtUp(scene, 'may heal');
      expect(warehouse?.copied, 'nothing is copied again').toBe(0);
      await expectEqual(scene);
    },
    PATIENCE_MS,
  );
});
