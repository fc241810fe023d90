import type { DeclaredKey } from './declared-keys.ts';
import { classify, originOf, renamesIn, type NamedTable, type Query } from '../schema/ddl.ts';
import { TokenReader } from '../schema/tokens.ts';
import { readWrittenKeys } from './written-keys.ts';

/** What the catalog says of foreign keys now; `atPlace`: nothing came behind the statement yet. */
export interface KeysNow {
  readonly declared: readonly DeclaredKey[];
  readonly atPlace: boolean;
}

/**
 * The foreign keys behind a statement. Those of the tables that it names are the catalog's where that is of the same time, else what the
 * statement makes of them; where it cannot be read, those that the catalog has now.
 */
export function keysBehind(known: readonly DeclaredKey[], ddl: Query, now: KeysNow): readonly DeclaredKey[] {
  const statement = classify(ddl.statement, ddl.database);
  if (statement.kind === 'drop-database') return known.filter(({ child }) => child.database !== statement.database);
  if (!('tables' in statement)) return known;
  const { kind, tables } = statement;
  const [named] = tables;
  if (named === undefined) return known;
  switch (kind) {
    case 'drop':
      return without(known, tables);
    case 'create':
    case 'replace':
      if (kind === 'create' && known.some((key) => isOf(key, named))) return known;
      return [...without(known, [named]), ...altered([], named, ddl, now)];
    case 'alter':
    case 'rename': {
      if (new TokenReader(ddl.statement).word() !== 'ALTER') return renamed(known, tables);
      const mine = known.filter((key) => isOf(key, named));
      const moved = renamedColumns([...without(known, [named]), ...altered(mine, named, ddl, now)], named, ddl);
      return tables.length > 1 ? renamed(moved, tables) : moved;
    }
    case 'truncate':
    case 'unlogged':
    case 'index':
      return known;
  }
}

/** The captured tables among those whose foreign keys a statement may change; null where it changes none that matter. */
export function capturedIn(
  { statement, database }: Query,
  captures: (database: string, table: string) => boolean,
): readonly NamedTable[] | null {
  const classified = classify(statement, database);
  if (classified.kind === 'drop-database') return [];
  const named = 'tables' in classified ? classified.tables.filter((one) => captures(one.database, one.table)) : [];
  return named.length === 0 ? null : named;
}

function altered(mine: readonly DeclaredKey[], named: NamedTable, ddl: Query, now: KeysNow): readonly DeclaredKey[] {
  const there = now.declared.filter((key) => isOf(key, named));
  if (now.atPlace) return there;
  const { added, dropped, understood } = readWrittenKeys(named, mine, ddl);
  if (!understood) return there;
  return [...mine.filter(({ name }) => !dropped.has(name.toLowerCase())), ...added];
}

/** A key follows the names of both of its tables. */
function renamed(keys: readonly DeclaredKey[], names: readonly NamedTable[]): readonly DeclaredKey[] {
  let current = keys;
  for (const { from, to } of renamesIn(names)) {
    const moved = (table: NamedTable): NamedTable => (originOf(table) === originOf(from) ? to : table);
    current = current.map((key) => {
      const prefix = `${from.table}_ibfk_`;
      const own = isOf(key, from) && key.name.startsWith(prefix);
      const name = own ? `${to.table}_ibfk_${key.name.slice(prefix.length)}` : key.name;
      return { ...key, name, child: moved(key.child), parent: moved(key.parent) };
    });
  }
  return current;
}

/** A key follows the names of its columns at both ends. */
function renamedColumns(keys: readonly DeclaredKey[], named: NamedTable, { statement }: Query): readonly DeclaredKey[] {
  const names = new Map<string, string>();
  const reader = new TokenReader(statement);
  while (!reader.ended) {
    const renames = reader.skip('RENAME', 'COLUMN');
    if (!renames && !reader.skip('CHANGE')) {
      reader.take();
      continue;
    }
    reader.skip('COLUMN');
    reader.skip('IF', 'EXISTS');
    const from = reader.name();
    if (renames) reader.skip('TO');
    names.set(from.toLowerCase(), reader.name());
  }
  if (names.size === 0) return keys;
  const now = (columns: readonly string[]): string[] => columns.map((name) => names.get(name.toLowerCase()) ?? name);
  return keys.map((key) => ({
    ...key,
    columns: isOf(key, named) ? now(key.columns) : key.columns,
    references: originOf(key.parent) === originOf(named) ? now(key.references) : key.references,
  }));
}

function isOf({ child }: DeclaredKey, named: NamedTable): boolean {
  return originOf(child) === originOf(named);
}

function without(keys: readonly DeclaredKey[], tables: readonly NamedTable[]): DeclaredKey[] {
  return keys.filter((key) => !tables.some((table) => isOf(key, table)));
}
