import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { mendKafkajs } from '../../../../codec/kafka/mend.ts';

interface Queue {
  scheduleCheckPendingRequests(): void;
  readonly throttleCheckTimeoutId: unknown;
  throttledUntil: number;
  pending: unknown[];
  destroy(): void;
}

it('arms no timer while no request waits', () => {
  mendKafkajs();
  const load = createRequire(import.meta.url);
  const RequestQueue = load('kafkajs/src/network/requestQueue') as new (options: object) => Queue;
  const queue = new RequestQueue({ requestTimeout: 100, clientId: 'c', broker: 'b', logger: {} });
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).toBeNull();
  queue.pending = [{}];
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).not.toBeNull();
  queue.destroy();
  queue.pending = [];
  queue.throttledUntil = Date.now() + 60_000;
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).not.toBeNull();
  queue.destroy();
});

it('opens one socket for requests that meet a closed connection together', async () => {
  mendKafkajs();
  mendKafkajs();
  const load = createRequire(import.meta.url);
  const Connection = load('kafkajs/src/network/connection') as new (options: object) => { connect(): Promise<unknown> };
  const sockets: object[] = [];
  const connection = new Connection({
    host: '127.0.0.1',
    port: 1,
    connectionTimeout: 100,
    requestTimeout: 100,
    logger: { namespace: () => ({ debug: () => undefined, error: () => undefined }) },
    socketFactory: ({ onConnect }: { onConnect: () => void }) => {
      const socket = Object.assign(new EventEmitter(), { end: () => undefined, unref: () => undefined });
      sockets.push(socket);
      setImmediate(onConnect);
      return socket;
    },
  });
  await Promise.all([connection.connect(), connection.connect()]);
  expect(sockets).toHaveLength(1);
});
