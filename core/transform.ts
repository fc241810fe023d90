import type { Batch, Cascade, Change, ColumnOrigin, CompiledTransform, RowChange, Transform } from './contracts.ts';
import type { ForeignKey } from './foreign-key.ts';
import { CascadeMerger } from './merge-cascades.ts';
import type { BatchCounts } from './progress.ts';
import { valuesOf, type Values } from './row.ts';
import type { IndexedTable, IndexPart, LostIndex } from './secondary-index.ts';
import type { TableSchema } from './table.ts';

/** An ordered list of transforms as one function over batches, compiled once per table schema. */
export class Transforms {
  readonly #transforms: readonly Transform[];
  readonly #compiled = new WeakMap<TableSchema, CompiledTransform | null>();
  readonly #keys = new WeakMap<readonly ForeignKey[], readonly ForeignKey[]>();

  constructor(transforms: readonly Transform[]) {
    this.#transforms = transforms;
  }

  /** The table as the target gets it; null when a transform leaves it out. */
  table(table: TableSchema): TableSchema | null {
    return this.#transforms.length === 0 ? table : (this.#compile(table)?.table ?? null);
  }

  /** What becomes of a table and its rows; null where a transform leaves it out. */
  compiled(table: TableSchema): CompiledTransform | null {
    return this.#compile(table);
  }

  /** Whether the target can tell rows of the table apart by the column as the source can. */
  hasColumn(table: TableSchema, index: number): boolean {
    const compiled = this.#compile(table);
    return compiled !== null && carriedColumn(compiled, index) !== null;
  }

  /** A table and its indexes as the target gets them, and those that it cannot have; null where a transform leaves the table out. */
  indexes({ table, indexes }: IndexedTable): (IndexedTable & { readonly lost: readonly LostIndex[] }) | null {
    const compiled = this.#compile(table);
    if (compiled === null) return null;
    const lost: LostIndex[] = [];
    const carried = indexes.flatMap((index) => {
      const parts = index.parts.map((part) => carriedPart(compiled, part));
      const whole = parts.filter((part) => part !== null);
      if (whole.length === parts.length) return [{ ...index, parts: whole }];
      lost.push({ name: index.name, reason: 'a transform leaves one of its columns out, or makes it anew' });
      return [];
    });
    return { table: compiled.table, indexes: carried, lost };
  }

  /** The batch as the target gets it, with the counts of what was read and filtered. */
  batch(batch: Batch): { batch: Batch; counts: BatchCounts } {
    const tables = new Map<string, { read: number; filtered: number; copied: number }>();
    const changes: Change[] = [];
    let newestAtMs: number | null = null;
    let lastTable: TableSchema | null = null;
    let compiled: CompiledTransform | null = null;
    let count = { read: 0, filtered: 0, copied: 0 };
    const cascades = new CascadeMerger(changes);
    for (const change of batch.changes) {
      if (change.kind === 'cascade') {
        const cascade = this.#cascade(change);
        if (cascade !== null) cascades.add(cascade);
        continue;
      }
      if (!isRowChange(change)) {
        cascades.flush();
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
      if (result === null) {
        count.filtered += 1;
        continue;
      }
      cascades.before(result);
      changes.push(result);
    }
    cascades.flush();
    return { batch: { ...batch, changes }, counts: { tables, newestAtMs } };
  }

  /** A change without a row as the target gets it; null where a transform leaves its table out. */
  whole(change: Extract<Change, { kind: 'schema' | 'truncate' }>): typeof change | null {
    const other = this.#other(change);
    return other === null || other.kind === 'marker' || other.kind === 'cascade' || isRowChange(other) ? null : other;
  }

  /** The foreign keys as the target has them; those that lead through what transforms made of their columns are missing. */
  keys(keys: readonly ForeignKey[]): readonly ForeignKey[] {
    if (this.#transforms.length === 0) return keys;
    const known = this.#keys.get(keys);
    if (known !== undefined) return known;
    const carried = keys.flatMap((key) => this.#key(key) ?? []);
    this.#keys.set(keys, carried);
    return carried;
  }

  /** Null where the rows that it is about are not in the target, or cannot be found there. */
  #cascade(cascade: Cascade): Cascade | null {
    if (this.#transforms.length === 0) return cascade;
    const { table, columns } = cascade;
    const child = this.#compile(table);
    if (child === null) return null;
    const carried = columns.map((index) => carriedColumn(child, index));
    if (carried.some((column) => column === null)) return null;
    const through = (row: Values): Values => row.map((value, i) => carried[i]?.value?.(value) ?? value);
    return {
      ...cascade,
      table: child.table,
      columns: carried.map((column) => column?.index ?? -1),
      rows: cascade.rows.map(({ before, after }) => ({ before: through(before), after: after && through(after) })),
      keys: this.keys(cascade.keys),
    };
  }

  #key(key: ForeignKey): ForeignKey | null {
    const [child, parent] = [this.#compile(key.child), this.#compile(key.parent)];
    if (child === null || parent === null) return null;
    const columns = key.columns.map((index) => carriedColumn(child, index));
    const references = key.references.map((index) => carriedColumn(parent, index));
    const alike = columns.every((column, i) => column !== null && column.form === references[i]?.form);
    if (!alike) return null;
    const indexes = (all: typeof columns): number[] => all.map((column) => column?.index ?? -1);
    return {
      ...key,
      child: child.table,
      columns: indexes(columns),
      parent: parent.table,
      references: indexes(references),
    };
  }

  #other(change: Exclude<Change, RowChange | Cascade>): Change | null {
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
  let columns: readonly (ColumnOrigin | null)[] = table.columns.map((_, from) => asItIs(from));
  for (const transform of transforms) {
    const compiled = transform.compile(current);
    if (compiled === null) return null;
    current = compiled.table;
    columns = compiled.columns?.map((column) => column && after(columns[column.from] ?? null, column)) ?? columns;
    steps.push(compiled);
  }
  return {
    table: current,
    columns,
    filters: steps.some(({ filters }) => filters === true),
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

function asItIs(from: number): ColumnOrigin {
  return { from, form: null, value: null };
}

/** A column made of one that was made of one. */
function after(first: ColumnOrigin | null, then: ColumnOrigin): ColumnOrigin | null {
  if (first === null) return null;
  const [inner, outer] = [first.value, then.value];
  if (outer === null) return first;
  if (inner === null) return { from: first.from, form: then.form, value: outer };
  return { from: first.from, form: `${first.form ?? ''} ${then.form ?? ''}`, value: (value) => outer(inner(value)) };
}

/** Where a column of the source's table went, and as what. */
function carriedColumn({ columns }: CompiledTransform, from: number): (ColumnOrigin & { index: number }) | null {
  const index = columns?.findIndex((column) => column?.from === from) ?? from;
  const column = columns === undefined ? asItIs(from) : (columns[index] ?? null);
  return column && { ...column, index };
}

/** Null where the target has no column for it. */
function carriedPart(compiled: CompiledTransform, part: IndexPart): IndexPart | null {
  if (part.column === null) return part;
  const column = carriedColumn(compiled, part.column);
  return column && { ...part, column: column.index };
}

export function isRowChange(change: Change): change is RowChange {
  return (
    change.kind !== 'truncate' && change.kind !== 'schema' && change.kind !== 'marker' && change.kind !== 'cascade'
  );
}
