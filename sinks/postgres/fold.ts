import { LockstepError } from '../../core/errors.ts';
import type { Row, RowChange, Value } from '../../core/contracts.ts';
import { valueAt } from '../../core/row.ts';
import type { TableSchema } from '../../core/table.ts';

/** What a key is in a Map: equal for equal keys only. */
export type FoldKey = number | bigint | string | boolean;

/** Compiles the function from a row to its key. Null for tables without a key. */
export function keyOf(table: TableSchema): ((row: Row) => FoldKey) | null {
  const [first, ...rest] = table.key;
  if (first === undefined) return null;
  if (rest.length === 0) return (row) => single(table, valueAt(row, first));
  return (row) => {
    let key = '';
    for (const index of table.key) {
      const text = String(single(table, valueAt(row, index)));
      key += `${String(text.length)}:${text}`;
    }
    return key;
  };
}

function single(table: TableSchema, value: Value): FoldKey {
  if (value === null) {
    throw new LockstepError('TARGET_ROW_REFUSED', `a row of ${table.origin} has NULL in its key`);
  }
  return value instanceof Uint8Array
    ? Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
    : value;
}

const KINDS = ['deletes', 'upserts', 'updates', 'inserts'] as const;

/**
 * The changes of one table in one segment, folded to the last per key (G2): each key is in at most one of the four maps.
 * Applied as deletes, upserts, updates and inserts, they leave what the changes would have left one by one.
 */
export class Folded {
  readonly table: TableSchema;
  readonly deletes = new Map<FoldKey, RowChange>();
  readonly upserts = new Map<FoldKey, RowChange>();
  /** Updates that touch only a row that is there. */
  readonly updates = new Map<FoldKey, RowChange>();
  /** Rows that were not there before, as far as the source knows: a target may have them from a copy that ran meanwhile. */
  readonly inserts = new Map<FoldKey, RowChange>();
  readonly #keyOf: (row: Row) => FoldKey;
  readonly #copying: boolean;

  constructor(table: TableSchema, keyOf: (row: Row) => FoldKey, copying: boolean) {
    this.table = table;
    this.#keyOf = keyOf;
    this.#copying = copying;
  }

  get size(): number {
    return KINDS.reduce((sum, kind) => sum + this[kind].size, 0);
  }

  /** The same in parts of about one size, each of keys that lie together. */
  split(count: number): Folded[] {
    const parts = Array.from({ length: count }, () => new Folded(this.table, this.#keyOf, this.#copying));
    for (const kind of KINDS) {
      let at = 0;
      for (const [key, change] of this[kind]) {
        parts[Math.floor((at * count) / this[kind].size)]?.[kind].set(key, change);
        at += 1;
      }
    }
    return parts;
  }

  add(change: RowChange): void {
    switch (change.kind) {
      case 'read':
        return this.#upsert(this.#keyOf(change.after), change);
      case 'insert':
        return this.#insert(this.#keyOf(change.after), change);
      case 'delete':
        return this.#delete(this.#keyOf(change.before), change);
      case 'update':
        return this.#update(change);
    }
  }

  #update(change: RowChange & { kind: 'update' }): void {
    const before = this.#keyOf(change.before);
    const after = this.#keyOf(change.after);
    if (before !== after) {
      this.#delete(before, change);
      this.#upsert(after, change);
    } else if (this.inserts.has(after)) this.inserts.set(after, change);
    else if (!this.#copying || this.upserts.has(after)) this.#upsert(after, change);
    else if (!this.deletes.has(after)) this.updates.set(after, change);
  }

  #insert(key: FoldKey, change: RowChange): void {
    const isNew = !this.#copying && !this.deletes.has(key) && !this.upserts.has(key);
    if (isNew) this.inserts.set(key, change);
    else this.#upsert(key, change);
  }

  #upsert(key: FoldKey, change: RowChange): void {
    this.inserts.delete(key);
    this.deletes.delete(key);
    this.updates.delete(key);
    this.upserts.set(key, change);
  }

  #delete(key: FoldKey, change: RowChange): void {
    this.inserts.delete(key);
    this.upserts.delete(key);
    this.updates.delete(key);
    this.deletes.set(key, change);
  }
}
