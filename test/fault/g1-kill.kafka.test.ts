import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seeded, type Random } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until } from '../e2e/cli.ts';
import { createShapes, newScene, openEntries, type Scene } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { Writers } from '../support/mysql-writers.ts';
import { seed } from '../support/seed.ts';
import { KILLS, LIMIT_MS, said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';

const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;
let kafka: Server;

beforeAll(async () => {
  const start = async (kind: Server['kind']): Promise<Server> => await startServer(kind, { fast: true, own: true });
  const started = await Promise.all([start('mysql'), start('postgres'), start('kafka')]);
  for (const server of started) servers.use(server);
  [mysql, postgres, kafka] = started;
});
afterAll(async () => await servers.disposeAsync());

test(
  'killed again and again while it publishes, and while it consumes, it applies every change once, without a key too',
  async () => {
    const random = seeded(seed);
    const via = `{ kafka: ['${kafka.url}'] }`;
    const scene = await newScene('through', { source: mysql.url, target: postgres, via, http: '127.0.0.1:0' });
    await using client = await openClient(mysql.url);
    await createShapes(client, scene.name, 500);
    const writers = new Writers({ url: mysql.url, database: scene.name, seed });
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        await killedPublishing(scene, random);
        await killedConsuming(scene, random);
      }
    } finally {
      await writers.stop();
    }
    await expectNoneLostOrDoubled(
      scene,
      `killed ${KILLS} times while it published and ${KILLS} times while it consumed`,
    );
  },
  LIMIT_MS,
);

async function killedPublishing({ file }: Scene, random: Random): Promise<void> {
  const running = startLockstep(['run', file, '--only', 'source']);
  try {
    await until(
      () => /(copying|copied|following)/.test(running.stdout()),
      () => `it does not publish, seed ${seed}: ${said(running)}`,
    );
    await sleep(random.int(700));
    expect(running.process.exitCode, said(running)).toBeNull();
  } finally {
    running.process.kill('SIGKILL');
    await running.ended;
  }
}

/** Beside a publisher, which it needs for the registry, killed when a partition has moved. */
async function killedConsuming(scene: Scene, random: Random): Promise<void> {
  await using entries = await openEntries(scene);
  const partitions = async (): Promise<string> =>
    JSON.stringify([...(await entries.read())].filter(([name]) => name.startsWith('kafka/')));
  const before = await partitions();
  const running = startLockstep(['run', scene.file]);
  try {
    await until(
      async () => (await partitions()) !== before,
      () => `it does not consume, seed ${seed}: ${said(running)}`,
    );
    await sleep(random.int(400));
    expect(running.process.exitCode, said(running)).toBeNull();
  } finally {
    running.process.kill('SIGKILL');
    await running.ended;
  }
}
