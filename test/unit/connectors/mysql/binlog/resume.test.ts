import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startOf } from '../../../../../connectors/mysql/position/again.ts';
import { behind } from '../../../../../connectors/mysql/position/behind.ts';
import { BinlogReader } from '../../../../../connectors/mysql/binlog/reader.ts';
import { GtidSet } from '../../../../../connectors/mysql/position/gtid-set.ts';
import { formatPosition, parsePosition, type Position } from '../../../../../connectors/mysql/position/position.ts';
import { valueAt } from '../../../../../core/row.ts';
import { pair } from '../connection/socket-pair.ts';
import {
  anonymousGtid,
  endOf,
  gtid,
  mariadbGtid,
  packets,
  query,
  rows,
  schema,
  tableMap,
  uuid,
  xaPrepare,
  xid,
  xidOf,
  type LogEvent,
} from './hand-made-log.ts';

const never = new AbortController().signal;
const place = { file: 'binlog.000001', offset: 4, server: 'u' };
const ways = ['gtid', 'domain', 'place'] as const;
type Way = (typeof ways)[number];

/** A step of a history: a plain transaction, or one phase of the XA transaction `xa`. */
interface Step {
  readonly kind: 'plain' | 'prepare' | 'commit' | 'rollback' | 'once';
  readonly xa: string;
}

interface Group {
  readonly events: readonly LogEvent[];
  readonly number: number;
  readonly domain: number;
  readonly begin: number;
}

const beginnings: Readonly<Record<Way, Position>> = {
  gtid: { by: 'gtid', set: new GtidSet(), place },
  domain: { by: 'domain', domains: new Map(), place },
  place: { by: 'place', place },
};

/** Each XA transaction is prepared, then ends, and is never used again. */
const history = fc
  .array(
    fc.record({ what: fc.constantFrom('plain', 'prepare', 'end', 'once'), which: fc.nat(), commits: fc.boolean() }),
    {
      minLength: 1,
      maxLength: 24,
    },
  )
  .map((choices) => {
    const open: string[] = [];
    return choices.map(({ what, which, commits }, i): Step => {
      if (what === 'plain') return { kind: 'plain', xa: '' };
      if (what === 'once') return { kind: 'once', xa: `once${i}` };
      const [xa] = what === 'end' && open.length > 0 ? open.splice(which % open.length, 1) : [];
      if (xa !== undefined) return { kind: commits ? 'commit' : 'rollback', xa };
      open.push(`xa${i}`);
      return { kind: 'prepare', xa: `xa${i}` };
    });
  });

function groupsOf(way: Way, steps: readonly Step[]): Group[] {
  const groups: Group[] = [];
  const numbers = [0, 0];
  let offset = 4;
  for (const [i, step] of steps.entries()) {
    const domain = way === 'domain' && i % 3 === 2 ? 1 : 0;
    const number = (numbers[domain] ?? 0) + 1;
    numbers[domain] = number;
    const events = placed(offset, eventsOf(way, step, i, number, domain));
    groups.push({ events, number, domain, begin: offset });
    offset = events.at(-1)?.logPos ?? offset;
  }
  return groups;
}

function eventsOf(way: Way, { kind, xa }: Step, id: number, number: number, domain: number): LogEvent[] {
  const insert = [tableMap(9), rows('insert', 9, [[id, kind]])];
  const ends = kind === 'commit' || kind === 'rollback';
  const first = {
    gtid: gtid(number),
    domain: mariadbGtid(number, ends, domain, kind === 'prepare'),
    place: anonymousGtid,
  }[way];
  if (ends) return [first, query(`XA ${kind.toUpperCase()} ${xidOf(xa)}`)];
  if (kind === 'plain') return [first, query('BEGIN'), ...insert, xid];
  const start = way === 'domain' && kind === 'prepare' ? [] : [query(`XA START ${xidOf(xa)}`)];
  return [first, ...start, ...insert, query(`XA END ${xidOf(xa)}`), xaPrepare(xa, kind === 'once')];
}

/** The same events as they stand from `offset` on. */
function placed(offset: number, events: readonly LogEvent[]): LogEvent[] {
  return events.map((one, i) => ({ ...one, logPos: offset - 4 + endOf(events.slice(0, i + 1)) }));
}

/** The ids that must be handed on, in order, with nothing twice. */
function expectedOf(steps: readonly Step[]): number[] {
  const prepared = new Map<string, number>();
  return steps.flatMap(({ kind, xa }, i) => {
    if (kind === 'prepare') prepared.set(xa, i);
    if (kind === 'plain' || kind === 'once') return [i];
    return kind === 'commit' ? [prepared.get(xa) ?? -1] : [];
  });
}

/** What a server sends from a position on. */
function sentFrom(from: Position, groups: readonly Group[]): Buffer {
  const wanted = groups.filter(({ number, domain, begin }) => {
    if (from.by === 'gtid') return !from.set.has(uuid, number);
    if (from.by === 'domain') return number > (from.domains.get(domain)?.sequence ?? 0);
    return begin >= from.place.offset;
  });
  return packets(wanted.flatMap(({ events }) => events));
}

/** One run: reads from the stored token and stops after some pieces. Gives the token it leaves and the ids it handed on. */
async function runOnce(
  token: string,
  groups: readonly Group[],
  pieces: number,
): Promise<{ token: string; ids: number[] }> {
  await using ends = await pair();
  let position = parsePosition(token);
  const { from, again } = startOf(position, 'u');
  const reader = new BinlogReader({
    wire: ends.wire,
    where: 'test',
    start: from.place,
    again,
    lookup: () => schema,
    captured: () => ['shop.t'],
    partBytes: 1_000_000,
  });
  ends.server.end(sentFrom(from, groups));
  const ids: number[] = [];
  for (let left = pieces; left > 0;) {
    const taken = reader.take(1);
    for (const piece of taken.slice(0, left)) {
      for (const [, error] of piece.unread) throw error;
      for (const change of piece.changes) if (change.kind === 'insert') ids.push(Number(valueAt(change.after, 0)));
      if (piece.end !== null) position = behind(position, piece, piece.end);
      left -= 1;
    }
    if (taken.length > 0) continue;
    const more = await reader.arrived(never).then(
      () => true,
      () => false,
    );
    if (!more) break;
  }
  reader.close();
  return { token: formatPosition(position), ids };
}

describe.each(ways)('a pipeline by %s that stops and goes on anywhere', (way) => {
  it('hands on each transaction once, an XA transaction where it commits', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 6 }), async (steps, stops) => {
        const groups = groupsOf(way, steps);
        const ids: number[] = [];
        let token = formatPosition(beginnings[way]);
        for (const pieces of [...stops, Infinity]) {
          const run = await runOnce(token, groups, pieces);
          ids.push(...run.ids);
          ({ token } = run);
        }
        expect(ids).toEqual(expectedOf(steps));
        const open = steps.some(
          ({ kind, xa }) => kind === 'prepare' && !steps.some((other) => other.kind !== 'prepare' && other.xa === xa),
        );
        expect(token.includes('"from"')).toBe(open);
      }),
      { numRuns: 120 },
    );
  });
});
