import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from '../../dev/servers/index.ts';
import { ask, inStep, promote } from '../../dev/servers/replication.ts';
import { LockstepError } from '../../core/errors.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { runSource, type SourceRun } from '../support/mysql-run.ts';
import { Topology } from '../support/takeover.ts';

const ROWS = 12_000;

describe.each(['mysql', 'mariadb'] as const)('a copy from %s that another server takes over', (flavour) => {
  const stack = new AsyncDisposableStack();
  let topology: Topology;
  let primary: Server;
  let replica: Server;

  beforeAll(async () => {
    topology = stack.use(await Topology.open(flavour));
    ({ primary } = topology);
    const rows = Array.from({ length: ROWS }, (_, id) => `(${id}, 0)`);
    await ask(
      primary,
      'CREATE TABLE shop.large (id INT PRIMARY KEY, v INT)',
      `INSERT INTO shop.large VALUES ${rows.join()}`,
    );
    replica = await topology.replica();
  });
  afterAll(async () => await stack.disposeAsync());

  it('goes on where that has done all that chunks show, and begins again where it never will', async () => {
    const kept = await interrupted('kept');
    await inStep({ primary, replica });
    await ask(replica, flavour === 'mysql' ? 'STOP REPLICA' : 'STOP SLAVE');
    const lost = await interrupted('lost');
    await promote(replica);
    await ask(replica, 'UPDATE shop.large SET v = 9 WHERE id = 2');
    for (const run of [kept, lost]) await runSource({ ...run, url: replica.url });
    expect(kept.server.copied.get('shop.large')).toBeLessThan(ROWS + 100);
    expect(lost.server.copied.get('shop.large')).toBeGreaterThan(ROWS + 100);
    const [kepts, losts] = [kept, lost].map(({ server }) => server.rows({ database: 'shop', name: 'large' }));
    expect(losts?.toSorted(([a], [b]) => Number(a) - Number(b)).slice(0, 4)).toEqual([
      [0, 0],
      [1, 1],
      [2, 9],
      [3, 0],
    ]);
    expect(kepts?.length).toBe(ROWS);
    expect(losts?.length).toBe(ROWS);
  });

  /** A copy that ends after its first chunk, which shows what was written after the pipeline's first position, and what the stream has not brought yet. */
  async function interrupted(pipeline: string): Promise<SourceRun & { server: MemoryServer }> {
    const server = new MemoryServer();
    const run = { url: primary.url, tables: ['shop.large'], pipeline, server, readers: 1 };
    const enough = Promise.withResolvers<never>();
    enough.promise.catch(() => undefined);
    let chunks = 0;
    let begun = false;
    const before: SourceRun['before'] = async ({ kind }, { changes }) => {
      if (kind === 'stream' && begun) await enough.promise;
      if (kind === 'stream') await ask(primary, 'UPDATE shop.large SET v = v + 1 WHERE id = 1');
      begun = true;
      if (kind === 'copy' && changes.length > 0) chunks += 1;
      if (chunks <= 1) return;
      enough.reject(new LockstepError('TARGET_BUSY', 'enough for now'));
      await enough.promise;
    };
    await expect(runSource({ ...run, before })).rejects.toThrow('enough for now');
    return run;
  }
});
