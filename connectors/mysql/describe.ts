import { describePosition, parsePosition } from './position/position.ts';
import { storedRanges } from './snapshot/ranges.ts';
import { describeRequest, parseRequest, requestEntries } from '../../core/request.ts';
import { indexEntries } from '../../core/secondary-index.ts';
import { storedPaused } from './snapshot/paused.ts';
import {
  describeThrottle,
  originOfEntry,
  parseRefused,
  parseTable,
  refusedEntries,
  streamEntry,
  throttleEntry,
} from './tables.ts';

/** What a target's stored tokens say, in lines for people. */
export function describeEntries(entries: ReadonlyMap<string, string>): readonly string[] {
  const lines: string[] = [];
  const stream = entries.get(streamEntry);
  lines.push(
    stream === undefined ? 'position  nothing copied yet' : `position  ${describePosition(parsePosition(stream))}`,
  );
  const paused = storedPaused(entries);
  const indexed = new Set([...entries].filter(([name]) => name.startsWith(indexEntries)).map(([, origin]) => origin));
  for (const [name, token] of [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const origin = originOfEntry(name);
    if (origin === null) continue;
    const table = parseTable(token);
    if (table === null) lines.push(`${origin}  left out`);
    else if (table.state === 'following')
      lines.push(
        `${origin}  following${indexed.has(origin) ? ', indexes to be made' : ''}${paused.has(origin) ? ', copies paused' : ''}`,
      );
    else {
      const rows = table.where === null ? '' : `rows where ${table.where} again, `;
      lines.push(`${origin}  ${paused.has(origin) ? 'paused, ' : ''}${rows}${describeCopy(origin, entries)}`);
    }
  }
  const throttle = entries.get(throttleEntry);
  if (throttle !== undefined) lines.push(`copy held back: ${describeThrottle(throttle)}`);
  return [...lines, ...requestLines(entries)];
}

/** What was asked of tables and is not done yet, and what could not be done. */
function requestLines(entries: ReadonlyMap<string, string>): string[] {
  return [...entries]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, token]) => {
      if (name.startsWith(requestEntries)) {
        const request = parseRequest(token);
        return [`${request.origin}  asked: ${describeRequest(request)}`];
      }
      if (!name.startsWith(refusedEntries)) return [];
      const { origin, action, reason } = parseRefused(token);
      return [`${origin}  ${action} could not be done: ${reason}`];
    });
}

function describeCopy(origin: string, entries: ReadonlyMap<string, string>): string {
  const ranges = storedRanges(entries, origin);
  if (ranges.length === 0) return 'waiting to be copied';
  const rows = ranges.reduce((sum, range) => sum + range.rows, 0);
  const done = ranges.filter((range) => range.done).length;
  const { estimate = null } = ranges[0] ?? {};
  // The estimate may be too small: a copy that goes on is not at 100 %.
  const share = estimate === null ? '' : `${Math.min(99, Math.floor((rows / estimate) * 100))} %, `;
  const of = estimate === null ? '' : ` of about ${estimate.toLocaleString('en')}`;
  return `copying: ${share}${rows.toLocaleString('en')}${of} rows, ${done} of ${ranges.length} ranges done`;
}
