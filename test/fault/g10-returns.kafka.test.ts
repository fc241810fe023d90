import { afterAll, beforeAll, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until } from '../e2e/cli.ts';
import { caughtUp, expectEqual, newScene } from '../e2e/scene.ts';
import { said } from './kills.ts';
import { arrived, endInOrder, killAndReturn, write } from './returns.ts';

const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;
let kafka: Server;
let registry: Server;

beforeAll(async () => {
  const start = async (kind: Server['kind']): Promise<Server> => await startServer(kind, { fast: true, own: true });
  const started = await Promise.all([start('mysql'), start('postgres'), start('kafka'), start('registry')]);
  for (const server of started) servers.use(server);
  [mysql, postgres, kafka, registry] = started;
});
afterAll(async () => await servers.disposeAsync());

test('brokers and registry that are away at the start, or go and come back, are waited for, and nothing is lost', async () => {
  const via = `{ kafka: ['${kafka.url}'], schemaRegistry: '${registry.url}' }`;
  const scene = await newScene('returns', { source: mysql.url, target: postgres, via });
  await write(scene, 'CREATE DATABASE returns');
  await write(scene, 'CREATE TABLE returns.orders (id INT PRIMARY KEY AUTO_INCREMENT, v INT)');
  await write(scene, 'INSERT INTO returns.orders (v) VALUES (1), (2)');
  await Promise.all([kafka.kill(), registry.kill()]);
  const running = startLockstep(['run', scene.file]);
  await until(
    () => /error KAFKA_UNREACHABLE .*next try in/.test(said(running)),
    () => said(running),
  );
  await kafka.start();
  await until(
    () => /error REGISTRY_UNREACHABLE .*next try in/.test(said(running)),
    () => said(running),
  );
  await registry.start();
  await arrived(scene, 'orders', 2, running);

  const kafkaBack = await killAndReturn(kafka, running, /KAFKA_(CONNECTION_LOST|UNREACHABLE)/, async () => {
    await write(scene, 'INSERT INTO returns.orders (v) VALUES (3)');
  });
  await arrived(scene, 'orders', 3, running);
  kafkaBack();

  const registryBack = await killAndReturn(registry, running, /REGISTRY_UNREACHABLE/, async () => {
    await write(scene, 'CREATE TABLE returns.late (id INT PRIMARY KEY)');
    await write(scene, 'INSERT INTO returns.late VALUES (1)');
  });
  await arrived(scene, 'late', 1, running);
  registryBack();

  await endInOrder(running);
  await caughtUp(scene);
  await expectEqual(scene);
});
