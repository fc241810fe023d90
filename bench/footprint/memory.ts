import { setTimeout as sleep } from 'node:timers/promises';
import { Product } from '../../dev/product.ts';
import { withoutSync } from '../data.ts';
import { makeBacklog } from '../drain.ts';
import { insertLarge } from '../large.ts';
import { directConfig, expectEqualContents, measure } from '../measure.ts';
import type { Figure } from '../report.ts';
import type { Stage } from '../stage.ts';
import { backlogOf, BLOBS, keep, LARGE, TABLES } from './scene.ts';

const IDLE_MS = 10_000;
const BLOB_ROWS = 8;
/** A little less than 16 MiB, which is the most that a document of MongoDB holds. */
const BLOB_BYTES = 16_000_000;

/** Peak memory of Lockstep with nothing to do, in a backlog, in one large transaction, and with huge rows. Once each: it is the peak that counts. */
export async function benchMemory(stage: Stage): Promise<void> {
  const { connection, options } = stage;
  const { rows } = options;
  const figures: Figure[] = [await idle(stage)];
  const changes = backlogOf(rows);
  figures.push(
    await caughtUp(stage, `backlog of ${String(changes)}`, async () => {
      await makeBacklog(stage, { changes, keys: 'uniform', changesPerTransaction: 1, seed: 1 });
    }),
  );
  figures.push(
    await caughtUp(stage, `transaction of ${String(rows)} rows`, async () => {
      await withoutSync(connection, async () => await insertLarge(connection, LARGE, rows));
    }),
  );
  await connection.query(`TRUNCATE TABLE ${LARGE}`);
  figures.push(
    await caughtUp(stage, `${String(BLOB_ROWS)} rows of 16 MB`, async () => {
      const content = `REPEAT(RANDOM_BYTES(1000), ${String(BLOB_BYTES / 1000)})`;
      for (let id = 1; id <= BLOB_ROWS; id += 1)
        await connection.query(`INSERT INTO ${BLOBS} (id, content) VALUES (${String(id)}, ${content})`);
    }),
  );
  await connection.query(`TRUNCATE TABLE ${BLOBS}`);
  await keep(stage, 'memory', 1, figures);
}

async function idle(stage: Stage): Promise<Figure> {
  const product = await Product.start(directConfig(stage, TABLES));
  try {
    await sleep(IDLE_MS, undefined, { signal: stage.signal });
    await product.expectRunning();
    return { name: 'peak MB, idle', value: (product.usage?.peakBytes ?? 0) / 1e6 };
  } finally {
    await product[Symbol.asyncDispose]();
  }
}

/** Lets Lockstep catch up with what was written while it was stopped. */
async function caughtUp(stage: Stage, name: string, write: () => Promise<void>): Promise<Figure> {
  const { source, target, report, signal } = stage;
  await write();
  const config = directConfig(stage, TABLES);
  const { seconds, peakBytes } = await measure({ config, args: [], servers: [], firstVisible: null });
  await expectEqualContents(source.url, target.url, TABLES, signal);
  report.say(`  ${name}: ${seconds.toFixed(1)} s, ${(peakBytes / 1e6).toFixed(0)} MB`);
  return { name: `peak MB, ${name}`, value: peakBytes / 1e6 };
}
