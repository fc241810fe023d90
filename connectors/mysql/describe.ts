import { describePosition, parsePosition } from './position/position.ts';
import { storedRanges } from './snapshot/ranges.ts';
import { originOfEntry, parseTable, streamEntry } from './tables.ts';

/** What a target's stored tokens say, in lines for people. */
export function describeEntries(entries: ReadonlyMap<string, string>): readonly string[] {
  const lines: string[] = [];
  const stream = entries.get(streamEntry);
  lines.push(
    stream === undefined ? 'position  nothing copied yet' : `position  ${describePosition(parsePosition(stream))}`,
  );
  for (const [name, token] of [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const origin = originOfEntry(name);
    if (origin === null) continue;
    const table = parseTable(token);
    if (table === null) lines.push(`${origin}  left out`);
    else lines.push(`${origin}  ${table.state === 'following' ? 'following' : describeCopy(origin, entries)}`);
  }
  return lines;
}

function describeCopy(origin: string, entries: ReadonlyMap<string, string>): string {
  const ranges = storedRanges(entries, origin);
  if (ranges.length === 0) return 'waiting to be copied';
  const rows = ranges.reduce((sum, range) => sum + range.rows, 0);
  const done = ranges.filter((range) => range.done).length;
  return `copying: ${rows.toLocaleString('en')} rows, ${done} of ${ranges.length} ranges done`;
}
