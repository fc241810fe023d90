import type { TableSchema } from '../../../core/table.ts';
import type { Asker } from '../connection/session.ts';
import { changesRows, readCollated, type DeclaredKey } from './declared-keys.ts';
import { originOf } from '../schema/ddl.ts';

/** What foreign keys change in captured tables and cannot be followed, in whole sentences. */
export async function readForeignKeyWarnings(
  session: Asker,
  declared: readonly DeclaredKey[],
  tables: readonly TableSchema[],
  signal: AbortSignal,
): Promise<string[]> {
  const changing = declared.filter(changesRows);
  const byCollation = await readCollated(session, changing, signal);
  const captured = new Map(tables.map((table) => [table.origin, table]));
  return changing.flatMap((key) => {
    const child = captured.get(originOf(key.child));
    if (child === undefined) return [];
    if (!captured.has(originOf(key.parent))) return [hidden(key, leadingTo(declared, key, captured))];
    return [...collated(key, byCollation), ...computed(key, child)];
  });
}

function hidden(key: DeclaredKey, from: readonly string[]): string {
  const [child, parent] = [originOf(key.child), originOf(key.parent)];
  const behind = from.length === 0 ? '' : `, nor those that begin in ${from.join(', ')}`;
  return `${parent} is not captured, so changes of its rows that ${key.name} carries on to ${child} are not followed${behind}: capture ${parent} too`;
}

/** Captured tables from which foreign keys lead, over tables that are not, to the key's parent. */
function leadingTo(
  declared: readonly DeclaredKey[],
  { parent }: DeclaredKey,
  captured: ReadonlyMap<string, TableSchema>,
): string[] {
  const seen = new Set([originOf(parent)]);
  for (const at of seen) {
    if (captured.has(at)) continue;
    for (const key of declared) if (changesRows(key) && originOf(key.child) === at) seen.add(originOf(key.parent));
  }
  return [...seen].filter((origin) => captured.has(origin));
}

/** Values that only a collation takes for equal are none to a target. */
function collated({ name, child, columns: all }: DeclaredKey, byCollation: ReadonlySet<string>): string[] {
  const found = all.map((column) => `${originOf(child)}.${column}`).filter((column) => byCollation.has(column));
  if (found.length === 0) return [];
  const columns = found.join(', ');
  return [
    `${name} compares ${columns} by a collation: rows are followed only where they refer in the very letters, not where case, accents or spaces at the end differ`,
  ];
}

/** The server counts them anew, and no log says to what. */
function computed({ name, onDelete, onUpdate }: DeclaredKey, { origin, columns }: TableSchema): string[] {
  const changes = onDelete === 'set-null' || onUpdate !== 'none';
  const virtual = columns.filter(({ generated }) => generated === 'virtual').map((column) => column.name);
  if (!changes || virtual.length === 0) return [];
  return [
    `${name} gives rows of ${origin} other values, and what its generated columns (${virtual.join(', ')}) become then is not known to the target: leave those out with a transform if they count on the key's columns`,
  ];
}
