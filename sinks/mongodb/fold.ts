import type { Batch, Cascade, Change, Row, RowChange } from '../../core/contracts.ts';
import type { TableSchema } from '../../core/table.ts';
import type { Destination } from './destination.ts';
import type { RowKey } from './documents.ts';

/**
 * What becomes of one `_id`. `insert`: the key is new as far as we know, else it is replaced. `replace`: there or not. `update`: only
 * where the row is there (its table is being copied and the row comes with its chunk).
 */
export interface KeyedWrite {
  fate: 'insert' | 'replace' | 'update' | 'delete';
  to: Destination;
  /** The row as it is to be; for a delete one that has the key. */
  row: Row;
}

/** A change of a table without a key; these keep their order. `must`: a row with the old values has to be there, for the table is copied. */
export type UnkeyedWrite =
  | { readonly fate: 'insert'; readonly to: Destination; readonly row: Row }
  | {
      readonly fate: 'replace';
      readonly to: Destination;
      readonly before: Row;
      readonly row: Row;
      readonly must: boolean;
    }
  | { readonly fate: 'delete'; readonly to: Destination; readonly before: Row; readonly must: boolean };

/** Writes that may go side by side and in any order, but for the unkeyed ones among themselves. */
export interface Segment {
  readonly keyed: readonly KeyedWrite[];
  readonly unkeyed: readonly UnkeyedWrite[];
}

export type SchemaChange = Change & { readonly kind: 'schema' };
type Truncate = Change & { readonly kind: 'truncate' };
export type Step =
  | { readonly kind: 'rows'; readonly segment: Segment }
  | { readonly kind: 'cascade'; readonly change: Cascade }
  | { readonly kind: 'truncate'; readonly change: Truncate }
  | { readonly kind: 'schema'; readonly change: SchemaChange };

/**
 * A batch as steps in order: between truncates, schema changes and cascades only the last change of each `_id` counts (G2: a row that moved to
 * another key is a delete of the old and an insert of the new).
 */
export function stepsOf(batch: Batch, destination: (table: TableSchema) => Destination): Step[] {
  const steps: Step[] = [];
  let folding = new Folding(batch.copying, destination);
  const close = (): void => {
    const segment = folding.segment();
    if (segment.keyed.length > 0 || segment.unkeyed.length > 0) steps.push({ kind: 'rows', segment });
    folding = new Folding(batch.copying, destination);
  };
  for (const change of batch.changes) {
    if (change.kind === 'marker') continue;
    if (change.kind === 'truncate' || change.kind === 'schema' || change.kind === 'cascade') {
      close();
      steps.push(stepOf(change));
    } else {
      folding.add(change);
    }
  }
  close();
  return steps;
}

function stepOf(change: Truncate | SchemaChange | Cascade): Step {
  switch (change.kind) {
    case 'truncate':
      return { kind: 'truncate', change };
    case 'schema':
      return { kind: 'schema', change };
    case 'cascade':
      return { kind: 'cascade', change };
  }
}

class Folding {
  readonly #copying: ReadonlySet<string>;
  readonly #destination: (table: TableSchema) => Destination;
  readonly #places = new Map<string, Map<RowKey, KeyedWrite>>();
  readonly #unkeyed: UnkeyedWrite[] = [];
  #table: TableSchema | null = null;
  #to: Destination | null = null;
  #writes = new Map<RowKey, KeyedWrite>();

  constructor(copying: ReadonlySet<string>, destination: (table: TableSchema) => Destination) {
    this.#copying = copying;
    this.#destination = destination;
  }

  segment(): Segment {
    const keyed: KeyedWrite[] = [];
    for (const writes of this.#places.values()) for (const write of writes.values()) keyed.push(write);
    return { keyed, unkeyed: this.#unkeyed };
  }

  add(change: RowChange): void {
    const to = this.#turnTo(change.table);
    if (!to.documents.keyed) this.#unkeyed.push(unkeyed(change, to, !this.#copying.has(change.table.origin)));
    else if (change.kind === 'delete') this.#delete(to, to.documents.key(change.before), change.before);
    else if (change.kind === 'update') this.#update(to, change.before, change.after);
    else this.#insert(to, to.documents.key(change.after), change.after);
  }

  #turnTo(table: TableSchema): Destination {
    if (table === this.#table && this.#to !== null) return this.#to;
    const to = this.#destination(table);
    let writes = this.#places.get(to.place);
    if (writes === undefined) {
      writes = new Map();
      this.#places.set(to.place, writes);
    }
    this.#table = table;
    this.#to = to;
    this.#writes = writes;
    return to;
  }

  #update(to: Destination, before: Row, after: Row): void {
    const key = to.documents.key(after);
    const old = to.documents.key(before);
    if (old !== key) {
      this.#delete(to, old, before);
      this.#insert(to, key, after);
      return;
    }
    const earlier = this.#writes.get(key);
    const onlyThere = this.#copying.has(to.documents.table.origin);
    if (earlier === undefined) this.#writes.set(key, { fate: onlyThere ? 'update' : 'replace', to, row: after });
    else if (earlier.fate !== 'delete') this.#amend(earlier, earlier.fate, to, after);
    else if (!onlyThere) this.#amend(earlier, 'replace', to, after);
  }

  #insert(to: Destination, key: RowKey, row: Row): void {
    const earlier = this.#writes.get(key);
    if (earlier === undefined) this.#writes.set(key, { fate: 'insert', to, row });
    else this.#amend(earlier, earlier.fate === 'insert' ? 'insert' : 'replace', to, row);
  }

  #delete(to: Destination, key: RowKey, row: Row): void {
    const earlier = this.#writes.get(key);
    if (earlier === undefined) this.#writes.set(key, { fate: 'delete', to, row });
    else this.#amend(earlier, 'delete', to, row);
  }

  #amend(write: KeyedWrite, fate: KeyedWrite['fate'], to: Destination, row: Row): void {
    write.fate = fate;
    write.to = to;
    write.row = row;
  }
}

function unkeyed(change: RowChange, to: Destination, must: boolean): UnkeyedWrite {
  if (change.kind === 'delete') return { fate: 'delete', to, before: change.before, must };
  if (change.kind !== 'update') return { fate: 'insert', to, row: change.after };
  return { fate: 'replace', to, before: change.before, row: change.after, must };
}
