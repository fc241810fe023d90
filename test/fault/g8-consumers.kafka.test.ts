import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until } from '../e2e/cli.ts';
import { caughtUp, createShapes, expectEqual, newScene, openEntries, type Scene } from '../e2e/scene.ts';
import { seed } from '../support/seed.ts';
import { openClient } from '../support/mysql-run.ts';
import { Writers } from '../support/mysql-writers.ts';
import { said } from './kills.ts';
import { endInOrder } from './returns.ts';

/** Twelve sessions. */
const PATIENCE_MS = 120_000;
const servers = new AsyncDisposableStack();
let mysql: Server;
let kafka: Server;
let registry: Server;
const targets = new Map<string, Server>();

beforeAll(async () => {
  const start = async (kind: Server['kind']): Promise<Server> => await startServer(kind, { fast: true, own: true });
  const kinds = ['mysql', 'kafka', 'registry', 'postgres', 'mongodb'] as const;
  const started = await Promise.all(kinds.map(start));
  for (const server of started) servers.use(server);
  const of = (kind: Server['kind']): Server => {
    const found = started.find((server) => server.kind === kind);
    if (found === undefined) throw new Error(`no ${kind}`);
    return found;
  };
  [mysql, kafka, registry] = [of('mysql'), of('kafka'), of('registry')];
  for (const kind of ['postgres', 'mongodb'] as const) targets.set(kind, of(kind));
});
afterAll(async () => await servers.disposeAsync());

test.concurrent.each(['postgres', 'mongodb'] as const)(
  'of two consumers into %s one is frozen past its session and comes back, then one is killed: everything arrives once',
  async (kind) => {
    const target = targets.get(kind);
    if (target === undefined) throw new Error(`no ${kind}`);
    const via = `{ kafka: ['${kafka.url}'], schemaRegistry: '${registry.url}' }`;
    const scene = await newScene(`shared_${kind}`, { source: mysql.url, target, via });
    await using client = await openClient(mysql.url);
    await createShapes(client, scene.name, 300);
    const publisher = startLockstep(['run', scene.file, '--only', 'source']);
    await until(
      () => publisher.stdout().includes('following'),
      () => said(publisher),
    );
    const consumers = [1, 2].map(() => startLockstep(['run', scene.file, '--only', 'warehouse']));
    const [first, second] = consumers;
    if (first === undefined || second === undefined) throw new Error('no consumers');
    const everyone = (): string => [publisher, first, second].map(said).join('\n---\n');
    const writers = new Writers({ url: mysql.url, database: scene.name, seed });
    try {
      await lanesMove(scene, everyone);
      first.process.kill('SIGSTOP');
      // Its partitions move only once its session is over and another has them.
      await lanesMove(scene, everyone);
      first.process.kill('SIGCONT');
      await lanesMove(scene, everyone);
      second.process.kill('SIGKILL');
      await lanesMove(scene, everyone);
    } finally {
      await writers.stop();
      first.process.kill('SIGCONT');
    }
    await endInOrder(publisher);
    await endInOrder(first);
    await caughtUp(scene, 'may heal');
    await expectEqual(scene);
    expect(everyone()).not.toMatch(/error BUG/);
  },
);

/** Waits until the target has moved on in every partition of a table that is much written to, whoever works on them. */
async function lanesMove(scene: Scene, otherwise: () => string): Promise<void> {
  await using entries = await openEntries(scene);
  const busy = new RegExp(`^kafka/${scene.name}\\.${scene.name}\\.ints/`);
  const before = await entries.read();
  await until(
    async () =>
      [...(await entries.read())].filter(([name, token]) => busy.test(name) && before.get(name) !== token).length === 4,
    () => `nothing moves in ${scene.name}, seed ${seed}: ${otherwise()}`,
    PATIENCE_MS,
  );
}
