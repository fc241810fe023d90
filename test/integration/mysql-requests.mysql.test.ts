import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Values } from '../../core/contracts.ts';
import { Progress } from '../../core/progress.ts';
import { writeRequest, type TableRequest } from '../../core/request.ts';
import { sleep } from '../../core/signals.ts';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { failureOf, following, sorted, whileFollowing, type Following } from '../support/following.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { flavours, never, openClient, runSource } from '../support/mysql-run.ts';
import { seed } from '../support/seed.ts';

describe.each(flavours)('what is asked of tables of %s', (flavour) => {
  let server: Server;
  let client: Connection;

  beforeAll(async () => {
    server = await startServer(flavour, { own: true, fast: true });
    client = await openClient(server.url);
    await client.query('CREATE DATABASE shop');
  });
  afterAll(async () => {
    client.destroy();
    await server.stop();
  });

  /** A table of 1,000 rows that belong to ten customers. */
  async function orders(name: string): Promise<void> {
    await client.query(`CREATE TABLE shop.${name} (id INT PRIMARY KEY, customer INT, note VARCHAR(20))`);
    const rows = Array.from({ length: 1000 }, (_, i) => `(${i}, ${i % 10}, 'old')`);
    await client.query(`INSERT INTO shop.${name} VALUES ${rows.join()}`);
  }

  async function inSource(name: string): Promise<Values[]> {
    const [rows] = await client.query({ sql: `SELECT * FROM shop.${name} ORDER BY id`, rowsAsArray: true });
    return rows as Values[];
  }

  async function ask(
    pipeline: Following,
    action: TableRequest['action'],
    name: string,
    more: Partial<TableRequest> = {},
  ) {
    const target = targetOf(pipeline);
    await target.load('');
    await writeRequest(target, { action, origin: `shop.${name}`, drop: false, where: null, ...more }, never);
  }

  function targetOf({ run }: Following): MemoryTarget {
    return new MemoryTarget({ server: run.server, pipeline: run.pipeline ?? '' });
  }

  const tokens = ({ run }: Following): ReadonlyMap<string, string> => run.server.tokens(run.pipeline ?? '');

  async function until(condition: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(30_000);
    while (!condition()) await sleep(10, signal);
  }

  const isDone = (pipeline: Following): boolean =>
    ![...tokens(pipeline).keys()].some((name) => /^re(quest|fused)/.test(name));
  const isConsistent = (pipeline: Following, name: string): boolean =>
    isDone(pipeline) && tokens(pipeline).get(`table/shop.${name}/`)?.includes('"following"') === true;

  /** What a target may hold by mistake: rows that the source does not have, and others missing. */
  function spoil(
    pipeline: Following,
    name: string,
    ids: { readonly gone: readonly number[]; readonly rogue: readonly Values[] },
  ): void {
    const [table] = [...tokens(pipeline)].flatMap(([entry, token]) =>
      entry === `table/shop.${name}/` ? [JSON.parse(token).schema] : [],
    );
    const at = { committedAtMs: 0, gtid: null, file: '', offset: 0, serverId: 0 };
    const old = pipeline.rows(name);
    pipeline.run.server.write(
      [
        ...ids.gone.map(
          (id) =>
            ({ kind: 'delete', table, before: old.find((row) => row[0] === id) ?? [id], after: null, at }) as const,
        ),
        ...ids.rogue.map((after) => ({ kind: 'insert', table, before: null, after, at }) as const),
      ],
      new Set(),
    );
  }

  it('is done while the stream goes on: a table is copied again, and what the source lacks is gone', async () => {
    await orders('a');
    const pipeline = await following(server.url, { tables: ['shop.a'] });
    await whileFollowing(pipeline, async (arrived) => {
      spoil(pipeline, 'a', { gone: [3, 4], rogue: [[5000, 1, 'rogue']] });
      await ask(pipeline, 'resync', 'a');
      await client.query("UPDATE shop.a SET note = 'new' WHERE id < 100");
      await client.query("INSERT INTO shop.a VALUES (2000, 1, 'new')");
      await arrived('a', 2000);
      await until(() => isConsistent(pipeline, 'a'));
    });
    expect(pipeline.rows('a')).toEqual(await inSource('a'));
  });

  it('is done for some rows: those that leave them and those that join them meanwhile are not lost', async () => {
    await orders('b');
    let held = Promise.withResolvers<void>();
    held.resolve();
    const pipeline = await following(server.url, {
      tables: ['shop.b'],
      before: async ({ kind }) => (kind === 'copy' ? await held.promise : undefined),
    });
    held = Promise.withResolvers<void>();
    await whileFollowing(pipeline, async (arrived) => {
      spoil(pipeline, 'b', {
        gone: [7, 17],
        rogue: [
          [5000, 7, 'rogue'],
          [5001, 8, 'rogue'],
        ],
      });
      await ask(pipeline, 'resync', 'b', { where: 'customer = 7' });
      await until(() => isDone(pipeline));
      expect(pipeline.rows('b').filter(([, customer]) => customer === 7)).toEqual([]);
      // Not copied yet, and never to be seen by a chunk.
      await client.query('UPDATE shop.b SET customer = 1 WHERE id = 27');
      await client.query('UPDATE shop.b SET customer = 7 WHERE id = 28');
      await client.query('UPDATE shop.b SET id = 3000 WHERE id = 37');
      await client.query('DELETE FROM shop.b WHERE id = 47');
      await client.query("INSERT INTO shop.b VALUES (2000, 7, 'new')");
      await arrived('b', 2000);
      held.resolve();
      await until(() => isConsistent(pipeline, 'b'));
    });
    expect(pipeline.rows('b').filter(([id]) => id !== 5001)).toEqual(await inSource('b'));
    expect(pipeline.rows('b').at(-1)).toEqual([5001, 8, 'rogue']);
  });

  it('is done for some rows again and again while they are written at random, with no change lost', async () => {
    const random = seeded(seed);
    await client.query('CREATE TABLE shop.j (id INT PRIMARY KEY, customer INT, n INT)');
    const row = (id: number): string => `(${id}, ${random.int(3)}, 0)`;
    await client.query(`INSERT INTO shop.j VALUES ${Array.from({ length: 12_000 }, (_, id) => row(id)).join()}`);
    const pipeline = await following(server.url, { tables: ['shop.j'] });
    const statement = (): string => {
      const id = random.int(13_000);
      return random.pick([
        `REPLACE INTO shop.j VALUES ${row(id)}`,
        `DELETE FROM shop.j WHERE id = ${id}`,
        `UPDATE shop.j SET customer = ${random.int(3)} WHERE id = ${id}`,
        `UPDATE shop.j SET n = n + 1 WHERE id BETWEEN ${id} AND ${id + 20}`,
        `UPDATE IGNORE shop.j SET id = ${random.int(13_000)} WHERE id = ${id}`,
      ]);
    };
    await whileFollowing(pipeline, async () => {
      for (let round = 0; round < 2; round += 1) {
        await ask(pipeline, 'resync', 'j', { where: `customer IN (${random.int(3)}, 1)` });
        for (let written = 0; written < 100 || !isConsistent(pipeline, 'j'); written += 1)
          await client.query(statement());
      }
    });
    await pipeline.catchUp();
    expect(pipeline.rows('j'), `seed ${seed}`).toEqual(await inSource('j'));
  });

  it('takes a table away without its rows, or with them, and brings it back with all that came since', async () => {
    await orders('c');
    const pipeline = await following(server.url, { tables: ['shop.c'] });
    await whileFollowing(pipeline, async () => {
      await ask(pipeline, 'remove', 'c');
      await until(() => isDone(pipeline));
      await client.query('DELETE FROM shop.c WHERE id < 10');
    });
    await pipeline.catchUp();
    expect(pipeline.rows('c').length).toBe(1000);
    await ask(pipeline, 'add', 'c');
    await pipeline.catchUp();
    expect(pipeline.rows('c')).toEqual(await inSource('c'));
    await ask(pipeline, 'remove', 'c', { drop: true });
    await pipeline.catchUp();
    expect(pipeline.rows('c')).toEqual([]);
    await ask(pipeline, 'add', 'c');
    await pipeline.catchUp();
    expect(pipeline.rows('c')).toEqual(await inSource('c'));
  });

  it('adds a table that the process did not know of when it began, and keeps it when it tries again', async () => {
    await orders('d');
    await orders('e');
    const added = new Set<string>();
    const pipeline = await following(server.url, { tables: ['shop.d'], added });
    await whileFollowing(pipeline, async (arrived) => {
      await ask(pipeline, 'add', 'e');
      await until(() => isConsistent(pipeline, 'e'));
      await client.query("INSERT INTO shop.e VALUES (2000, 1, 'new')");
      await arrived('e', 2000);
    });
    await client.query("INSERT INTO shop.e VALUES (2001, 1, 'new')");
    await pipeline.catchUp();
    expect(pipeline.rows('e')).toEqual(await inSource('e'));
    // Whoever leaves it out for a while cannot go on with it from where it was.
    added.clear();
    await pipeline.catchUp();
    await client.query('DELETE FROM shop.e WHERE id < 10');
    await pipeline.catchUp();
    const back = await following(server.url, { ...pipeline.run, tables: ['shop.d', 'shop.e'] });
    expect(sorted(back.run.server.rows({ database: 'shop', name: 'e' }))).toEqual(await inSource('e'));
  });

  it('pauses between two chunks while changes go on, and goes on with the next', async () => {
    await orders('h');
    const progress = new Progress();
    const pipeline = await following(server.url, { tables: ['shop.h'] });
    const rows = Array.from({ length: 12_000 }, (_, i) => `(${i + 10_000}, 1, 'more')`);
    await client.query(`INSERT INTO shop.h VALUES ${rows.join()}`);
    await pipeline.catchUp();
    let chunks = 0;
    const before: typeof pipeline.run.before = async ({ kind }, { checkpoint }) => {
      if (kind !== 'copy' || checkpoint === null) return;
      chunks += 1;
      // The first is the plan, the second a chunk.
      if (chunks === 2) await ask(pipeline, 'pause', 'h');
      if (chunks === 2) await until(() => isDone(pipeline));
    };
    await ask(pipeline, 'resync', 'h');
    const error = await failureOf(runSource({ ...pipeline.run, before, progress }));
    expect(error.code).toBe('SOURCE_COPY_PAUSED');
    expect(progress.table('shop.h').state).toBe('paused');
    const copied = pipeline.run.server.copied.get('shop.h') ?? 0;
    expect(pipeline.rows('h').length).toBeLessThan(13_000);
    await client.query("INSERT INTO shop.h VALUES (1000000, 1, 'new')");
    expect((await failureOf(pipeline.catchUp())).code).toBe('SOURCE_COPY_PAUSED');
    expect(pipeline.rows('h').at(-1)).toEqual([1_000_000, 1, 'new']);
    await ask(pipeline, 'resume', 'h');
    await pipeline.catchUp();
    expect(pipeline.rows('h')).toEqual(await inSource('h'));
    expect((pipeline.run.server.copied.get('shop.h') ?? 0) - copied).toBeLessThan(13_000);
  });

  it('is neither lost nor half done when a process dies at any step', async () => {
    await orders('i');
    const pipeline = await following(server.url, { tables: ['shop.i'] });
    spoil(pipeline, 'i', {
      gone: [3, 7],
      rogue: [
        [5000, 7, 'rogue'],
        [5001, 8, 'rogue'],
      ],
    });
    await ask(pipeline, 'resync', 'i', { where: 'customer IN (7, 8)' });
    await ask(pipeline, 'pause', 'i');
    await ask(pipeline, 'resync', 'i');
    await ask(pipeline, 'resume', 'i');
    let [lives, steps] = [0, 0];
    const before = (): void => {
      steps += 1;
      if (steps > lives) throw new Error('the process dies');
    };
    for (let alive = false; !alive; lives += 1) {
      await client.query(`UPDATE shop.i SET customer = ${lives % 10} WHERE id = ${lives}`);
      steps = 0;
      alive = await runSource({ ...pipeline.run, before }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Error && error.message === 'the process dies') return false;
          throw error;
        },
      );
    }
    expect(lives).toBeGreaterThan(2);
    expect(pipeline.rows('i')).toEqual(await inSource('i'));
    expect(isConsistent(pipeline, 'i')).toBe(true);
  });

  // What the stream makes of them does not depend on the server.
  if (flavour === 'mysql') {
    it('says why it could not be done, until the next request', async () => {
      await orders('f');
      const pipeline = await following(server.url, { tables: ['shop.f'] });
      await ask(pipeline, 'resync', 'f', { where: 'note > 5' });
      await ask(pipeline, 'resync', 'none');
      await pipeline.catchUp();
      expect(tokens(pipeline).get('refused/shop.f/')).toContain('cannot be asked in');
      expect(tokens(pipeline).get('refused/shop.none/')).toContain('does not follow it');
      await ask(pipeline, 'resync', 'f');
      await pipeline.catchUp();
      expect(tokens(pipeline).has('refused/shop.f/')).toBe(false);
    });

    it('pauses a copy before it begins, over restarts, until it is resumed', async () => {
      await orders('g');
      const pipeline = await following(server.url, { tables: ['shop.g'] });
      await ask(pipeline, 'pause', 'g');
      await ask(pipeline, 'resync', 'g');
      expect((await failureOf(pipeline.catchUp())).code).toBe('SOURCE_COPY_PAUSED');
      await client.query("INSERT INTO shop.g VALUES (2000, 1, 'new')");
      expect((await failureOf(pipeline.catchUp())).code).toBe('SOURCE_COPY_PAUSED');
      expect(pipeline.rows('g')).toEqual([]);
      await whileFollowing(pipeline, async () => {
        await ask(pipeline, 'resume', 'g');
        await until(() => isConsistent(pipeline, 'g'));
      });
      expect(pipeline.rows('g')).toEqual(await inSource('g'));
    });
  }
});
