import type { Piece } from '../binlog/reader.ts';
import { comparePlaces, formatPlain, unnamed, type Place, type Position } from './position.ts';

type Ended = Pick<Piece, 'id' | 'xa' | 'again' | 'isCatchingUp'>;

/** The position behind a transaction that ends at `place`. The set is shared: it only grows, and tokens are made from it at once. */
export function behind(position: Position, piece: Ended, place: Place): Position {
  const prepared = preparedBehind(position, piece);
  const moved = piece.again ? position : movedOn(position, piece, place);
  if (position.prepared === undefined && prepared.size === 0) return moved;
  const { prepared: _, ...plain } = moved;
  return prepared.size === 0 ? plain : { ...plain, prepared };
}

function movedOn(position: Position, { id: { source, number, gtid } }: Ended, place: Place): Position {
  if (position.by === 'gtid' && source !== null) {
    position.set.add(source, number);
    const last = gtid ?? `${source}:${number}`;
    if (position.mixed === undefined || comparePlaces(place, position.mixed.until) < 0)
      return { ...position, place, last };
    const { mixed: _, ...behindIt } = position;
    return { ...behindIt, place, last };
  }
  if (position.by === 'domain' && source !== null) {
    const server = Number(gtid?.split('-')[1] ?? 0);
    position.seen?.add(source, server, number);
    return {
      ...position,
      domains: new Map([...position.domains, [Number(source), { server, sequence: number }]]),
      place,
    };
  }
  return { ...position, place };
}

const none: ReadonlyMap<string, string> = new Map();

/**
 * A transaction that is prepared here may be needed again after a restart, so that reading begins before it then. What an earlier run left
 * counts until the log has named each of its transactions again.
 */
function preparedBehind(position: Position, { xa, again, isCatchingUp }: Ended): ReadonlyMap<string, string> {
  const known = position.prepared ?? none;
  const over = !isCatchingUp && known.has(unnamed);
  if (xa === null && !over) return known;
  const prepared = new Map(known);
  if (xa?.step === 'prepared') prepared.set(xa.xid, (again ? known.get(unnamed) : undefined) ?? formatPlain(position));
  if (xa?.step === 'settled') prepared.delete(xa.xid);
  if (over) prepared.delete(unnamed);
  return prepared;
}
