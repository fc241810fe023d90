import type { DeadLetter } from '../core/dead-letter.ts';
import type { TableSchema } from '../core/table.ts';
import type { PoliciesOf } from '../core/value-policy.ts';
import { geoJsonOf } from './geometry.ts';
import { type SetAside, setAside } from './letters.ts';
import { compareIntegers } from './number.ts';
import {
  EITHER_NULL,
  hasIntegerKey,
  type ComparedRow,
  type SourceReader,
  type TargetReader,
  type Text,
} from './row.ts';

/** One row that differs: where to look, and what is there only if it was asked for. */
export interface Sample {
  readonly key: string;
  /** The column, `(missing)` for a row that the target lacks, `(extra)` for one that the source lacks. */
  readonly column: string;
  readonly source?: Text;
  readonly target?: Text;
}

/** How one table of the source and what a target holds of it compare, in rows. Equal when the last four are 0. */
export interface TableResult {
  /** `database.table` at the source. */
  readonly table: string;
  /** In the source. */
  readonly rows: number;
  readonly matched: number;
  readonly mismatched: number;
  readonly missing: number;
  readonly extra: number;
  /** Rows whose key dead letters hold, equal or not: they are counted here alone. */
  readonly deadLettered: number;
  /** At most 5. */
  readonly samples: readonly Sample[];
  readonly ms: number;
}

export interface CompareOptions {
  /** Puts both values into the samples. Values of rows are not for logs. Default: false. */
  readonly values?: boolean;
  /** What the pipeline makes of values that the target cannot hold; by default of `defaultPolicies`. */
  readonly policiesOf?: PoliciesOf;
  /** What the target has set aside. */
  readonly deadLetters?: readonly Pick<DeadLetter, 'origin' | 'change'>[];
}

const SAMPLES = 5;

/**
 * Compares one table value by value, in bounded memory. Both sides are expected to stand still. By key: merged in key order where
 * the key is of integers, else the target is asked for the keys of each batch and its other rows are counted. A table without a key
 * is compared as a bag of rows: what differs is missing on one side and extra on the other.
 */
export async function compareTable(
  source: SourceReader,
  target: TargetReader,
  table: TableSchema,
  signal: AbortSignal,
  options: CompareOptions = {},
): Promise<TableResult> {
  const started = performance.now();
  const aside = setAside(table, options.deadLetters ?? []);
  const tally = new Tally(table, aside, options.values ?? false);
  if (table.key.length === 0) await compareBags(source, target, table, { tally, aside }, signal);
  else if (hasIntegerKey(table)) await compareMerged(source, target, table, tally, signal);
  else await compareByLookup(source, target, table, { tally, aside }, signal);
  return tally.result(Math.round(performance.now() - started));
}

async function compareMerged(
  source: SourceReader,
  target: TargetReader,
  table: TableSchema,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const theirs = new Stepper(target.rows(table, signal));
  try {
    for await (const batch of source.rows(table, signal)) {
      for (const row of batch) {
        let other = theirs.row ?? (await theirs.current());
        while (other !== null && compareKeys(other.key, row.key) < 0) {
          tally.extra(other);
          other = await theirs.after();
        }
        if (other === null || compareKeys(other.key, row.key) > 0) tally.missing(row);
        else {
          tally.both(row, other);
          theirs.step();
        }
      }
    }
    for (let other = await theirs.current(); other !== null; other = await theirs.after()) tally.extra(other);
  } finally {
    await theirs.close();
  }
}

interface Counting {
  readonly tally: Tally;
  readonly aside: SetAside;
}

