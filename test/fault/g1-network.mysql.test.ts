import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until } from '../e2e/cli.ts';
import { createShapes, newScene, openEntries } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { Writers } from '../support/mysql-writers.ts';
import { Proxy } from '../support/proxy.ts';
import { seed } from '../support/seed.ts';
import { said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';
import { arrived, endInOrder, write } from './returns.ts';

/** What the client of each target sends to commit. */
const commits = { postgres: 'COMMIT', mongodb: 'commitTransaction' } as const;

describe.each([
  ['mysql', 'postgres'],
  ['mariadb', 'mongodb'],
] as const)('from %s to %s', (flavour, kind) => {
  const servers = new AsyncDisposableStack();
  let source: Server;
  let target: Server;
  let toSource: Proxy;
  let toTarget: Proxy;
  let through: { source: string; target: string };

  beforeAll(async () => {
    const started = await Promise.all([
      startServer(flavour, { fast: true, own: true }),
      startServer(kind, { fast: true, own: true }),
    ]);
    for (const server of started) servers.use(server);
    [source, target] = started;
    [toSource, toTarget] = [servers.use(await Proxy.open(source.url)), servers.use(await Proxy.open(target.url))];
    // Asked for its members, a replica set would name its own port.
    through = { source: toSource.url, target: toTarget.url.replace(/replicaSet=\w+/, 'directConnection=true') };
  });
  afterAll(async () => await servers.disposeAsync());

  test('what was committed though the answer was lost is not done again, in a table without a key either', async () => {
    const scene = await newScene('answers', { source: source.url, target, through });
    await write(scene, 'CREATE DATABASE answers');
    await write(scene, 'CREATE TABLE answers.bag (a INT, b VARCHAR(20))');
    await write(scene, "INSERT INTO answers.bag VALUES (1, 'x')");
    const running = startLockstep(['run', scene.file]);
    await until(
      () => running.stdout().includes('following'),
      () => said(running),
    );
    // What a process commits first is that the stream is its own.
    await write(scene, "INSERT INTO answers.bag VALUES (1, 'x')");
    await arrived(scene, 'bag', 2, running);
    for (const before of [2, 5, 8]) {
      const lost = toTarget.loseAnswer((bytes) => bytes.includes(commits[kind]));
      await write(scene, "INSERT INTO answers.bag VALUES (1, 'x'), (1, 'x')");
      await Promise.race([lost, running.ended]);
      await arrived(scene, 'bag', before + 2, running);
      toTarget.release();
      await write(scene, "INSERT INTO answers.bag VALUES (2, 'y')");
      await arrived(scene, 'bag', before + 3, running);
    }
    await endInOrder(running);
    await expectNoneLostOrDoubled(scene, 'the answers to three commits lost');
  });

  test('cut ten times at any moment, in the copy and behind it, over a slow link, it goes on by itself', async () => {
    const random = seeded(seed);
    const scene = await newScene('cut', { source: source.url, target, through });
    await using client = await openClient(source.url);
    await createShapes(client, scene.name, 1500);
    const writers = new Writers({ url: source.url, database: scene.name, seed });
    for (const proxy of [toSource, toTarget]) proxy.slow(2_000_000, 2);
    const running = startLockstep(['run', scene.file]);
    await using entries = await openEntries(scene);
    try {
      for (let cut = 0; cut < 10; cut += 1) {
        const before = await entries.read();
        await until(
          async () => [...(await entries.read())].some(([name, token]) => before.get(name) !== token),
          () => `nothing moves, seed ${seed}: ${said(running)}`,
        );
        await new Promise((resolve) => setTimeout(resolve, random.int(150)));
        random.pick([toSource, toTarget]).cut();
      }
    } finally {
      await writers.stop();
      for (const proxy of [toSource, toTarget]) proxy.slow(Infinity);
    }
    expect(running.process.exitCode, said(running)).toBeNull();
    await endInOrder(running);
    await expectNoneLostOrDoubled(scene, 'cut ten times');
  });
});
