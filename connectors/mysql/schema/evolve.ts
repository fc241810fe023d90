import { tableSchema, type Column, type TableSchema } from '../../../core/table.ts';
import type { Operation } from './alter-table.ts';
import type { Definition } from './column-definition.ts';

/** One column on its way through a statement. */
interface Entry {
  /** As it was before; null for a column that is new. */
  readonly was: Column | null;
  /** As it is; null where it is dropped. */
  now: Column | null;
}

/** What became of a table, and of which of its columns what. */
export interface Evolved {
  readonly table: TableSchema;
  /** From the names before to those after, where they differ. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Names before. A column that is dropped and added again in one statement is in here, and in the table. */
  readonly dropped: ReadonlySet<string>;
  /** The key is a unique key that stands in for a primary one, so an index that goes may take it along. */
  readonly standIn: boolean;
  /** An index is gone that may have been the key. */
  readonly keyInDoubt: boolean;
}

/**
 * Applies a statement's operations to a table. Names are found as the servers find them: columns by their names before the statement and
 * without regard to case. What is done already is passed over, for a table that is new here may be ahead of the stream. Null where an
 * operation does not fit or is not understood.
 */
export function evolve(before: TableSchema, standIn: boolean, operations: readonly Operation[]): Evolved | null {
  const work = new Evolution(before, standIn);
  return operations.every((operation) => work.apply(operation)) ? work.result() : null;
}

class Evolution {
  readonly #before: TableSchema;
  readonly #entries: Entry[];
  #key: (Entry | string)[];
  #primary: boolean;
  #charset: string | null = null;
  #keyInDoubt = false;

  constructor(before: TableSchema, standIn: boolean) {
    this.#before = before;
    this.#primary = before.key.length > 0 && !standIn;
    this.#entries = before.columns.map((column) => ({ was: column, now: column }));
    this.#key = before.key.flatMap((index) => this.#entries[index] ?? []);
  }

  apply(operation: Operation): boolean {
    switch (operation.kind) {
      case 'add':
        this.#add(operation.definition);
        return true;
      case 'drop':
        this.#drop(operation.name);
        return true;
      case 'change':
        return this.#change(operation.from, operation.definition) || operation.ifExists;
      case 'rename':
        return this.#rename(operation.from, operation.to) || operation.ifExists;
      case 'default':
        return this.#amend(operation.name, operation.value) || operation.ifExists;
      case 'convert':
        for (const entry of this.#entries) entry.now = entry.now && converted(entry.now, operation.charset ?? '');
        return true;
      case 'charset':
        this.#charset = operation.charset;
        return true;
      case 'add-key':
        if (operation.primary || (this.#key.length === 0 && this.#areNotNull(operation.columns)))
          this.#key = [...operation.columns];
        this.#primary ||= operation.primary;
        return true;
      case 'drop-primary-key':
        if (this.#primary) this.#key = [];
        this.#primary = false;
        return true;
      case 'drop-index':
        this.#keyInDoubt ||= !this.#primary;
        return true;
      case 'rename-table':
        return true;
      case 'unknown':
        return false;
    }
  }

  result(): Evolved {
    const alive = this.#entries.filter((entry) => entry.now !== null);
    const columns = alive.flatMap(({ was, now }) => (now === null ? [] : [this.#settled(now, was)]));
    const key = this.#key
      .map((part) => (typeof part === 'string' ? indexOf(columns, part) : alive.indexOf(part)))
      .filter((index) => index >= 0);
    // A primary key makes its columns NOT NULL; a unique one with columns that may be NULL tells no rows apart.
    const made = columns.map((column, i) =>
      this.#primary && key.includes(i) && column.nullable ? { ...column, nullable: false } : column,
    );
    const usable = key.every((index) => made[index]?.nullable === false) ? key : [];
    const { database, name, origin } = this.#before;
    return {
      table: tableSchema({ database, name, origin, columns: made, key: usable }),
      renamed: new Map(
        alive.flatMap(({ was, now }): [string, string][] =>
          was !== null && now !== null && was.name !== now.name ? [[was.name, now.name]] : [],
        ),
      ),
      dropped: new Set(this.#entries.flatMap(({ was, now }) => (was !== null && now === null ? [was.name] : []))),
      standIn: usable.length > 0 && !this.#primary,
      keyInDoubt: this.#keyInDoubt && !this.#primary,
    };
  }

  /** The table's default goes to columns that have none of their own, if this statement names one. */
  #settled(column: Column, was: Column | null): Column {
    if (column === was || column.charset !== '' || this.#charset === null) return column;
    return { ...column, charset: this.#charset };
  }

  #add({ column, place }: Definition): void {
    const there = this.#named(column.name);
    if (there !== undefined) return;
    this.#place({ was: null, now: column }, place);
  }

  #drop(name: string): void {
    const entry = this.#was(name);
    if (entry !== undefined) entry.now = null;
  }

  #change(from: string, { column, place, key }: Definition): boolean {
    const entry = this.#was(from) ?? this.#named(column.name);
    if (entry === undefined) return false;
    const kept = same(from, column.name) ? (entry.now?.name ?? column.name) : column.name;
    entry.now = { ...column, name: kept };
    if (key !== null) this.apply({ kind: 'add-key', columns: [kept], primary: key === 'primary' });
    if (place === null) return true;
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#place(entry, place);
    return true;
  }

  #rename(from: string, to: string): boolean {
    const entry = this.#was(from) ?? this.#named(to);
    if (entry === undefined || entry.now === null) return false;
    entry.now = { ...entry.now, name: to };
    return true;
  }

  #amend(name: string, value: string | null): boolean {
    const entry = this.#was(name) ?? this.#named(name);
    if (entry === undefined || entry.now === null) return false;
    entry.now = { ...entry.now, default: value };
    return true;
  }

  #place(entry: Entry, place: Definition['place']): void {
    const after =
      place === null || place === 'first' ? undefined : (this.#named(place.after) ?? this.#was(place.after));
    if (place === 'first') this.#entries.unshift(entry);
    else if (after === undefined) this.#entries.push(entry);
    else this.#entries.splice(this.#entries.indexOf(after) + 1, 0, entry);
  }

  /** The column that had this name before the statement. */
  #was(name: string): Entry | undefined {
    return this.#entries.find(({ was, now }) => was !== null && now !== null && same(was.name, name));
  }

  /** The column that has this name now. */
  #named(name: string): Entry | undefined {
    return this.#entries.find(({ now }) => now !== null && same(now.name, name));
  }

  #areNotNull(names: readonly string[]): boolean {
    return names.every((name) => this.#named(name)?.now?.nullable === false);
  }
}

function converted(column: Column, charset: string): Column {
  return column.charset === null || column.type.kind === 'json' ? column : { ...column, charset };
}

function indexOf(columns: readonly Column[], name: string): number {
  return columns.findIndex((column) => same(column.name, name));
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
