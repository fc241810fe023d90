import type { Batch, Change, CompiledTransform, RowChange, Transform } from './contracts.ts';
import type { BatchCounts } from './progress.ts';
import { valuesOf } from './row.ts';
import type { TableSchema } from './table.ts';

/** An ordered list of transforms as one function over batches, compiled once per table schema. */
export class Transforms {
  readonly #transforms: readonly Transform[];
  readonly #compiled = new WeakMap<TableSchema, CompiledTransform | null>();

  constructor(transforms: readonly Transform[]) {
    this.#transforms = transforms;
  }

  /** The table as the target gets it; null when a transform leaves it out. */
  table(table: TableSchema): TableSchema | null {
    return this.#transforms.length === 0 ? table : (this.#compile(table)?.table ?? null);
  }

  /** The batch as the target gets it, with the counts of what was read and filtered. */
  batch(batch: Batch): { batch: Batch; counts: BatchCounts } {
    const tables = new Map<string, { read: number; filtered: number; copied: number }>();
    const changes: Change[] = [];
    let newestAtMs: number | null = null;
    let lastTable: TableSchema | null = null;
    let compiled: CompiledTransform | null = null;
    let count = { read: 0, filtered: 0, copied: 0 };
    for (const change of batch.changes) {
      if (!isRowChange(change)) {
        const other = this.#other(change);
        if (other !== null) changes.push(other);
        continue;
      }
      if (change.table !== lastTable) {
        lastTable = change.table;
        compiled = this.#transforms.length === 0 ? null : this.#compile(lastTable);
        count = tables.get(lastTable.origin) ?? { read: 0, filtered: 0, copied: 0 };
        tables.set(lastTable.origin, count);
      }
      count.read += 1;
      if (change.kind === 'read') count.copied += 1;
      else newestAtMs = change.at.committedAtMs;
      const result = this.#transforms.length === 0 ? change : compiled && transformed(change, compiled);
      if (result === null) count.filtered += 1;
      else changes.push(result);
    }
    return { batch: { ...batch, changes }, counts: { tables, newestAtMs } };
  }

  /** A change without a row as the target gets it; null where a transform leaves its table out. */
  whole(change: Extract<Change, { kind: 'schema' | 'truncate' }>): typeof change | null {
    const other = this.#other(change);
    return other === null || other.kind === 'marker' || isRowChange(other) ? null : other;
  }

  #other(change: Exclude<Change, RowChange>): Change | null {
    if (change.kind === 'marker') return change;
    if (change.kind === 'truncate') {
      const table = this.table(change.table);
      return table === null ? null : { ...change, table };
    }
    const before = change.before === null ? null : this.table(change.before);
    const after = change.after === null ? null : this.table(change.after);
    return before === null && after === null ? null : { ...change, before, after };
  }

  #compile(table: TableSchema): CompiledTransform | null {
    const known = this.#compiled.get(table);
    if (known !== undefined) return known;
    const compiled = compileAll(this.#transforms, table);
    this.#compiled.set(table, compiled);
    return compiled;
  }
}

function transformed(change: RowChange, compiled: CompiledTransform): RowChange | null {
  const { table } = compiled;
  const { at } = change;
  const before = change.before === null ? null : compiled.row(valuesOf(change.before));
  const after = change.after === null ? null : compiled.row(valuesOf(change.after));
  if (after === null) return before === null ? null : { kind: 'delete', table, before, after: null, at };
  if (change.kind === 'read') return { kind: 'read', table, before: null, after, at };
  if (before === null) return { kind: 'insert', table, before: null, after, at };
  return { kind: 'update', table, before, after, at };
}

function compileAll(transforms: readonly Transform[], table: TableSchema): CompiledTransform | null {
  const steps: CompiledTransform[] = [];
  let current = table;
  for (const transform of transforms) {
    const compiled = transform.compile(current);
    if (compiled === null) return null;
    current = compiled.table;
    steps.push(compiled);
  }
  return {
    table: current,
    row(row) {
      let result: ReturnType<CompiledTransform['row']> = row;
      for (const step of steps) {
        if (result === null) return null;
        result = step.row(result);
      }
      return result;
    },
  };
}

export function isRowChange(change: Change): change is RowChange {
  return change.kind !== 'truncate' && change.kind !== 'schema' && change.kind !== 'marker';
}
