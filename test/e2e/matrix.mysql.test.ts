import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { flavours, openClient } from '../support/mysql-run.ts';
import { caughtUp, createShapes, expectEqual, newScene, whileWriting } from './scene.ts';

const ROWS = 3000;

describe.each(flavours)('directly from %s', (flavour) => {
  const servers = new AsyncDisposableStack();
  let source: Server;
  const targets = new Map<string, Server>();

  beforeAll(async () => {
    const [from, ...to] = await Promise.all([
      startServer(flavour, { fast: true, own: true }),
      startServer('postgres', { fast: true, own: true }),
      startServer('mongodb', { fast: true, own: true }),
    ]);
    source = servers.use(from);
    for (const server of to) targets.set(server.kind, servers.use(server));
  });
  afterAll(async () => await servers.disposeAsync());

  test.each(['postgres', 'mongodb'] as const)(
    'what was copied into %s while others wrote to every table ends equal, the table without a key too',
    async (kind) => {
      const target = targets.get(kind);
      if (target === undefined) throw new Error(`no ${kind}`);
      const database = `from_${flavour}`;
      const scene = await newScene(`${database}_${kind}`, { source: source.url, target });
      await using client = await openClient(source.url);
      await createShapes(client, scene.name, ROWS);
      const first = await whileWriting(scene, async () => await caughtUp(scene));
      expect(first['warehouse']?.copied).toBeGreaterThan(5 * ROWS);
      const { warehouse } = await caughtUp(scene);
      expect(warehouse?.copied, 'the copy is not made again').toBe(0);
      await expectEqual(scene);
    },
  );
});
