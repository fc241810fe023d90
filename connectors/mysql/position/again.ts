import type { TransactionId } from '../binlog/control-events.ts';
import {
  atBeginning,
  comparePlaces,
  parsePosition,
  type DomainPositions,
  type Place,
  type Position,
} from './position.ts';

/** What was handed on in an earlier run and is read again, because reading began before it to meet prepared XA transactions. */
export interface Again {
  /** Whether an event group was handed on already. Asked for each one that is read, in order, with the place behind its first event. */
  isAgain(id: TransactionId, at: Pick<Place, 'file' | 'offset'>): boolean;
  /** True once all that was handed on has been met again. */
  readonly isOver: boolean;
  /** Where the stream stands, though the log is read from before; null where that is not known on this server. */
  readonly until: Place | null;
}

/** Where to begin reading, and what of that is not new. `server`: the id of the server that is read. */
export function startOf(position: Position, server: string): { readonly from: Position; readonly again: Again | null } {
  const token = position.prepared?.values().next().value;
  if (token === undefined) return { from: position, again: null };
  const stored = parsePosition(token);
  // By GTIDs the log is read from its beginning for all that is known of another server's.
  const from =
    stored.by === 'place' || stored.place.server === server ? stored : { ...stored, place: atBeginning(server) };
  const until = position.place.server === server ? position.place : null;
  if (position.by === 'gtid' && from.by === 'gtid')
    return { from, again: againBySet(position.set.copy(), from.set.size, until) };
  if (position.by === 'domain' && from.by === 'domain')
    return { from, again: againByDomain(position.domains, from.domains, until) };
  return { from, again: againByPlace(position.place) };
}

function againBySet(handedOn: Extract<Position, { by: 'gtid' }>['set'], notRead: number, until: Place | null): Again {
  let left = handedOn.size - notRead;
  return {
    until,
    get isOver() {
      return left <= 0;
    },
    isAgain({ source, number }) {
      if (source === null || !handedOn.has(source, number)) return false;
      left -= 1;
      return true;
    },
  };
}

/** Numbers need not rise where a domain has several writers, but its groups have one order: all up to the last one handed on. */
function againByDomain(handedOn: DomainPositions, from: DomainPositions, until: Place | null): Again {
  const left = new Map<string, string>();
  for (const [domain, { server, sequence }] of handedOn) {
    const before = from.get(domain);
    if (before?.server !== server || before.sequence !== sequence)
      left.set(String(domain), `${domain}-${server}-${sequence}`);
  }
  return {
    until,
    get isOver() {
      return left.size === 0;
    },
    isAgain({ source, gtid }) {
      const last = left.get(source ?? '');
      if (last === undefined) return false;
      if (last === gtid) left.delete(source ?? '');
      return true;
    },
  };
}

function againByPlace(until: Place): Again {
  let isOver = false;
  return {
    until,
    get isOver() {
      return isOver;
    },
    isAgain(_, { file, offset }) {
      isOver ||= comparePlaces({ ...until, file, offset }, until) > 0;
      return !isOver;
    },
  };
}
