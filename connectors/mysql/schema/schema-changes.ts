import type { SchemaPolicies } from '../../../core/schema-policy.ts';
import type { TableSchema } from '../../../core/table.ts';
import { classify, originOf, type NamedTable, type Query, type Statement } from './ddl.ts';
import { readOperations, type Operation } from './alter-table.ts';
import { carriesValues } from './carried-values.ts';
import { readCreated } from './create-table.ts';
import type { Evolved } from './evolve.ts';
import { renamedTables } from './renames.ts';
import { keyOf, renamedTable, requireAllowed, stepsOf, type Step } from './steps.ts';
import { areAlike, tableBehind, withCharsets, type CatalogAtPlace } from './table-behind.ts';
import { TokenReader } from './tokens.ts';
import type { UnloggedRows } from './unlogged-rows.ts';

/** What a statement means for the tables that are followed. */
export type Effect =
  | {
      readonly kind: 'reshape';
      readonly steps: readonly Step[];
      readonly after: TableSchema;
      readonly standIn: boolean;
    }
  /** Empty; its rows will be in the log. */
  | { readonly kind: 'create'; readonly after: TableSchema; readonly standIn: boolean }
  /** Not followed any more. `ignored`: the target keeps what it has. */
  | { readonly kind: 'drop'; readonly before: TableSchema; readonly ignored: boolean }
  | { readonly kind: 'truncate'; readonly table: TableSchema }
  | { readonly kind: 'move'; readonly before: TableSchema; readonly after: TableSchema }
  /** Its rows come from somewhere the log does not show: they are copied. `before`: what had the name until now. */
  | {
      readonly kind: 'copy';
      readonly before: TableSchema | null;
      readonly after: TableSchema;
      readonly standIn: boolean;
    }
  /** Captured by name, and not followed for as long as it is there. */
  | { readonly kind: 'leave-out'; readonly origin: string };

export interface SchemaChangesOptions {
  readonly flavour: 'mysql' | 'mariadb';
  readonly known: {
    readonly get: (origin: string) => TableSchema | undefined;
    readonly standIn: (origin: string) => boolean;
    readonly all: () => Iterable<TableSchema>;
    readonly captures: (database: string, table: string) => boolean;
  };
  readonly policies: SchemaPolicies;
  /** Whether a table's rows stay when its name changes. */
  readonly movesTables: boolean;
  /** Whether rows stay when their key changes. */
  readonly changesKeys: boolean;
  readonly catalog: CatalogAtPlace;
}

/**
 * Finds out what a statement of the log makes of the tables that are followed, at its place: by applying it to what is known, and by what the
 * server says now only where that cannot be of a later time. Stops on doubt. Errors: SOURCE_SCHEMA_CHANGE, SOURCE_TYPE_UNSUPPORTED.
 */
export class SchemaChanges {
  readonly #options: SchemaChangesOptions;

  constructor(options: SchemaChangesOptions) {
    this.#options = options;
  }

  async effects(ddl: Query): Promise<readonly Effect[]> {
    const statement = classify(ddl.statement, ddl.database);
    if (statement.kind === 'drop-database') return this.#dropDatabase(statement.database, ddl.statement);
    if (!('tables' in statement)) return [];
    const { captures } = this.#options.known;
    const named = statement.tables.filter(({ database, table }) => captures(database, table));
    if (named.length === 0) return [];
    return await this.#effects(statement, named, ddl);
  }

