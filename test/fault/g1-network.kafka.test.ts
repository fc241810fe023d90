import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep } from '../e2e/cli.ts';
import { newScene } from '../e2e/scene.ts';
import { Proxy } from '../support/proxy.ts';
import { said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';
import { arrived, endInOrder, write } from './returns.ts';

const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;
let toKafka: Proxy;

beforeAll(async () => {
  toKafka = servers.use(await Proxy.open('127.0.0.1:1'));
  const args = [`advertised.listeners=PLAINTEXT://${toKafka.url}`];
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
    startServer('kafka', { fast: true, own: true, args }),
  ]);
  for (const server of started) servers.use(server);
  [mysql, postgres] = started;
  toKafka.leadTo(started[2].url);
});
afterAll(async () => await servers.disposeAsync());

const END_TRANSACTION = 26;

/** Whether one of these requests ends a transaction: each is its length, then its kind (int16), and more. */
function endsTransaction(bytes: Buffer): boolean {
  for (let at = 0; at + 6 <= bytes.length; at += 4 + bytes.readInt32BE(at)) {
    if (bytes.readInt16BE(at + 4) === END_TRANSACTION) return true;
  }
  return false;
}

test('what was committed in Kafka though the answer was lost is not published again, in a table without a key either', async () => {
  const via = `{ kafka: ['${toKafka.url}'] }`;
  const scene = await newScene('answered', { source: mysql.url, target: postgres, via, http: '127.0.0.1:0' });
  await write(scene, 'CREATE DATABASE answered');
  await write(scene, 'CREATE TABLE answered.bag (a INT, b VARCHAR(20))');
  await write(scene, "INSERT INTO answered.bag VALUES (1, 'x'), (1, 'x')");
  const running = startLockstep(['run', scene.file]);
  await arrived(scene, 'bag', 2, running);
  for (const before of [2, 5, 8]) {
    const lost = toKafka.loseAnswer(endsTransaction);
    await write(scene, "INSERT INTO answered.bag VALUES (1, 'x'), (1, 'x')");
    await Promise.race([lost, running.ended]);
    toKafka.release();
    await arrived(scene, 'bag', before + 2, running);
    await write(scene, "INSERT INTO answered.bag VALUES (2, 'y')");
    await arrived(scene, 'bag', before + 3, running);
  }
  expect(said(running)).toMatch(/error KAFKA_CONNECTION_LOST .*next try/);
  await endInOrder(running);
  await expectNoneLostOrDoubled(scene, 'the answers to three commits in Kafka lost');
});
