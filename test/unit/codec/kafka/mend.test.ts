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
