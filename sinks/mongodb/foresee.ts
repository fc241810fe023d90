import type { TargetOptions, WholeTableChange } from '../../core/plugin.ts';
import { untilAborted } from '../../core/signals.ts';
import type { TableSchema } from '../../core/table.ts';
import { connect, type Connection } from './connect.ts';
import { conversion } from './conversion.ts';
import { collectionOf } from './destination.ts';
import { renamedColumns } from './renames.ts';

/** What changes of whole tables would do to collections, in words; nothing is done. */
export async function foreseeUpdates(
  options: TargetOptions,
  changes: readonly WholeTableChange[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const connection = await untilAborted(signal, connect(options));
  try {
    return changes.flatMap((change) => linesOf(connection, change));
  } finally {
    await connection.client.close();
  }
}

function linesOf(connection: Connection, change: WholeTableChange): string[] {
  const place = (table: TableSchema): string => collectionOf(connection, table).place;
  if (change.kind === 'truncate') return [`delete all documents of ${place(change.table)}`];
  const { before, after } = change;
  if (after === null) return before === null ? [] : [`drop the collection ${place(before)}`];
  if (before === null) return [`create the collection ${place(after)} if it is not there`];
  const moved = place(before) === place(after) ? [] : [`rename the collection ${place(before)} to ${place(after)}`];
  return [...moved, ...fieldLines(before, after).map((line) => `${place(after)}: ${line}`)];
}

function fieldLines(before: TableSchema, after: TableSchema): string[] {
  const renamed = renamedColumns(before, after);
  const arrived = new Set(renamed.values());
  const old = new Map(before.columns.map((column) => [column.name, column]));
  const now = new Set(after.columns.map(({ name }) => name));
  const lines = [...renamed].map(([from, to]) => `rename the field ${from} to ${to}`);
  for (const name of old.keys()) if (!now.has(name) && !renamed.has(name)) lines.push(`remove the field ${name}`);
  for (const column of after.columns) {
    const was = old.get(column.name);
    if (was === undefined) {
      if (!arrived.has(column.name)) lines.push(`add the field ${column.name}`);
      continue;
    }
    const converted = conversion(was.type, column.type);
    if (converted === null)
      lines.push(`stop where documents have the field ${column.name}: it cannot be converted here`);
    else if (converted !== 'stay') lines.push(`convert the field ${column.name}`);
  }
  return lines;
}
