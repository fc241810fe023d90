import { afterAll, beforeAll, describe, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until } from '../e2e/cli.ts';
import { caughtUp, expectEqual, newScene } from '../e2e/scene.ts';
import { said } from './kills.ts';
import { arrived, endInOrder, killAndReturn, write } from './returns.ts';

describe.each([
  ['mysql', 'postgres'],
  ['mariadb', 'mongodb'],
] as const)('from %s to %s', (flavour, kind) => {
  const servers = new AsyncDisposableStack();
  let source: Server;
  let target: Server;

  beforeAll(async () => {
    const started = await Promise.all([
      startServer(flavour, { fast: true, own: true }),
      startServer(kind, { fast: true, own: true }),
    ]);
    for (const server of started) servers.use(server);
    [source, target] = started;
  });
  afterAll(async () => await servers.disposeAsync());

  test('a server that is away at the start, or goes and comes back, is waited for, and nothing is lost', async () => {
    const scene = await newScene('returns', { source: source.url, target });
    await write(scene, 'CREATE DATABASE returns');
    await write(scene, 'CREATE TABLE returns.orders (id INT PRIMARY KEY AUTO_INCREMENT, v INT)');
    await write(scene, 'INSERT INTO returns.orders (v) VALUES (1), (2)');
    await source.kill();
    const running = startLockstep(['run', scene.file]);
    await until(
      () => /error SOURCE_UNREACHABLE .*next try in/.test(said(running)),
      () => said(running),
    );
    await source.start();
    await arrived(scene, 'orders', 2, running);

    const sourceBack = await killAndReturn(source, running, /SOURCE_(CONNECTION_LOST|UNREACHABLE)/);
    await write(scene, 'INSERT INTO returns.orders (v) VALUES (3)');
    await arrived(scene, 'orders', 3, running);
    sourceBack();

    const targetBack = await killAndReturn(target, running, /TARGET_(CONNECTION_LOST|UNREACHABLE|BUSY)/, async () => {
      await write(scene, 'INSERT INTO returns.orders (v) VALUES (4)');
    });
    await arrived(scene, 'orders', 4, running);
    targetBack();
    await endInOrder(running);
    await caughtUp(scene);
    await expectEqual(scene);
  });
});
