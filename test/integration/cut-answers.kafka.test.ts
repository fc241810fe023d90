import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCluster } from '../../codec/kafka/cluster.ts';
import type { KafkajsCluster } from '../../codec/kafka/kafkajs.ts';
import { mendKafkajs } from '../../codec/kafka/mend.ts';
import { fetchRecords } from '../../codec/kafka/log.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { Proxy } from '../support/proxy.ts';
import { insert } from '../unit/core/memory.ts';
import { orders } from '../unit/core/tables.ts';
import { never, newPipeline, openSink, publish } from './kafka/scene.ts';

const stack = new AsyncDisposableStack();
let kafka: Server;
let proxy: Proxy;

beforeAll(async () => {
  proxy = stack.use(await Proxy.open('127.0.0.1:1'));
  const args = [`advertised.listeners=PLAINTEXT://${proxy.url}`];
  kafka = stack.use(await startServer('kafka', { fast: true, own: true, args }));
  proxy.leadTo(kafka.url);
});
afterAll(async () => await stack.disposeAsync());

test('a broker that takes a connection and says nothing is not connected, and is once it speaks', async () => {
  mendKafkajs();
  const load = createRequire(import.meta.url);
  const Kafkajs = load('kafkajs/src/cluster') as new (options: object) => KafkajsCluster;
  const { createLogger } = load('kafkajs/src/loggers') as { createLogger: (options: object) => object };
  const cluster = new Kafkajs({
    logger: createLogger({ level: 0, logCreator: () => () => undefined }),
    brokers: [proxy.url],
    connectionTimeout: 500,
    authenticationTimeout: 5000,
    requestTimeout: 500,
    enforceRequestTimeout: true,
    socketFactory: ({ host, port, onConnect }: { host: string; port: number; onConnect: () => void }) =>
      connect({ host, port }, onConnect),
    retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 200 },
  });
  proxy.fallSilent();
  try {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(cluster.connect().then(() => cluster.refreshMetadata())).rejects.toThrow(/Request .* timed out/);
    }
  } finally {
    proxy.speak();
  }
  await cluster.connect();
  await cluster.refreshMetadata();
  expect(cluster.getNodeIds()).toEqual(['1']);
  await cluster.disconnect();
});

test('a connection that is cut in the middle of an answer is made anew, and the next answer is read from its beginning', async () => {
  const pipeline = newPipeline();
  const sink = await openSink({ brokers: [proxy.url], registry: null }, pipeline);
  await sink.prepare([orders], never);
  const rows = Array.from({ length: 5000 }, (_, i) => insert([BigInt(i), 'paid', '1.00', null, null, i]));
  await publish(sink, rows);
  await sink.close();
  const cluster = await openCluster({ brokers: [proxy.url], clientId: 'test' }, never);
  try {
    const topic = `${pipeline}.shop.orders`;
    const [place] = await cluster.topics([topic], never);
    const leaders = place?.leaders ?? [];
    const read = async (): Promise<number> => {
      const wanted = [{ topic, partition: 0, offset: 0, maxBytes: 1024 * 1024 }];
      const fetched = await fetchRecords(cluster, leaders[0] ?? -1, wanted, 500, AbortSignal.timeout(10_000));
      return fetched[0]?.nextOffset ?? -1;
    };
    // A transaction is committed some milliseconds before readers see it.
    let whole = 0;
    while (whole === 0) whole = await read();
    for (const bytes of [2, 5000, 20_000]) {
      // What the sink leaves behind may be cut in its place.
      for (let failure: unknown = null; failure === null;) {
        proxy.cutWithin(bytes);
        failure = await read().then(
          () => null,
          (error: unknown) => error,
        );
      }
      expect(await read()).toBeGreaterThanOrEqual(whole);
    }
  } finally {
    await cluster.close();
  }
});
