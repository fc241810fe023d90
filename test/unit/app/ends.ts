import type { Batch, Lane, Source, Target } from '../../../core/contracts.ts';
import { Progress } from '../../../core/progress.ts';
import { tableSchema, type TableSchema } from '../../../core/table.ts';
import { Transforms } from '../../../core/transform.ts';
import type { PipelineRun } from '../../../app/pipeline.ts';

/** A table of one column, enough to be counted. */
export const table: TableSchema = tableSchema({
  database: 'shop',
  name: 'orders',
  origin: 'shop.orders',
  columns: [
    {
      name: 'id',
      type: { kind: 'int', bits: 32, unsigned: false },
      declared: 'int',
      nullable: false,
      charset: null,
      generated: null,
      default: null,
      autoIncrement: false,
    },
  ],
  key: [0],
});

/** One inserted row with a checkpoint. */
export function batchOf(id: number): Batch {
  const at = { committedAtMs: Date.now(), gtid: null, file: 'f', offset: id, serverId: 1 };
  return {
    changes: [{ kind: 'insert', table, before: null, after: [id], at }],
    checkpoint: { set: new Map([['stream', String(id)]]), drop: [] },
    bytes: 100,
    copying: new Set(),
    barrier: null,
  };
}

/** What happens to a run's ends, in order. */
export type Journal = string[];

/** A run whose batches come from a function that is called once per try, and whose target only writes a journal. */
export function runOf(
  name: string,
  journal: Journal,
  batches: (attempt: number, signal: AbortSignal) => AsyncIterable<Batch>,
): PipelineRun {
  let attempt = 0;
  const source = (): Source => ({
    tables: async () => await Promise.resolve([table]),
    async *lanes(_, signal): AsyncGenerator<Lane> {
      attempt += 1;
      yield { name: 'stream', kind: 'stream', batches: batches(attempt, signal), acknowledge: () => undefined };
      await Promise.resolve();
    },
    close: async () => {
      journal.push(`${name}: source closed`);
      await Promise.resolve();
    },
  });
  const target = (): Target => ({
    prepare: async () => await Promise.resolve(),
    load: async () => await Promise.resolve(new Map()),
    apply: async (_, batch) => {
      journal.push(`${name}: applied ${batch.changes.length}`);
      await Promise.resolve();
    },
    close: async () => {
      journal.push(`${name}: target closed`);
      await Promise.resolve();
    },
  });
  return {
    name,
    role: 'direct',
    makesIndexes: false,
    memoryBytes: 1_000_000,
    source: {
      label: 'memory source',
      open: async () => await Promise.resolve(source()),
      check: async () => await Promise.resolve([]),
      describe: async () => await Promise.resolve([]),
      checkTakeover: async () => await Promise.resolve([]),
      consider: () => Promise.resolve({ notes: [], needed: false, tells: null }),
      refusal: () => Promise.resolve(null),
      foresee: async () => await Promise.resolve({ changes: [], notes: [] }),
    },
    target: {
      label: `${name} (memory)`,
      open: async () => await Promise.resolve(target()),
      check: async () => await Promise.resolve([]),
      plan: async () => await Promise.resolve([]),
      foresee: async () => await Promise.resolve([]),
      deadLetters: async () => await Promise.resolve(null),
    },
    progress: new Progress(),
    openTransforms: async () => await Promise.resolve(new Transforms([])),
    warnings: async () => await Promise.resolve([]),
  };
}