async function compareByLookup(
  source: SourceReader,
  target: TargetReader,
  table: TableSchema,
  { tally, aside }: Counting,
  signal: AbortSignal,
): Promise<void> {
  let found = 0;
  const seen = new Set<string>();
  for await (const batch of source.rows(table, signal)) {
    const keys = batch.map((row) => row.key);
    const others = new Map((await target.lookup(table, keys, signal)).map((row) => [identity(row), row]));
    found += others.size;
    for (const row of batch) {
      if (aside.holds(row.key)) seen.add(identity(row));
      const other = others.get(identity(row));
      if (other === undefined) tally.missing(row);
      else tally.both(row, other);
    }
  }
  const held = aside.keys.length === 0 ? [] : await target.lookup(table, aside.keys, signal);
  const gone = held.filter((row) => !seen.has(identity(row)));
  for (const row of gone) tally.extra(row);
  tally.extras((await target.count(table, signal)) - found - gone.length);
}

/** Rows that met their equal are forgotten, so memory holds only what the other side has not shown yet. */
async function compareBags(
  source: SourceReader,
  target: TargetReader,
  table: TableSchema,
  { tally, aside }: Counting,
  signal: AbortSignal,
): Promise<void> {
  const open = new Map<string, number>();
  const count = (row: ComparedRow, by: number): void => {
    const text = JSON.stringify([row.values, row.surplus]);
    const now = (open.get(text) ?? 0) + by;
    if (now === 0) open.delete(text);
    else open.set(text, now);
  };
  const theirs = new Stepper(target.rows(table, signal));
  let rows = 0;
  try {
    for await (const batch of source.rows(table, signal)) {
      for (const row of batch) {
        count(row, 1);
        const other = theirs.row ?? (await theirs.current());
        if (other === null) continue;
        count(other, -1);
        theirs.step();
      }
      rows += batch.length;
    }
    for (let other = await theirs.current(); other !== null; other = await theirs.after()) count(other, -1);
  } finally {
    await theirs.close();
  }
  let set: Explained = { rows: 0, missing: 0 };
  for (const values of aside.rows) set = settled(open, JSON.stringify([values, null]), set);
  const sums = [...loosened(open, table).values()];
  const missing = sums.reduce((sum, n) => sum + Math.max(n, 0), 0);
  tally.bags(rows, missing, missing - sums.reduce((sum, n) => sum + n, 0), set);
}

/** Rows that letters explain, and those of them that the target lacks. */
interface Explained {
  readonly rows: number;
  readonly missing: number;
}

/** Takes a row out that only one side has, for a letter explains it. */
function settled(open: Map<string, number>, text: string, { rows, missing }: Explained): Explained {
  const now = open.get(text) ?? 0;
  if (now === 0) return { rows, missing };
  open.set(text, now > 0 ? now - 1 : now + 1);
  return { rows: rows + 1, missing: now > 0 ? missing + 1 : missing };
}

type OpenRow = readonly [values: readonly Text[], surplus: string | null];

/**
 * What is left of both bags. Where the target's rows are in forms of its own, as `sameValue` takes them, the source's are turned into
 * those, so that equal ones meet.
 */
function loosened(open: ReadonlyMap<string, number>, table: TableSchema): ReadonlyMap<string, number> {
  const kinds = table.columns.map((column) => column.type.kind);
  const rows = [...open].map(([text, n]) => ({ row: JSON.parse(text) as OpenRow, n }));
  const isLoose = (value: Text, i: number): boolean =>
    (kinds[i] === 'json' && value === EITHER_NULL) || (kinds[i] === 'geometry' && value?.startsWith('{') === true);
  if (!rows.some(({ row, n }) => n < 0 && row[0].some(isLoose))) return open;
  const sums = new Map<string, number>();
  for (const { row, n } of rows) {
    const form = JSON.stringify([row[0].map((value, i) => looseForm(kinds[i], value)), row[1]]);
    sums.set(form, (sums.get(form) ?? 0) + n);
  }
  return sums;
}

function looseForm(kind: string | undefined, value: Text): Text {
  if (kind === 'json') return value === null || value === 'null' ? EITHER_NULL : value;
  return kind === 'geometry' && value !== null ? (geoJsonOf(value) ?? value) : value;
}

/** Rows one by one out of batches. */
class Stepper {
  readonly #batches: AsyncIterator<readonly ComparedRow[]>;
  #batch: readonly ComparedRow[] = [];
  #at = 0;

