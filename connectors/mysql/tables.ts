import type { Change } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { Throttled } from '../../core/progress.ts';
import { parseRequest, type TableRequest } from '../../core/request.ts';
import type { TableSchema } from '../../core/table.ts';
import type { TableMap, TableName } from './binlog/table-map.ts';
import type { TableFilter } from './catalog/patterns.ts';
import { describedTable, type Understanding } from './schema/described-table.ts';

/** Name of the token that holds the stream's position. */
export const streamEntry = 'stream';

/** Name of the token that holds a table's schema at the stream's position, and whether its copy is consistent. */
export const tableEntry = (origin: string): string => `${tablePrefix}${origin}/`;

const tablePrefix = 'table/';

/** The origin that a token is about, in the form of today or without the `/` at its end as until 0.1; null for other tokens. */
export function originOfEntry(name: string): string | null {
  if (!name.startsWith(tablePrefix)) return null;
  return name.slice(tablePrefix.length, name.endsWith('/') ? -1 : undefined);
}

/** The tokens of tables by origin, and whether some have a name of the old form. */
export function tableTokens(entries: ReadonlyMap<string, string>): {
  readonly tokens: ReadonlyMap<string, string>;
  readonly old: boolean;
} {
  const tokens = new Map<string, string>();
  let old = false;
  for (const [name, token] of entries) {
    const origin = originOfEntry(name);
    if (origin === null) continue;
    tokens.set(origin, token);
    old ||= !name.endsWith('/');
  }
  return { tokens, old };
}

/** Name of the token that says what was asked of a table last and could not be done. */
export const refusedEntry = (origin: string): string => `${refusedEntries}${origin}/`;

export const refusedEntries = 'refused/';

export interface Refused extends TableRequest {
  readonly reason: string;
}

export function formatRefused(refused: Refused): string {
  return JSON.stringify(refused);
}

export function parseRefused(token: string): Refused {
  const stored: unknown = JSON.parse(token);
  const reason = typeof stored === 'object' && stored !== null && 'reason' in stored ? String(stored.reason) : '';
  return { ...parseRequest(token), reason };
}

/** Name of the token that says what holds the copy back. */
export const throttleEntry = 'throttle/';

export function formatThrottle({ reason, text, sinceMs }: Throttled): string {
  return JSON.stringify({ reason, text, sinceMs });
}

/** `40 threads are running at the source, above 30 (since 2026-01-01T00:00:00.000Z)`, for people. */
export function describeThrottle(token: string): string {
  const stored: unknown = JSON.parse(token);
  if (typeof stored !== 'object' || stored === null || !('text' in stored) || !('sinceMs' in stored)) return token;
  return `${String(stored.text)} (since ${new Date(Number(stored.sinceMs)).toISOString()})`;
}

/** Drops all entries of tables. */
export const everyTable = tablePrefix;

/** The captured tables as they are at the stream's place in the log. */
export class Tables {
  readonly captures: TableFilter;
  readonly #byOrigin = new Map<string, TableSchema>();
  readonly #standIns = new Set<string>();
  readonly #uncaptured = new Set<string>();
  readonly #leftOut = new Set<string>();
  /** What the log has said of tables in what was read of it already, ahead of the stream's place. */
  readonly #described = new Map<string, TableSchema>();
  readonly #understanding: Understanding;
  /**
   * True until the stream has come to where the log ended when the catalog was read: what is captured and not known until then has another
   * name by now, is gone, or is still to be told of. What is left of it is copied.
   */
  passesUnknown = true;
  /** Another number whenever a table is another one. */
  version = 0;

  constructor(captures: TableFilter, understanding: Understanding) {
    this.captures = captures;
    this.#understanding = understanding;
  }

  get(origin: string): TableSchema | undefined {
    return this.#byOrigin.get(origin);
  }

  /** Whether a table's key is, as far as is known, a unique key in place of a primary one. */
  standIn(origin: string): boolean {
    return this.#standIns.has(origin);
  }

  set(origin: string, table: TableSchema | null, standIn = false): void {
    this.version += 1;
    if (standIn) this.#standIns.add(origin);
    else this.#standIns.delete(origin);
    this.#leftOut.delete(origin);
    this.#described.delete(origin);
    if (table === null) this.#byOrigin.delete(origin);
    else this.#byOrigin.set(origin, table);
  }

  /** From now on its rows are not wanted, although it is captured by name. */
  leaveOut(origin: string): void {
    this.set(origin, null);
    this.#leftOut.add(origin);
  }

  isLeftOut(origin: string): boolean {
    return this.#leftOut.has(origin);
  }

  all(): Iterable<TableSchema> {
    return this.#byOrigin.values();
  }

  origins(): Iterable<string> {
    return this.#byOrigin.keys();
  }

  /** Whether the rows are of a table that the log has described otherwise than it was known. */
  isDescribed(changes: readonly Change[]): boolean {
    return (
      this.#described.size > 0 &&
      changes.some((change) => 'table' in change && this.#described.get(change.table.origin) === change.table)
    );
  }

  /**
   * The schema of rows in the log, as `map` describes it, or without it as it was known last; null where they are not wanted. Errors:
   * SOURCE_SCHEMA for a captured table whose schema is not known.
   */
  lookup({ database, table, origin }: TableName, map: TableMap | null = null): TableSchema | null {
    const known = this.#described.get(origin) ?? this.#byOrigin.get(origin);
    if (known !== undefined) {
      const described = map === null ? known : describedTable(map, known, this.#understanding);
      if (described !== known) this.#described.set(origin, described);
      return described;
    }
    if (this.#uncaptured.has(origin) || this.isLeftOut(origin)) return null;
    if (!this.captures(database, table)) {
      this.#uncaptured.add(origin);
      return null;
    }
    if (this.passesUnknown) return null;
    throw new LockstepError(
      'SOURCE_SCHEMA',
      `the log holds rows of ${database}.${table}, which is captured but not known: it was created or renamed while nobody looked`,
      {
        fix: 'leave the table out of source.tables, or resync the pipeline',
      },
    );
  }
}

/** The token of a table that is captured by name and not followed. */
export const leftOut = JSON.stringify({ state: 'left-out' });

/** `where`: only rows of it are being copied, again. */
export function formatTable(schema: TableSchema, state: 'copying' | 'following', where: string | null = null): string {
  return JSON.stringify(where === null ? { state, schema } : { state, where, schema });
}

/** What a token says of a table that is followed. */
export interface StoredTable {
  readonly schema: TableSchema;
  readonly state: 'copying' | 'following';
  readonly where: string | null;
}

/** Null for a table that is left out. */
export function parseTable(token: string): StoredTable | null {
  const { state, schema, where } = JSON.parse(token) as { state: unknown; schema: TableSchema; where?: unknown };
  if (state === 'left-out') return null;
  return {
    schema,
    state: state === 'following' ? 'following' : 'copying',
    where: typeof where === 'string' ? where : null,
  };
}
