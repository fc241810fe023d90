import type { Cascade, Change, Referring, RowChange } from './contracts.ts';
import { deletes, setsValues, textOf, valuesAt } from './cascade.ts';
import { reachedFrom } from './foreign-key.ts';
import type { Row } from './row.ts';

/** Cascades by one key that are done at once. */
interface Pending {
  cascade: Cascade;
  readonly sets: boolean;
  readonly rows: Referring[];
  readonly olds: Set<string>;
  readonly news: Set<string>;
}

/**
 * Puts cascades together, so that many deleted parents are one statement at the target and not one each. A cascade waits for more of its key while
 * what comes is a change that it would leave alone, and that would leave it alone: what is left is the same then.
 */
export class CascadeMerger {
  #pending: Pending[] = [];
  readonly #out: Change[];

  constructor(out: Change[]) {
    this.#out = out;
  }

  add(cascade: Cascade): void {
    const sets = setsValues(cascade);
    if (this.#pending.some((pending) => pending.sets !== sets)) this.flush();
    const there = this.#pending.find((pending) => isAlike(pending.cascade, cascade));
    if (there !== undefined && this.#joins(there, cascade)) {
      for (const rows of cascade.rows) note(there, rows);
      there.cascade = { ...there.cascade, at: cascade.at };
      return;
    }
    if (there !== undefined) this.flush();
    const pending: Pending = { cascade, sets, rows: [], olds: new Set(), news: new Set() };
    for (const rows of cascade.rows) note(pending, rows);
    this.#pending.push(pending);
  }

  /** Call before a change of a row goes to `out`. */
  before(change: RowChange): void {
    if (this.#pending.length > 0 && this.#pending.some((pending) => meets(pending, change))) this.flush();
  }

  /** Lets everything go to `out` that waits. */
  flush(): void {
    for (const { cascade, rows } of this.#pending) this.#out.push({ ...cascade, rows });
    this.#pending = [];
  }

  /** Whether it may be done together with one before it, and so before those that came in between. */
  #joins(there: Pending, { table, keys, rows }: Cascade): boolean {
    const later = this.#pending.slice(this.#pending.indexOf(there) + 1);
    if (!there.sets)
      return later.every(
        ({ cascade }) => cascade.table.origin !== table.origin || (deletes(cascade) && deletes(there.cascade)),
      );
    const mine = reach(table.origin, keys);
    if (later.some(({ cascade }) => !mine.isDisjointFrom(reach(cascade.table.origin, keys)))) return false;
    return rows.every(({ before, after }) => {
      const [old, now] = [textOf(before), textOf(after ?? [])];
      return ![old, now].some((text) => there.olds.has(text) || there.news.has(text));
    });
  }
}

function isAlike(a: Cascade, b: Cascade): boolean {
  return a.table === b.table && a.keys === b.keys && deletes(a) === deletes(b) && a.columns.join() === b.columns.join();
}

function reach(origin: string, keys: Cascade['keys']): ReadonlySet<string> {
  return new Set([origin, ...reachedFrom(keys, origin)]);
}

function note({ rows, olds, news, sets }: Pending, referring: Referring): void {
  const old = textOf(referring.before);
  if (olds.has(old) && !sets) return;
  rows.push(referring);
  olds.add(old);
  if (sets) news.add(textOf(referring.after ?? []));
}

function isMoved({ before, after }: RowChange, key: readonly number[]): boolean {
  const text = (row: Row | null): string => textOf(row === null ? [] : valuesAt(row, key));
  return text(before) !== text(after);
}

/** Whether the order of the two matters. */
function meets({ cascade, olds, news, sets }: Pending, change: RowChange): boolean {
  const { table, columns, keys } = cascade;
  const { origin, key } = change.table;
  const onward = reachedFrom(keys, table.origin);
  if (origin !== table.origin && !onward.has(origin)) return false;
  // A row without a key is known by all its values, which the cascade may have changed.
  if (key.length === 0 && change.kind !== 'insert') return true;
  if (origin === table.origin) {
    if (change.table !== table) return true;
    const refers = (row: Row | null): boolean => {
      const text = row === null ? '' : textOf(valuesAt(row, columns));
      return olds.has(text) || news.has(text);
    };
    if (refers(change.before) || refers(change.after)) return true;
    // It may take the place of a row that the cascade has yet to find its way from.
    if (onward.size > 0 && change.after !== null && (change.before === null || isMoved(change, key))) return true;
  }
  return onward.has(origin) && (sets || change.kind !== 'delete');
}
