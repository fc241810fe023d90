import { checkpoint, batch, insert } from '../../unit/core/memory.ts';
import { orders } from '../../unit/core/tables.ts';
import { never, openSink, type Places } from './scene.ts';

/**
 * Publishes batches of ten rows from where the checkpoint stands, the first half of each as a part of its own, and says when each part
 * is with the brokers: to be killed there, before the commit.
 */
const { places, pipeline } = JSON.parse(process.argv[2] ?? '') as { places: Places; pipeline: string };
const target = await openSink(places, pipeline);
await target.prepare([orders], never);
const lane = { name: 'stream', kind: 'stream' } as const;
for (let n = Number((await target.load('position', never)).get('position') ?? '0'); ; n += 10) {
  const rows = Array.from({ length: 10 }, (_, i) => insert([BigInt(n + i), 'paid', '1.00', null, null, 1]));
  await target.apply(lane, batch(rows.slice(0, 5)), never);
  process.stdout.write(`part ${n}\n`);
  await target.apply(lane, batch(rows.slice(5), { checkpoint: checkpoint({ position: String(n + 10) }) }), never);
}
