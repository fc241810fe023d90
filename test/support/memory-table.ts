import type { Change, Values, RowChange, Value } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { valuesOf } from '../../core/row.ts';
import type { TableSchema } from '../../core/table.ts';

/** The rows of one table by key; equal rows of a table without a key are kept as often as they were written. */
export class MemoryTable {
  readonly #schema: TableSchema;
  readonly #isStrict: boolean;
  readonly #rows = new Map<string, Values[]>();

  /** `isStrict`: a cascade that gives a row the place of another one is an error, as in a database. */
  constructor(schema: TableSchema, isStrict = false) {
    this.#schema = schema;
    this.#isStrict = isStrict;
  }

  rows(): Values[] {
    return [...this.#rows.values()].flat();
  }

  /** `copying`: the table's copy is not consistent yet, so an update touches only a row that is there. */
  write(change: RowChange | Extract<Change, { kind: 'truncate' }>, copying: boolean): void {
    switch (change.kind) {
      case 'truncate':
        this.#rows.clear();
        return;
      case 'read':
      case 'insert':
        this.#put(valuesOf(change.after));
        return;
      case 'delete':
        this.#remove(valuesOf(change.before));
        return;
      case 'update': {
        const [before, after] = [valuesOf(change.before), valuesOf(change.after)];
        const there = this.#remove(before);
        if (there || this.#key(before) !== this.#key(after) || !copying) this.#put(after);
      }
    }
  }

  /** Deletes the rows with these values, or gives them others; gives the changes that makes. */
  cascade(
    columns: readonly number[],
    values: Values,
    after: Values | null,
  ): ({ kind: 'delete'; before: Values; after: null } | { kind: 'update'; before: Values; after: Values })[] {
    const found = this.rows().filter((row) => rowText(columns.map((i) => row[i] ?? null)) === rowText(values));
    for (const row of found) this.#remove(row);
    return found.map((before) => {
      if (after === null) return { kind: 'delete', before, after };
      const changed = before.map((value, i) => (columns.includes(i) ? (after[columns.indexOf(i)] ?? null) : value));
      if (this.#isStrict && this.#schema.key.length > 0 && this.#rows.has(this.#key(changed)))
        throw new LockstepError('TARGET_ROW_REFUSED', `${this.#schema.origin}: a row with this key is there`);
      this.#put(changed);
      return { kind: 'update', before, after: changed };
    });
  }

  /** The same rows under another schema: columns are matched by name, new ones are NULL. */
  reshaped(schema: TableSchema): MemoryTable {
    const table = new MemoryTable(schema, this.#isStrict);
    const from = schema.columns.map(({ name }) => this.#schema.columns.findIndex((column) => column.name === name));
    for (const row of this.rows()) table.#put(from.map((i) => row[i] ?? null));
    return table;
  }

  #put(row: Values): void {
    if (row.length !== this.#schema.columns.length)
      throw new LockstepError('TARGET_SCHEMA', `${this.#schema.origin}: a row has ${row.length} values`);
    const key = this.#key(row);
    const equal = this.#schema.key.length === 0 ? (this.#rows.get(key) ?? []) : [];
    this.#rows.set(key, [...equal, row]);
  }

  #remove(row: Values): boolean {
    const key = this.#key(row);
    const [, ...rest] = this.#rows.get(key) ?? [];
    const there = this.#rows.has(key);
    if (rest.length > 0) this.#rows.set(key, rest);
    else this.#rows.delete(key);
    return there;
  }

  #key(row: Values): string {
    const { key } = this.#schema;
    return key.length === 0 ? rowText(row) : rowText(key.map((i) => row[i] ?? null));
  }
}

/** A row as text: equal for equal canonical values and for no others (-0 is not 0). */
export function rowText(row: Values): string {
  return row.map(valueText).join(' | ');
}

function valueText(value: Value): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`;
  return Object.is(value, -0) ? '-0' : String(value);
}