  constructor(batches: AsyncIterable<readonly ComparedRow[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  /** The row we stand on; null where `current` must fetch the next batch first: so there is no promise per row. */
  get row(): ComparedRow | null {
    return this.#batch[this.#at] ?? null;
  }

  step(): void {
    this.#at += 1;
  }

  /** The row we stand on, fetched if need be; null at the end. */
  async current(): Promise<ComparedRow | null> {
    if (this.row !== null) return this.row;
    const next = await this.#batches.next();
    this.#batch = next.done === true ? [] : next.value;
    this.#at = 0;
    return this.row;
  }

  async after(): Promise<ComparedRow | null> {
    this.step();
    return await this.current();
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}

class Tally {
  readonly #table: TableSchema;
  readonly #withValues: boolean;
  readonly #samples: Sample[] = [];
  #rows = 0;
  #matched = 0;
  #mismatched = 0;
  #missing = 0;
  #extra = 0;
  #deadLettered = 0;
  readonly #aside: SetAside;

  constructor(table: TableSchema, aside: SetAside, withValues: boolean) {
    this.#table = table;
    this.#aside = aside;
    this.#withValues = withValues;
  }

  both(row: ComparedRow, other: ComparedRow): void {
    this.#rows += 1;
    if (this.#isHeld(row)) return;
    const { columns } = this.#table;
    const differs = columns.findIndex(({ type }, i) => !sameValue(type.kind, row.values[i], other.values[i]));
    if (differs < 0 && other.surplus === null) {
      this.#matched += 1;
      return;
    }
    this.#mismatched += 1;
    const column = columns[differs]?.name ?? other.surplus ?? '';
    this.#sample(row, column, row.values[differs] ?? null, other.values[differs] ?? null);
  }

  missing(row: ComparedRow): void {
    this.#rows += 1;
    if (this.#isHeld(row)) return;
    this.#missing += 1;
    this.#sample(row, '(missing)', null, null);
  }

  extra(row: ComparedRow): void {
    if (this.#isHeld(row)) return;
    this.#extra += 1;
    this.#sample(row, '(extra)', null, null);
  }

  #isHeld({ key }: ComparedRow): boolean {
    const held = this.#aside.holds(key);
    if (held) this.#deadLettered += 1;
    return held;
  }

  extras(count: number): void {
    this.#extra += count;
  }

  bags(rows: number, missing: number, extra: number, explained: Explained): void {
    this.#rows += rows;
    this.#matched += rows - missing - explained.missing;
    this.#deadLettered += explained.rows;
    this.#missing += missing;
    this.#extra += extra;
  }

  result(ms: number): TableResult {
    return {
      table: this.#table.origin,
      rows: this.#rows,
      matched: this.#matched,
      mismatched: this.#mismatched,
      missing: this.#missing,
      extra: this.#extra,
      deadLettered: this.#deadLettered,
      samples: this.#samples,
      ms,
    };
  }

  #sample(row: ComparedRow, column: string, source: Text, target: Text): void {
    if (this.#samples.length >= SAMPLES) return;
    const key = row.key.join();
    this.#samples.push(this.#withValues ? { key, column, source, target } : { key, column });
  }
}

/** A geometry may have become GeoJSON, which cannot be turned back: then the source's is turned as well. */
function sameValue(kind: string, source: Text | undefined, target: Text | undefined): boolean {
  if (source === target) return true;
  if (kind === 'json' && target === EITHER_NULL) return source === null || source === 'null';
  if (kind !== 'geometry' || typeof source !== 'string' || typeof target !== 'string') return false;
  return target.startsWith('{') && geoJsonOf(source) === target;
}

function compareKeys(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < b.length; i += 1) {
    const order = compareIntegers(a[i] ?? '0', b[i] ?? '0');
    if (order !== 0) return order;
  }
  return 0;
}

function identity(row: ComparedRow): string {
  return row.key.length === 1 ? (row.key[0] ?? '') : JSON.stringify(row.key);
}
