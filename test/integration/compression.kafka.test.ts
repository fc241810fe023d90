import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMPRESSIONS } from '../../codec/kafka/compression.ts';
import type { Values } from '../../core/contracts.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { plain } from '../support/plain.ts';
import { insert, MemoryTarget, update } from '../unit/core/memory.ts';
import { orders } from '../unit/core/tables.ts';
import { catchUp, never, newPipeline, openSink, publish } from './kafka/scene.ts';

let servers: Server[];
beforeAll(async () => {
  servers = await Promise.all([startServer('kafka', { fast: true }), startServer('registry', { fast: true })]);
});
afterAll(async () => {
  await Promise.all((servers ?? []).map((server) => server.stop()));
});

const KEYS = 10;

test.each(COMPRESSIONS)('several requests of one batch arrive in order, compressed with %s', async (compression) => {
  const [kafka, registry] = servers;
  const places = { brokers: [kafka?.url ?? ''], registry: registry?.url ?? '' };
  const pipeline = newPipeline();
  const sink = await openSink(places, pipeline, { compression });
  await sink.prepare([orders], never);
  const versions = Array.from({ length: 12_000 }, (_, i): Values => {
    return [BigInt(i % KEYS), 'paid', '12.50', `${'x'.repeat(500)} ${i}`, null, i];
  });
  const changes = versions.map((version, i) =>
    i < KEYS ? insert(version) : update(versions[i - KEYS] ?? version, version),
  );
  await publish(sink, changes);
  await sink.close();
  const target = new MemoryTarget();
  await catchUp(places, pipeline, target);
  const rows = target.changes.map(plain).map((change) => ('after' in change ? change.after : null));
  for (let key = 0; key < KEYS; key += 1) {
    const ofKey = (row: unknown): boolean => Array.isArray(row) && row[0] === BigInt(key);
    expect(rows.filter(ofKey)).toEqual(versions.filter(ofKey));
  }
});
