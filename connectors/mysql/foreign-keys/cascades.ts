import { cascadesOf, deletes, setsValues } from '../../../core/cascade.ts';
import type { Cascade, Moment, RowChange } from '../../../core/contracts.ts';
import { keysOnward, reachedFrom, tablesReached, type ForeignKey } from '../../../core/foreign-key.ts';
import type { TableSchema } from '../../../core/table.ts';
import type { Piece } from '../binlog/reader.ts';
import type { ForeignKeys } from './foreign-keys.ts';
import type { Gathered } from '../gathered.ts';
import type { Reshaping } from '../reshaping.ts';
import type { TableCopy } from '../snapshot/table-copy.ts';

export interface CascadesOptions {
  readonly foreignKeys: Pick<ForeignKeys, 'all'>;
  readonly copies: ReadonlyMap<string, TableCopy>;
  readonly gathered: Pick<Gathered, 'push'>;
  readonly reshaping: Pick<Reshaping, 'readAgain' | 'copyAgain'>;
}

/**
 * Adds to the stream what foreign keys did without its being logged. Where a table that it leads through is being copied, the target may lack the
 * rows that the way goes over: what lies behind them is copied again then.
 */
export class Cascades {
  readonly #options: CascadesOptions;
  #filtered: { readonly all: readonly ForeignKey[]; readonly byLeft: Map<string, readonly ForeignKey[]> } = {
    all: [],
    byLeft: new Map(),
  };

  constructor(options: CascadesOptions) {
    this.#options = options;
  }

  async follow(piece: Piece, change: RowChange): Promise<void> {
    const { foreignKeys, copies, gathered } = this.#options;
    const { all } = foreignKeys;
    const cascades = cascadesOf(change, all);
    if (cascades.length === 0) return;
    const again = copies.size === 0 ? [] : this.#again(piece, cascades);
    const held = copies.values().filter((copy) => copy.fate(piece) === 'drop');
    const left = new Set([...held.map(({ schema }) => schema.origin), ...again.map(({ origin }) => origin)]);
    const followed = left.size === 0 ? cascades : cascadesOf(change, this.#without(left, all));
    for (const cascade of followed) gathered.push(cascade);
    for (const table of again) await this.#mend(table, change.at);
  }

  /** The tables that are to be copied again. */
  #again(piece: Piece, cascades: readonly Cascade[]): readonly TableSchema[] {
    const { copies } = this.#options;
    const found = cascades.flatMap((cascade) => doubtful(cascade, (origin) => partOf(copies.get(origin), piece)));
    const byOrigin = new Map(found.map((table) => [table.origin, table]));
    return [...byOrigin.values()].filter(({ origin }) => copies.get(origin)?.fate(piece) !== 'drop');
  }

  /**
   * Without those that lead to these tables: to one whose copy shows the change what the cascade would find there has come since, and one that is
   * emptied and copied again may have rows where the cascade would put others, for its chunks are of other moments than the stream.
   */
  #without(left: ReadonlySet<string>, all: readonly ForeignKey[]): readonly ForeignKey[] {
    if (!all.some(({ child }) => left.has(child.origin))) return all;
    const name = [...left].toSorted().join();
    if (this.#filtered.all !== all) this.#filtered = { all, byLeft: new Map() };
    const known = this.#filtered.byLeft.get(name) ?? all.filter(({ child }) => !left.has(child.origin));
    this.#filtered.byLeft.set(name, known);
    return known;
  }

  async #mend(table: TableSchema, at: Moment): Promise<void> {
    const { copies, reshaping } = this.#options;
    if (copies.has(table.origin) && table.key.length === 0) await reshaping.readAgain(table.origin);
    else await reshaping.copyAgain(table, at);
  }
}

/** How much of the table as it was before the change the target has: `moment` where the table was read while the change was made. */
type Part = 'all' | 'some' | 'moment';

function partOf(copy: TableCopy | undefined, piece: Piece): Part {
  if (copy === undefined) return 'all';
  if (copy.between === null) return 'some';
  const fate = copy.fateAtOnce(piece);
  return fate === 'apply' ? 'all' : fate === 'again' ? 'moment' : 'some';
}

/**
 * The tables in which rows may be missed: those behind one of which the target has only a part. Also those of which rows get other values, for a row
 * that is not copied yet may come to stand among those that are, and those that were read in one go in that very moment.
 */
function doubtful(cascade: Cascade, part: (origin: string) => Part): TableSchema[] {
  const found = new Map<string, TableSchema>();
  const { table, columns, keys } = cascade;
  const sets = setsValues(cascade);
  const onward = keysOnward(keys, table, columns, deletes(cascade));
  const first = onward.map(({ child }) => child);
  const behind = first.flatMap((child) => [child, ...tablesReached(keys, child.origin)]);
  for (const middle of [table, ...behind]) {
    const there = part(middle.origin);
    if (there === 'all') continue;
    if (there === 'moment' || (sets && middle.key.length > 0)) found.set(middle.origin, middle);
    const next = middle === table ? behind : tablesReached(keys, middle.origin);
    for (const child of next)
      if (child.origin !== middle.origin || isCircularBeyond(keys, child)) found.set(child.origin, child);
  }
  return [...found.values()];
}

/** Whether the way from a table back to it goes over others. */
function isCircularBeyond(keys: readonly ForeignKey[], { origin }: TableSchema): boolean {
  return tablesReached(keys, origin).some(
    (child) => child.origin !== origin && reachedFrom(keys, child.origin).has(origin),
  );
}
