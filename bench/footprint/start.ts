import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directConfig, measure } from '../measure.ts';
import { runNumbers, type Stage } from '../stage.ts';
import { keep, PINGS, TABLES } from './scene.ts';

/** From the start of the process until a change that waited for it is visible: without compiled code of an earlier start, and with it. */
export async function benchStart(stage: Stage): Promise<void> {
  for (const run of runNumbers(stage.options)) {
    const cache = await mkdtemp(join(tmpdir(), 'lockstep-cache-'));
    try {
      const cold = await firstChangeMs(stage, -2 * run - 1, cache);
      const warm = await firstChangeMs(stage, -2 * run - 2, cache);
      if (run === 0) continue;
      await keep(stage, 'start', run, [
        { name: 'ms to the first change, cold', value: cold },
        { name: 'ms to the first change, warm', value: warm },
      ]);
    } finally {
      await rm(cache, { recursive: true, force: true });
    }
  }
}

async function firstChangeMs(stage: Stage, id: number, cache: string): Promise<number | null> {
  await stage.connection.query(`INSERT INTO ${PINGS} (id, note) VALUES (${String(id)}, 'waits')`);
  const { firstMs } = await measure({
    config: directConfig(stage, TABLES),
    args: [],
    servers: [],
    firstVisible: async () => await stage.target.holds(PINGS, id),
    environment: { XDG_CACHE_HOME: cache },
  });
  return firstMs;
}
