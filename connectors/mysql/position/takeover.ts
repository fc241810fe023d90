import { LockstepError } from '../../../core/errors.ts';
import { logsReplicated } from '../connection/role.ts';
import type { Server } from '../connection/server.ts';
import { startOf } from './again.ts';
import { followDomains } from './domains-takeover.ts';
import { GtidSet } from './gtid-set.ts';
import { hasDone, readHistory, type Heir, type History } from './history.ts';
import { atBeginning, type Position } from './position.ts';
import { behind, diverged, purged, several } from './refused-history.ts';

export interface Taken {
  /** The position, with a place in this server's log. */
  readonly start: Position;
  readonly history: History;
}

/**
 * A stored position as one of the server that answers now, which may be another one than it was read from. Errors: SOURCE_CHANGED where it means nothing
 * there; SOURCE_BEHIND, SOURCE_DIVERGED, SOURCE_HISTORY_LOST where the server's history is not one that goes on from there.
 */
export async function takeOver(stored: Position, heir: Heir, signal: AbortSignal): Promise<Taken> {
  const { session, server } = heir;
  requireMeaning(server, stored, session.where);
  const history = await readHistory(session, server, signal);
  if (stored.by === 'gtid' && history.by === 'gtid') {
    requireExecuted(stored, history, heir);
    return { start: await placed(stored, history, heir, signal), history };
  }
  if (stored.by === 'domain' && history.by === 'domain')
    return { start: await followDomains(stored, history, heir, signal), history };
  return { start: stored, history };
}

/** A server that has not come yet to what chunks of another one show may still. Errors: SOURCE_BEHIND. */
export function requireShown(shown: readonly Position[], history: History, { session, role }: Heir): void {
  if (role === 'running' && !shown.every((position) => hasDone(history, position)))
    throw behind(session.where, 'all that copied rows show');
}

/** File and offset mean nothing on another server, and GTIDs of one kind nothing to the other. Errors: SOURCE_CHANGED. */
function requireMeaning(server: Server, stored: Position, where: string): void {
  if (stored.by === 'place' ? stored.place.server === server.id : stored.by === server.addressing) return;
  const gtidsOff = stored.by === 'gtid' && server.flavour === 'mysql';
  const [what, fix] = gtidsOff
    ? [
        'has gtid_mode other than ON, and this pipeline’s position is a set of GTIDs',
        'SET GLOBAL gtid_mode = ON, step by step',
      ]
    : [
        'is another server than the one this pipeline followed, and the stored position does not hold there',
        'point source.url to the old server, or turn GTIDs on and resync; positions by GTID survive a change of server',
      ];
  throw new LockstepError('SOURCE_CHANGED', `${where} ${what}`, { fix });
}

function requireExecuted(
  stored: Extract<Position, { by: 'gtid' }>,
  { executed, purged: gone }: Extract<History, { by: 'gtid' }>,
  { session: { where }, server, role }: Heir,
): void {
  const missing = stored.set.without(executed);
  if (missing.size > 0) {
    const list = several(missing.toString(), missing.size);
    throw role === 'running' ? behind(where, list) : diverged(where, list);
  }
  const { from } = startOf(stored, server.id);
  const lost = from.by === 'gtid' ? gone.without(from.set) : gone;
  if (lost.size > 0) throw purged(where, several(lost.toString(), lost.size), logsReplicated(server));
}

/**
 * With a place in this server's log. On another server than before, what is new and stands before the last of what is known is told from the rest; a position
 * of an earlier version knows as last what its server wrote itself.
 */
async function placed(
  stored: Extract<Position, { by: 'gtid' }>,
  { executed, purged: gone }: Extract<History, { by: 'gtid' }>,
  { server, locate }: Heir,
  signal: AbortSignal,
): Promise<Position> {
  if (stored.place.server === server.id) return stored;
  const { mixed: _, ...position } = { ...stored, place: atBeginning(server.id) };
  const last = stored.last ?? stored.set.lastOf(stored.place.server);
  if (last === null || stored.set.covers(executed) || gone.covers(GtidSet.parse(last))) return position;
  const until = await locate(last, executed, signal);
  return until === null ? position : { ...position, mixed: { until, source: last.slice(0, last.lastIndexOf(':')) } };
}
