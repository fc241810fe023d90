import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Change } from '../../core/contracts.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { batch, checkpoint, MemoryTarget, read, truncate } from '../unit/core/memory.ts';
import { column, int, orders, table } from '../unit/core/tables.ts';
import { catchUp, moment, never, newPipeline, openSink, publish, type Places } from './kafka/scene.ts';

const log = table('shop.log', [column('n', int)]);
let server: Server;
let places: Places;

beforeAll(async () => {
  server = await startServer('kafka', { fast: true });
  places = { brokers: [server.url], registry: null };
});

afterAll(async () => {
  await server?.stop();
});

const emptied = (table: typeof log, n: number): Change => ({ kind: 'truncate', table, at: moment(n) });

function truncated(target: MemoryTarget): string[] {
  return target.changes.flatMap((change) => (change.kind === 'truncate' ? [change.table.origin] : []));
}

test('copies that begin at one place of the source empty each its own table', async () => {
  const pipeline = newPipeline();
  const published = await openSink(places, pipeline);
  const target = new MemoryTarget();
  const lanes = [
    { name: 'copy/0', changes: [truncate(orders), read([1n, 'paid', '12.50', null, null, 1])] },
    { name: 'copy/1', changes: [truncate(log), read([1], log)] },
  ];
  try {
    for (const { name, changes } of lanes) {
      const copied = batch(changes, { checkpoint: checkpoint({ [name]: 'x' }) });
      await published.apply({ name, kind: 'copy' }, copied, never);
      await catchUp(places, pipeline, target);
    }
  } finally {
    await published.close();
  }
  expect(truncated(target)).toEqual(['shop.orders', 'shop.log']);
});

test('changes of whole tables are each done where they stand, also where their places in the source alternate', async () => {
  const pipeline = newPipeline();
  const published = await openSink(places, pipeline);
  const target = new MemoryTarget();
  try {
    await publish(published, [emptied(orders, 2), emptied(log, 1), emptied(orders, 2)]);
    await catchUp(places, pipeline, target);
  } finally {
    await published.close();
  }
  expect(truncated(target).toSorted()).toEqual(['shop.log', 'shop.orders', 'shop.orders']);
});

test('a copy that is begun anew at the same place empties its table again', async () => {
  const pipeline = newPipeline();
  const target = new MemoryTarget();
  for (const position of ['first', 'second']) {
    const published = await openSink(places, pipeline);
    await publish(published, [emptied(orders, 1), read([1n, position, '12.50', null, null, 1])], position);
    await published.close();
    await catchUp(places, pipeline, target);
  }
  expect(truncated(target)).toEqual(['shop.orders', 'shop.orders']);
});
