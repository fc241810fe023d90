import type { TargetOptions, WholeTableChange } from '../../core/plugin.ts';
import type { TableSchema } from '../../core/table.ts';
import { alterStatements } from './alter.ts';
import {
  type ExistingTable,
  placeKey,
  readFacts,
  readTables,
  selectFacts,
  selectTables,
  type ServerFacts,
} from './catalog.ts';
import { translateDefault } from './defaults.ts';
import { Session } from './session.ts';
import { keyNames, quoteTable } from './sql.ts';
import { sessionOptions } from './target.ts';
import { targetType } from './types.ts';

/** The statements that changes of whole tables would be here, one after the other; none is run. Errors: as when they are applied. */
export async function foreseeStatements(
  options: TargetOptions,
  changes: readonly WholeTableChange[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const session = await Session.open(sessionOptions(options), signal);
  try {
    const facts = readFacts((await session.query(selectFacts, signal))[0]);
    const places = changes
      .flatMap((change) => (change.kind === 'truncate' ? [change.table] : [change.before, change.after]))
      .filter((table) => table !== null);
    if (places.length === 0) return [];
    const tables = readTables((await session.query(selectTables(places), signal))[0]);
    return statementsOf(changes, tables, facts);
  } finally {
    await session.end();
  }
}

function statementsOf(
  changes: readonly WholeTableChange[],
  tables: Map<string, ExistingTable>,
  facts: ServerFacts,
): string[] {
  const statements: string[] = [];
  const emptied = new Set<string>();
  for (const change of changes) {
    if (change.kind === 'truncate') {
      statements.push(`TRUNCATE ${quoteTable(change.table)}`);
      emptied.add(placeKey(change.table));
      continue;
    }
    const { before, after } = change;
    const empty = before !== null && emptied.has(placeKey(before));
    statements.push(...alterStatements(change, { tables, facts, empty, free: false }));
    if (before !== null) tables.delete(placeKey(before));
    if (after !== null) tables.set(placeKey(after), existingAs(after, facts));
  }
  return statements;
}

/** What is there once a change is made. */
function existingAs(table: TableSchema, facts: ServerFacts): ExistingTable {
  const columns = table.columns.map((column) => ({
    name: column.name,
    type: targetType(column.type, facts.geometry),
    enumerated: false,
    notNull: !column.nullable,
    hasDefault: translateDefault(column) !== null,
    generated: false,
    identity: false,
  }));
  const key = keyNames(table);
  return {
    columns: new Map(columns.map((column) => [column.name, column])),
    uniques: key.length === 0 ? [] : [key],
    exclusive: key.length === 0 ? 0 : 1,
    primaryKey: key.length === 0 ? null : { name: `${table.name}_pkey`, columns: key },
    referenced: false,
    triggers: [],
  };
}
