import type { TableSchema } from '../../../core/table.ts';
import { originOf, renamesIn, type NamedTable } from './ddl.ts';

/** What RENAME TABLE makes of tables that are followed, and of captured names. */
export interface Renamed {
  /** Followed tables whose rows go to a name that is not captured. */
  readonly left: readonly TableSchema[];
  /** Followed tables with their new names, in an order in which every new name is free. */
  readonly moved: readonly { readonly table: TableSchema; readonly to: NamedTable }[];
  /** Captured names whose rows are not known: those of a table that was not followed, or of tables that changed places. */
  readonly entered: readonly NamedTable[];
}

interface World {
  readonly get: (origin: string) => TableSchema | undefined;
  readonly captures: (database: string, table: string) => boolean;
}

/** Follows the names of a RENAME TABLE, `from to from to …`, one after the other as the server does. */
export function renamedTables(names: readonly NamedTable[], world: World): Renamed {
  const contents = new Map<string, TableSchema | null>();
  const touched = new Map<string, NamedTable>();
  const sources = new Set<string>();
  for (const { from, to } of renamesIn(names)) {
    const [source, target] = [originOf(from), originOf(to)];
    const content = contents.has(source) ? (contents.get(source) ?? null) : (world.get(source) ?? null);
    contents.set(target, content);
    contents.delete(source);
    touched.set(source, from).set(target, to);
    sources.add(source);
  }
  const left: TableSchema[] = [];
  const moving: { table: TableSchema; to: NamedTable }[] = [];
  const entered: NamedTable[] = [];
  for (const [origin, content] of contents) {
    const to = touched.get(origin);
    if (to === undefined) continue;
    const captured = world.captures(to.database, to.table);
    // A name that was taken before is one that is known of a later time than this, and so is what is known to go there.
    const ahead = !sources.has(origin) && world.get(origin) !== undefined;
    if (captured && (content === null || ahead)) entered.push(to);
    if (content !== null && (!captured || ahead)) left.push(content);
    if (content !== null && captured && !ahead && content.origin !== origin) moving.push({ table: content, to });
  }
  return { left, ...inOrder(moving, entered) };
}

/** Tables that only change places with each other leave no name free: their rows are taken as unknown. */
function inOrder(
  moving: readonly { readonly table: TableSchema; readonly to: NamedTable }[],
  entered: readonly NamedTable[],
): Pick<Renamed, 'moved' | 'entered'> {
  const waiting = [...moving];
  const moved: (typeof moving)[number][] = [];
  for (;;) {
    const at = waiting.findIndex(({ to }) => waiting.every(({ table }) => table.origin !== originOf(to)));
    if (at < 0) return { moved, entered: [...entered, ...waiting.map(({ to }) => to)] };
    moved.push(...waiting.splice(at, 1));
  }
}
