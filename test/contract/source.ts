import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Batch, Lane, Source } from '../../core/contracts.ts';
import { runLoop } from '../../core/loop.ts';
import { Memory } from '../../core/memory.ts';
import { Progress } from '../../core/progress.ts';
import { sleep } from '../../core/signals.ts';
import { Transforms } from '../../core/transform.ts';
import { MemoryServer, MemoryTarget } from '../support/memory-target.ts';

/** What the suite needs to know about one source; all its tests share one server. */
export interface SourceHarness {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A source as one process of the pipeline would open it; the suite closes it. */
  open(options: { pipeline: string; table: string; until: 'caught-up' | null; progress: Progress }): Source;
  /** Creates an empty table with an integer key `id` and a text `v`; it comes as database `contract`. */
  create(table: string): Promise<void>;
  /** One transaction: each row is put where its text is a string, and removed where it is null. */
  commit(table: string, rows: readonly (readonly [id: number, v: string | null])[]): Promise<void>;
}

interface Seen {
  readonly lane: string;
  readonly batch: Batch;
}

/** One pipeline over one table, and what came to its target. */
class Pipeline {
  readonly server = new MemoryServer();
  readonly seen: Seen[] = [];
  readonly progress = new Progress();
  readonly #harness: SourceHarness;
  readonly #table: string;

  constructor(harness: SourceHarness, table: string) {
    this.#harness = harness;
    this.#table = table;
  }

  /** What the target holds, as `id:v`, in order. */
  get rows(): string[] {
    const rows = this.server.rows({ database: 'contract', name: this.#table });
    return rows.map(([id, v]) => `${String(id)}:${String(v)}`).toSorted();
  }

  async run(until: 'caught-up' | null, signal: AbortSignal): Promise<void> {
    const { progress, server, seen } = this;
    const pipeline = this.#table;
    const source = this.#harness.open({ pipeline, table: this.#table, until, progress });
    const before = (lane: Pick<Lane, 'name'>, batch: Batch): void => void seen.push({ lane: lane.name, batch });
    const target = new MemoryTarget({ server, pipeline, before });
    const limits = { bytes: 1_000_000, changes: 1000 };
    try {
      await runLoop({
        source,
        target,
        transforms: new Transforms([]),
        progress,
        limits,
        memory: new Memory(64 * 1024 * 1024),
        signal,
      });
    } finally {
      await source.close();
    }
  }

  async catchUp(): Promise<void> {
    await this.run('caught-up', new AbortController().signal);
  }
}

/** Registers the tests that every source of tables passes. */
export function registerSourceTests(harness: SourceHarness): void {
  describe(`${harness.name} keeps the source contract`, () => {
    let serial = 0;
    beforeAll(() => harness.start());
    afterAll(() => harness.stop());

    const scene = async (): Promise<{ table: string; pipeline: Pipeline }> => {
      const table = `t${(serial += 1)}`;
      await harness.create(table);
      await harness.commit(table, [
        [1, 'one'],
        [2, 'two'],
      ]);
      return { table, pipeline: new Pipeline(harness, table) };
    };

    it('brings what was there and ends once it has caught up', async () => {
      const { pipeline } = await scene();
      await pipeline.catchUp();
      expect(pipeline.rows).toEqual(['1:one', '2:two']);
      expect(pipeline.progress.table(`contract.t${serial}`)).toMatchObject({ copied: 2, state: 'following' });
    });

    it('goes on behind what the target holds, and reads no row again', async () => {
      const { table, pipeline } = await scene();
      await pipeline.catchUp();
      await harness.commit(table, [
        [1, null],
        [2, 'TWO'],
        [3, 'three'],
      ]);
      await pipeline.catchUp();
      expect(pipeline.rows).toEqual(['2:TWO', '3:three']);
      expect(pipeline.server.copied.get(`contract.${table}`)).toBe(2);
    });

    it('has nothing to bring when nothing has changed', async () => {
      const { pipeline } = await scene();
      await pipeline.catchUp();
      const before = pipeline.seen.length;
      await pipeline.catchUp();
      expect(pipeline.seen.slice(before).flatMap(({ batch }) => batch.changes)).toEqual([]);
    });

    it('brings changes while it follows, and stops when the signal aborts', async () => {
      const { table, pipeline } = await scene();
      const stop = new AbortController();
      const running = pipeline.run(null, stop.signal);
      while (pipeline.progress.phase !== 'following') await Promise.race([sleep(5, stop.signal), running]);
      await harness.commit(table, [[4, 'four']]);
      while (!pipeline.rows.includes('4:four')) await Promise.race([sleep(5, stop.signal), running]);
      stop.abort(new Error('stopped'));
      await running;
      expect(pipeline.rows).toEqual(['1:one', '2:two', '4:four']);
    });

    it('ends no batch with a checkpoint inside a transaction', async () => {
      const { table, pipeline } = await scene();
      await pipeline.catchUp();
      const rows = Array.from({ length: 3000 }, (_, i) => [100 + i, `row ${i}`] as const);
      await harness.commit(table, rows);
      const before = pipeline.seen.length;
      await pipeline.catchUp();
      const counts = pipeline.seen
        .slice(before)
        .filter(({ batch }) => batch.checkpoint !== null && batch.changes.length > 0)
        .map(({ batch }) => batch.changes.length);
      expect(pipeline.rows).toHaveLength(3002);
      expect(counts).toHaveLength(1);
    });

    it('gives every change of a transaction the same moment, and the moment its commit', async () => {
      const { table, pipeline } = await scene();
      await pipeline.catchUp();
      const began = Date.now();
      await harness.commit(table, [
        [5, 'five'],
        [6, 'six'],
      ]);
      const before = pipeline.seen.length;
      await pipeline.catchUp();
      const changes = pipeline.seen.slice(before).flatMap(({ batch }) => batch.changes);
      expect(changes.map(({ kind }) => kind)).toEqual(['insert', 'insert']);
      expect(changes[0]?.at).toBe(changes[1]?.at);
      expect(changes[0]?.at.committedAtMs).toBeGreaterThanOrEqual(began - 1000);
      expect(changes[0]?.at.committedAtMs).toBeLessThanOrEqual(Date.now());
    });

    it('lets a second process of the pipeline stand by', async () => {
      const { pipeline } = await scene();
      const stop = new AbortController();
      const first = pipeline.run(null, stop.signal);
      while (pipeline.progress.phase !== 'following') await Promise.race([sleep(5, stop.signal), first]);
      const second = new Pipeline(harness, `t${serial}`);
      const waiting = second.catchUp();
      while (second.progress.phase !== 'standby') await Promise.race([sleep(5, stop.signal), waiting]);
      stop.abort(new Error('stopped'));
      await first;
      await waiting;
      expect(second.rows).toEqual(['1:one', '2:two']);
    });
  });
}
