import type { Checkpoint } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { Progress } from '../../core/progress.ts';
import type { TableSchema } from '../../core/table.ts';
import type { CatalogTable } from './catalog/catalog.ts';
import type { Server } from './connection/server.ts';
import type { DeclaredKey } from './foreign-keys/declared-keys.ts';
import { ForeignKeys, foreignKeysEntry, formatForeignKeys, parseForeignKeys } from './foreign-keys/foreign-keys.ts';
import { hasDone, type History } from './position/history.ts';
import { formatPosition, parsePosition, type Place, type Position } from './position/position.ts';
import { namedOf, type NamedTable } from './schema/ddl.ts';
import { keyOf } from './schema/steps.ts';
import { isCircular } from './snapshot/order.ts';
import { conditionOf } from './snapshot/condition.ts';
import { storedPaused, type Paused } from './snapshot/paused.ts';
import { rangeEntries, storedRanges, type Range } from './snapshot/ranges.ts';
import { TableCopy } from './snapshot/table-copy.ts';
import {
  everyTable,
  formatTable,
  parseTable,
  streamEntry,
  tableEntry,
  tableTokens,
  type StoredTable,
  type Tables,
} from './tables.ts';

export interface Known {
  readonly catalog: readonly CatalogTable[];
  /** The target's tokens. */
  readonly entries: ReadonlyMap<string, string>;
  readonly start: Position;
  readonly server: Server;
  /** What the server has done; null where the pipeline begins on it. */
  readonly history: History | null;
  /** The end of its log, read behind the history. */
  readonly end: Place;
  /** The foreign keys as they are now. */
  readonly declared: readonly DeclaredKey[];
}

export interface Restored {
  /** Copies to make or go on with. */
  readonly copies: Map<string, TableCopy>;
  /** The entries that make a new pipeline's beginning durable; null where the target holds them already. */
  readonly first: Checkpoint | null;
  /** Tables in copy whose chunks show what this server has not done: they are emptied and copied again. */
  readonly emptied: readonly TableSchema[];
  /** Tables of which the target knows nothing. */
  readonly newcomers: readonly NamedTable[];
  readonly foreignKeys: ForeignKeys;
  readonly paused: Paused;
}

/** Fills `tables` with what the target's tokens and the catalog say together. */
export function restore(tables: Tables, progress: Progress, known: Known): Restored {
  const { catalog, entries, start, declared } = known;
  const copies = new Map<string, TableCopy>();
  const paused = storedPaused(entries);
  const newcomers: NamedTable[] = [];
  const emptied: TableSchema[] = [];
  const storedKeys = entries.get(foreignKeysEntry);
  const foreignKeys = new ForeignKeys(tables, storedKeys === undefined ? declared : parseForeignKeys(storedKeys));
  const fresh = !entries.has(streamEntry);
  const { tokens, old } = tableTokens(entries);
  const set = new Map<string, string>();
  for (const { schema, standIn, estimatedRows } of catalog) {
    const { origin } = schema;
    const token = tokens.get(origin);
    const stored = token === undefined ? undefined : parseTable(token);
    if (stored === null) continue;
    // What came since may have had another name; the log will tell.
    if (stored === undefined && !fresh) {
      newcomers.push({ database: schema.database, table: schema.name });
      continue;
    }
    // An index that goes may take a key along; whether it can is known where the key is that of today.
    const sameKey = stored === undefined || keyOf(stored.schema) === keyOf(schema);
    tables.set(origin, stored?.schema ?? schema, standIn || !sameKey);
    const seen = progress.table(origin);
    seen.estimatedRows = estimatedRows;
    seen.state = stored?.state === 'following' ? 'following' : paused.has(origin) ? 'paused' : 'waiting';
    if (stored === undefined) set.set(tableEntry(origin), formatTable(schema, 'copying'));
    if (stored?.state === 'following') continue;
    const ranges = rangesHere(storedRanges(entries, origin), known);
    if (ranges === 'not-here') {
      // The table is emptied, so it is copied as a whole, whatever was to be copied of it before.
      emptied.push(stored?.schema ?? schema);
      set.set(tableEntry(origin), formatTable(stored?.schema ?? schema, 'copying'));
      copies.set(origin, copyOf({ schema: stored?.schema ?? schema, where: null }, null));
    } else copies.set(origin, copyOf(stored ?? { schema, where: null }, ranges));
  }
  const drop = [...(old ? [everyTable] : []), ...emptied.map(({ origin }) => rangeEntries(origin))];
  for (const origin of restoreOthers(tables, tokens)) drop.push(tableEntry(origin), rangeEntries(origin));
  if (old) {
    for (const [origin, token] of tokens)
      if (!drop.includes(tableEntry(origin)) && !set.has(tableEntry(origin))) set.set(tableEntry(origin), token);
  }
  for (const [origin, copy] of copies) if (isCircular(foreignKeys.all, origin)) copy.forget();
  if (storedKeys === undefined && foreignKeys.declared.length > 0)
    set.set(foreignKeysEntry, formatForeignKeys(foreignKeys.declared));
  if (fresh && (set.size > 0 || drop.length > 0)) set.set(streamEntry, formatPosition(start));
  const first = set.size === 0 && drop.length === 0 ? null : { set, drop };
  return { copies, first, emptied, newcomers, foreignKeys, paused };
}

/** A condition is stored only as long as the table has the shape that it was read for. */
function copyOf({ schema, where }: Pick<StoredTable, 'schema' | 'where'>, ranges: Range[] | null): TableCopy {
  const condition = where === null ? null : conditionOf(where, schema, false);
  if (condition !== null && 'refusal' in condition)
    throw new LockstepError('BUG', `${schema.origin}: a stored condition cannot be read: ${condition.refusal}`);
  return new TableCopy(schema, ranges, condition);
}

/**
 * Tables that the log still speaks of although they are gone by now, and those that are left out. Gives the ones that are not captured any more: what
 * is known of them ages from here on, so that they must be copied when they come back.
 */
function restoreOthers(tables: Tables, tokens: ReadonlyMap<string, string>): string[] {
  const forgotten: string[] = [];
  for (const [origin, token] of tokens) {
    const stored = parseTable(token);
    const { database, table } = namedOf(origin);
    if (stored === null) tables.leaveOut(origin);
    else if (!tables.captures(database, table)) forgotten.push(origin);
    else if (tables.get(origin) === undefined) tables.set(origin, stored.schema);
  }
  return forgotten;
}

/**
 * Ranges of an earlier run; null where there are none. The high places of another server say nothing here: where this server has done all that the chunks show, the end of its
 * log stands for them; else the chunks may show what was lost.
 */
function rangesHere(ranges: readonly Range[], { history, server, end }: Known): Range[] | null | 'not-here' {
  if (ranges.length === 0) return null;
  const here: Range[] = [];
  for (const range of ranges) {
    const isElsewhere = range.high !== null && range.high.server !== server.id;
    const shown = range.shown === undefined ? null : parsePosition(range.shown);
    if (isElsewhere && (history === null || shown === null || !hasDone(history, shown))) return 'not-here';
    here.push(isElsewhere ? { ...range, high: end } : range);
  }
  return here;
}
