import { onTestFinished } from 'vitest';
import type { Batch, Change, Values, Target } from '../../core/contracts.ts';
import type { TableSchema } from '../../core/table.ts';
import { batch, column, int, stream, table, text } from './changes.ts';
import type { TargetHarness } from './harness.ts';

export const never = new AbortController().signal;
let serial = 0;

/** One scene: a pipeline and a table of its own, and what tests do with them. */
export class Scene {
  readonly harness: TargetHarness;
  readonly pipeline = `p${String((serial += 1))}`;
  #targets: Target[] = [];
  #token = 0;

  constructor(harness: TargetHarness) {
    this.harness = harness;
  }

  name(): string {
    return `t${String((serial += 1))}`;
  }

  /** A target with the tables prepared and the checkpoints loaded: what a process has after its start. */
  async open(...tables: TableSchema[]): Promise<Target> {
    const target = await this.harness.open(this.pipeline);
    this.#targets.push(target);
    await target.prepare(tables, never);
    await target.load('', never);
    return target;
  }

  /** Applies the changes as one batch with a checkpoint. */
  async apply(target: Target, changes: readonly Change[], more: Partial<Batch> = {}): Promise<void> {
    await target.apply(stream, { ...batch(changes, String((this.#token += 1))), ...more }, never);
  }

  /** What the target holds for the table, sorted. */
  async rows(table: TableSchema): Promise<readonly (readonly unknown[])[]> {
    return sorted(await this.harness.rows(table));
  }

  /** What `rows` gives when the target holds exactly these. */
  expected(table: TableSchema, rows: readonly Values[]): readonly (readonly unknown[])[] {
    return sorted(rows.map((row) => this.harness.expected(table, row)));
  }

  async close(): Promise<void> {
    for (const target of this.#targets) await target.close();
  }
}

function sorted(rows: readonly (readonly unknown[])[]): readonly (readonly unknown[])[] {
  const keyed = rows.map((row) => [JSON.stringify(row, plain), row] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** A scene that ends with the test that is running. */
export function openScene(harness: TargetHarness): Scene {
  const scene = new Scene(harness);
  onTestFinished(() => scene.close());
  return scene;
}

/** A table of its own with columns `id` (the key) and `v`. */
export function simple(scene: Scene): TableSchema {
  return table(scene.name(), [column('id', int), column('v', text)], ['id']);
}
