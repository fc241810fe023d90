import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';
import { caughtUp, createShapes, expectEqual, newScene, whileWriting } from './scene.ts';

const ROWS = 2500;
const servers = new AsyncDisposableStack();
const running = new Map<string, Server>();

beforeAll(async () => {
  const kinds = ['mysql', 'mariadb', 'postgres', 'mongodb', 'kafka'] as const;
  const started = await Promise.all(kinds.map((kind) => startServer(kind, { fast: true, own: true })));
  for (const server of started) running.set(server.kind, servers.use(server));
});
afterAll(async () => await servers.disposeAsync());

function server(kind: string): Server {
  const found = running.get(kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

test.each([
  ['mysql', 'mongodb'],
  ['mariadb', 'postgres'],
])('what was copied from %s through Kafka into %s while others wrote to every table ends equal', async (from, to) => {
  const source = server(from).url;
  const via = `{ kafka: ['${server('kafka').url}'] }`;
  const scene = await newScene(`kafka_${from}`, { source, target: server(to), via, http: '127.0.0.1:0' });
  await using client = await openClient(source);
  await createShapes(client, scene.name, ROWS);
  const { kafka: published, warehouse } = await whileWriting(scene, async () => await caughtUp(scene, 'may heal'));
  expect(published?.copied).toBeGreaterThan(5 * ROWS);
  expect(warehouse?.read).toBeGreaterThan(5 * ROWS);
  const { kafka } = await caughtUp(scene, 'may heal');
  expect(kafka?.copied, 'the copy is not made again').toBe(0);
  await expectEqual(scene);
});
