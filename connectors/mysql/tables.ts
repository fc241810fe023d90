import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import type { TableFilter } from './patterns.ts';

/** Name of the token that holds the stream's position. */
export const streamEntry = 'stream';

/** Name of the token that holds a table's schema at the stream's position, and whether its copy is consistent. */
export const tableEntry = (origin: string): string => `table/${origin}`;

/** The captured tables as they are at the stream's place in the log. */
export class Tables {
  readonly captures: TableFilter;
  readonly #byOrigin = new Map<string, TableSchema>();
  readonly #uncaptured = new Set<string>();

  constructor(captures: TableFilter) {
    this.captures = captures;
  }

  get(origin: string): TableSchema | undefined {
    return this.#byOrigin.get(origin);
  }

  set(origin: string, table: TableSchema | null): void {
    if (table === null) this.#byOrigin.delete(origin);
    else this.#byOrigin.set(origin, table);
  }

  all(): Iterable<TableSchema> {
    return this.#byOrigin.values();
  }

  /** For rows in the log. Errors: SOURCE_SCHEMA for a captured table whose schema is not known. */
  lookup(database: string, table: string): TableSchema | null {
    const origin = `${database}.${table}`;
    const known = this.#byOrigin.get(origin);
    if (known !== undefined) return known;
    if (this.#uncaptured.has(origin)) return null;
    if (!this.captures(database, table)) {
      this.#uncaptured.add(origin);
      return null;
    }
    throw new LockstepError(
      'SOURCE_SCHEMA',
      `the log holds rows of ${database}.${table}, which is captured but not known: it was created or renamed while nobody looked`,
      {
        fix: 'leave the table out of source.tables, or resync the pipeline',
      },
    );
  }
}

export function formatTable(schema: TableSchema, state: 'copying' | 'following'): string {
  return JSON.stringify({ state, schema });
}

export function parseTable(token: string): { schema: TableSchema; state: 'copying' | 'following' } {
  const stored = JSON.parse(token) as { state: unknown; schema: TableSchema };
  return { schema: stored.schema, state: stored.state === 'following' ? 'following' : 'copying' };
}