  async #effects(
    statement: Extract<Statement, { tables: unknown }>,
    named: readonly NamedTable[],
    ddl: Query,
  ): Promise<readonly Effect[]> {
    switch (statement.kind) {
      case 'truncate':
        return named.flatMap((table) => this.#truncate(table, ddl.statement));
      case 'drop':
        return named.flatMap((table) => this.#drop(table, ddl.statement));
      case 'create':
      case 'replace':
        return await this.#create(named[0], statement.kind === 'replace', ddl);
      case 'alter':
        return await this.#alter(statement.tables, ddl);
      case 'rename':
        return new TokenReader(ddl.statement).word() === 'ALTER'
          ? await this.#alter(statement.tables, ddl)
          : await this.#rename(statement.tables, ddl.statement);
      case 'index':
        return [];
      case 'unlogged':
        return await this.#unlogged(statement.rows, ddl.statement);
    }
  }

  #truncate(named: NamedTable, statement: string): Effect[] {
    const table = this.#known(named);
    if (table === undefined) return [];
    const policy = requireAllowed('truncate-table', this.#options.policies, table.origin, statement);
    return policy === 'ignore' ? [] : [{ kind: 'truncate', table }];
  }

  /** Which rows came or went only the server knows. */
  async #unlogged({ changed, emptied, made, gone }: UnloggedRows, statement: string): Promise<Effect[]> {
    const { policies, known } = this.#options;
    const mayChange = ({ origin }: TableSchema): boolean =>
      requireAllowed('change-partition', policies, origin, statement) === 'evolve';
    const wanted = (tables: readonly NamedTable[]): TableSchema[] =>
      tables.flatMap((table) => this.#known(table) ?? []).filter(mayChange);
    const effects: Effect[] = wanted(emptied).map((table) => ({ kind: 'truncate', table }));
    for (const table of wanted(changed))
      effects.push({ kind: 'copy', before: table, after: table, standIn: known.standIn(table.origin) });
    if (gone !== null) effects.push(...this.#drop(gone, statement));
    if (made !== null) effects.push(...(await this.#made(made, changed[0] ?? made, statement)));
    return effects;
  }

  /** A partition that is a table now, of the same shape as the one it comes from. */
  async #made(named: NamedTable, from: NamedTable, statement: string): Promise<Effect[]> {
    const { known, policies } = this.#options;
    if (!known.captures(named.database, named.table) || this.#known(named) !== undefined) return [];
    const model = this.#known(from);
    if (model === undefined) return await this.#enter([named], () => null, statement);
    if (requireAllowed('create-table', policies, originOf(named), statement) === 'ignore')
      return [{ kind: 'leave-out', origin: originOf(named) }];
    const after = renamedTable(model, named.database, named.table);
    return [{ kind: 'copy', before: null, after, standIn: known.standIn(model.origin) }];
  }

  #drop(named: NamedTable, statement: string): Effect[] {
    const before = this.#known(named);
    if (before === undefined) return [];
    const policy = requireAllowed('drop-table', this.#options.policies, before.origin, statement);
    return [{ kind: 'drop', before, ignored: policy === 'ignore' }];
  }

  #dropDatabase(database: string, statement: string): Effect[] {
    const tables = [...this.#options.known.all()].filter(({ origin }) => origin.startsWith(`${database}.`));
    return tables.flatMap(({ name }) => this.#drop({ database, table: name }, statement));
  }

  async #create(named: NamedTable | undefined, replaces: boolean, ddl: Query): Promise<readonly Effect[]> {
    if (named === undefined) return [];
    const before = this.#known(named);
    // It is there already: `IF NOT EXISTS`, or a table that was found in the catalog before the log came to its beginning.
    if (before !== undefined && !replaces) return [];
    const gone = before === undefined ? [] : this.#drop(named, ddl.statement);
    const policy = requireAllowed('create-table', this.#options.policies, originOf(named), ddl.statement);
    if (policy === 'ignore') return [...gone, { kind: 'leave-out', origin: originOf(named) }];
    const { tables, atPlace } = await this.#options.catalog.read([named]);
    const now = tables.get(originOf(named)) ?? null;
    if (now !== null && atPlace) return [...gone, { kind: 'create', after: now.schema, standIn: now.standIn }];
    const written = await this.#written(named, ddl, now?.schema ?? null);
    if (written !== null) {
      const after = now !== null && areAlike(written.table, now.schema) ? now.schema : written.table;
      return [...gone, { kind: 'create', after, standIn: written.standIn }];
    }
    if (now === null) return [...gone, { kind: 'leave-out', origin: originOf(named) }];
    return [...gone, { kind: 'copy', before: null, after: now.schema, standIn: now.standIn }];
  }

  /** The table that a CREATE TABLE writes down, null where that is not enough to know it. */
  async #written(
    named: NamedTable,
    ddl: Query,
    now: TableSchema | null,
  ): Promise<{ readonly table: TableSchema; readonly standIn: boolean } | null> {
    const reader = new TokenReader(ddl.statement);
    reader.subject(ddl.database);
    const created = readCreated(reader, named, ddl.database, this.#dialect(originOf(named)));
    if (created === null) return null;
    if ('table' in created)
      return { ...created, table: await withCharsets(created.table, null, now, this.#options.catalog) };
    const model = this.#known(created.like);
    const standIn = this.#options.known.standIn(originOf(created.like));
    return model === undefined ? null : { table: renamedTable(model, named.database, named.table), standIn };
  }

  async #alter(names: readonly NamedTable[], ddl: Query): Promise<readonly Effect[]> {
    const [named] = names;
    if (named === undefined) return [];
    const before = this.#known(named);
    const operations = this.#operations(ddl, originOf(named));
    const to = operations.find((operation) => operation.kind === 'rename-table')?.to ?? null;
    if (before === undefined) return to === null ? [] : await this.#rename([named, to], ddl.statement);
    const evolved = await tableBehind(
      { before, standIn: this.#options.known.standIn(before.origin), operations, named: to ?? named },
      ddl.statement,
      this.#options.catalog,
    );
    const steps = stepsOf(before, evolved, this.#options.policies, ddl.statement);
    const after = evolved.table;
    const { standIn } = evolved;
    const reshaped: Effect[] =
      !deletesRows(ddl.statement) && this.#carries(before, evolved)
        ? steps.length === 0 && after.fingerprint === before.fingerprint
          ? []
          : [{ kind: 'reshape', steps, after, standIn }]
        : [{ kind: 'copy', before, after, standIn }];
    if (to === null || originOf(to) === before.origin) return reshaped;
    const world = {
      ...this.#options.known,
      get: (origin: string) => (origin === before.origin ? after : this.#options.known.get(origin)),
    };
    return [...reshaped, ...(await this.#rename([named, to], ddl.statement, world))];
  }

  /** Whether the target can make of its rows what the statement made of them. */
  #carries(before: TableSchema, evolved: Evolved): boolean {
    const named = before.key.map((index) => before.columns[index]?.name ?? '');
    const sameKey = keyOf(evolved.table) === JSON.stringify(named.map((name) => evolved.renamed.get(name) ?? name));
    // A key of several columns is told by their names.
    const kept = sameKey && (before.key.length < 2 || !named.some((name) => evolved.renamed.has(name)));
    return (kept || this.#options.changesKeys) && carriesValues(before, evolved);
  }

  #operations(ddl: Query, where: string): Operation[] {
    const reader = new TokenReader(ddl.statement);
    if (reader.skip('DROP', 'INDEX')) {
      reader.skip('IF', 'EXISTS');
      return reader.name().toUpperCase() === 'PRIMARY' ? [{ kind: 'drop-primary-key' }] : [{ kind: 'drop-index' }];
    }
    reader.subject(ddl.database);
    return readOperations(reader, ddl.database, this.#dialect(where));
  }

  async #rename(
    names: readonly NamedTable[],
    statement: string,
    world: Pick<SchemaChangesOptions['known'], 'get' | 'captures'> = this.#options.known,
  ): Promise<readonly Effect[]> {
    const { policies, movesTables } = this.#options;
    const { left, moved, entered } = renamedTables(names, world);
    for (const { table } of moved) requireAllowed('rename-table', policies, table.origin, statement);
    const enters = [...entered, ...(movesTables ? [] : moved.map(({ to }) => to))];
    const replaced = new Set(enters.map(originOf));
    const leaves = [...left, ...(movesTables ? [] : moved.map(({ table }) => table))];
    const effects: Effect[] = leaves
      .filter(({ origin }) => !replaced.has(origin))
      .map((before) => ({
        kind: 'drop',
        before,
        ignored: requireAllowed('drop-table', policies, before.origin, statement) === 'ignore',
      }));
    if (movesTables)
      for (const { table, to } of moved)
        effects.push({ kind: 'move', before: table, after: renamedTable(table, to.database, to.table) });
    const gone = new Set(movesTables ? moved.map(({ table }) => table.origin) : []);
    const before = (origin: string): TableSchema | null => (gone.has(origin) ? null : (world.get(origin) ?? null));
    return [...effects, ...(await this.#enter(enters, before, statement))];
  }

  /** The copy reads the tables as they are now, and the stream then does again what made them so: both know how to deal with that. */
  async #enter(
    names: readonly NamedTable[],
    occupant: (origin: string) => TableSchema | null,
    statement: string,
  ): Promise<Effect[]> {
    if (names.length === 0) return [];
    const { tables } = await this.#options.catalog.read(names);
    return names.flatMap((named): Effect[] => {
      const origin = originOf(named);
      const before = occupant(origin);
      const after = tables.get(origin);
      const policy =
        before === null ? requireAllowed('create-table', this.#options.policies, origin, statement) : 'evolve';
      if (after === undefined || policy === 'ignore') {
        const gone: Effect[] = before === null ? [] : [{ kind: 'drop', before, ignored: false }];
        return [...gone, { kind: 'leave-out', origin }];
      }
      return [{ kind: 'copy', before, after: after.schema, standIn: after.standIn }];
    });
  }

  #known(named: NamedTable): TableSchema | undefined {
    return this.#options.known.get(originOf(named));
  }

  #dialect(where: string): { flavour: 'mysql' | 'mariadb'; where: string } {
    return { flavour: this.#options.flavour, where };
  }
}

/** MariaDB's ALTER IGNORE deletes rows that a new key finds twice, and logs none of them. */
function deletesRows(statement: string): boolean {
  const reader = new TokenReader(statement);
  while (!reader.ended && reader.word() !== 'TABLE') if (reader.take().toUpperCase() === 'IGNORE') return true;
  return false;
}
