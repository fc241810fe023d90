import type { Progress } from '../../core/progress.ts';
import type { Piece } from './binlog/reader.ts';
import type { CatalogNow } from './catalog/catalog-now.ts';
import type { DeclaredKey } from './foreign-keys/declared-keys.ts';
import { foreignKeysEntry, formatForeignKeys, type ForeignKeys } from './foreign-keys/foreign-keys.ts';
import { capturedIn, keysBehind } from './foreign-keys/keys-behind.ts';
import type { Gathered } from './gathered.ts';
import { errantIn } from './position/errant.ts';
import { comparePlaces, momentAt, type Place } from './position/position.ts';
import type { Reshaping } from './reshaping.ts';
import { classify, originOf, type NamedTable, type Query } from './schema/ddl.ts';
import { SchemaChanges, type SchemaChangesOptions } from './schema/schema-changes.ts';
import type { TableCopy } from './snapshot/table-copy.ts';
import type { Tables } from './tables.ts';

export interface DefinitionsOptions {
  /** The server's address, for errors. */
  readonly where: string;
  readonly tables: Tables;
  readonly copies: ReadonlyMap<string, TableCopy>;
  readonly foreignKeys: ForeignKeys;
  /** Captured tables that were there when reading began and of which the target knows nothing. */
  readonly newcomers: readonly NamedTable[];
  readonly schemaChanges: Pick<SchemaChangesOptions, 'flavour' | 'policies' | 'movesTables' | 'changesKeys'> & {
    /** What the server says of its tables now. */
    readonly catalog: CatalogNow;
  };
  readonly progress: Progress;
  /** The end of the log now. */
  readonly readEnd: () => Promise<Place>;
}

/** What tables and their foreign keys become on the stream's way: by statements of the log, or, where it tells of none, as the server has them now. */
export class Definitions {
  readonly #options: DefinitionsOptions;
  readonly #gathered: Pick<Gathered, 'setEntry' | 'askForIndexes'>;
  readonly #reshaping: Pick<Reshaping, 'apply'>;

  constructor(
    options: DefinitionsOptions,
    gathered: Pick<Gathered, 'setEntry' | 'askForIndexes'>,
    reshaping: Pick<Reshaping, 'apply'>,
  ) {
    this.#options = options;
    this.#gathered = gathered;
    this.#reshaping = reshaping;
  }

  /**
   * Does what a statement of the log means. An `errant` one may change a table's shape: later rows have that shape too. It may not take rows away, which are
   * others by now. Errors: SOURCE_SCHEMA_CHANGE, SOURCE_TYPE_UNSUPPORTED, SOURCE_DIVERGED.
   */
  async follow(piece: Piece, ddl: Query, errant: boolean): Promise<void> {
    const { tables, schemaChanges, readEnd, foreignKeys } = this.#options;
    const isAtEnd = async (): Promise<boolean> => {
      const end = piece.end === null ? null : await readEnd();
      return end !== null && piece.end !== null && comparePlaces(piece.end, end) >= 0;
    };
    const changes = new SchemaChanges({
      ...schemaChanges,
      known: tables,
      catalog: {
        charset: (database) => schemaChanges.catalog.charset(database),
        read: async (named) => {
          const now = await schemaChanges.catalog.read(named, piece);
          return { tables: now, atPlace: await isAtEnd() };
        },
      },
    });
    const cause = { at: piece.at, statement: ddl.statement };
    for (const effect of await changes.effects(ddl)) {
      const takesRows = effect.kind === 'drop' || effect.kind === 'truncate';
      if (errant && takesRows) throw errantIn(this.#options.where, piece);
      await this.#reshaping.apply(effect, cause);
    }
    const named = capturedIn(ddl, tables.captures);
    if (named === null) return;
    this.#askForIndexes(named, ddl);
    const now = { declared: await schemaChanges.catalog.foreignKeys(named), atPlace: await isAtEnd() };
    this.#setForeignKeys(keysBehind(foreignKeys.declared, ddl, now));
  }

  /** Tables that the log has not told of until where it ended when reading began are new to the pipeline: they are copied. */
  async join(place: Place): Promise<void> {
    const { tables, newcomers } = this.#options;
    tables.passesUnknown = false;
    const isUnknown = (origin: string): boolean => tables.get(origin) === undefined && !tables.isLeftOut(origin);
    const unknown = newcomers.filter((named) => isUnknown(originOf(named)));
    if (unknown.length > 0) await this.copyAnew(unknown, place);
  }

  /**
   * Tables that have another shape than the log has told of, all of it: a schema read ahead of the stream's first position may have held what
   * the log then told of under another name.
   */
  get contradicted(): readonly NamedTable[] {
    const copies = [...this.#options.copies.values()].filter(({ contradiction }) => contradiction !== null);
    return copies.map(({ schema }) => ({ database: schema.database, table: schema.name }));
  }

  /** Copies the contradicted ones anew. */
  async correct(place: Place): Promise<void> {
    await this.copyAnew(this.contradicted, place);
  }

  /** Copies tables as the server has them now, into tables of the target that are emptied and have that shape; false where it has none of them. */
  async copyAnew(named: readonly NamedTable[], place: Place): Promise<boolean> {
    const { tables, schemaChanges, progress, foreignKeys } = this.#options;
    const now = await schemaChanges.catalog.read(named, null);
    const isNew = ({ child }: DeclaredKey): boolean => now.has(originOf(child));
    const keys = (await schemaChanges.catalog.foreignKeys(named)).filter(isNew);
    this.#setForeignKeys([...foreignKeys.declared.filter((key) => !isNew(key)), ...keys]);
    const at = momentAt(place);
    for (const { schema, standIn } of now.values()) {
      const before = tables.get(schema.origin) ?? null;
      await this.#reshaping.apply({ kind: 'copy', before, after: schema, standIn }, { at, statement: '' });
    }
    if (now.size > 0) progress.phase = 'copying';
    return now.size > 0;
  }

  /** A table that is copied as a whole has its turn when that is done. */
  #askForIndexes(named: readonly NamedTable[], { statement, database }: Query): void {
    const { tables, copies } = this.#options;
    if (classify(statement, database).kind === 'truncate') return;
    const isCopied = (origin: string): boolean => copies.get(origin)?.where === null;
    for (const origin of new Set(named.map(originOf)))
      if (tables.get(origin) !== undefined && !isCopied(origin)) this.#gathered.askForIndexes(origin);
  }

  #setForeignKeys(declared: readonly DeclaredKey[]): void {
    const { foreignKeys } = this.#options;
    if (foreignKeys.set(declared)) this.#gathered.setEntry(foreignKeysEntry, formatForeignKeys(foreignKeys.declared));
  }
}
