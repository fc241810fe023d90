import { locate } from './binlog/locate.ts';
import type { DumpOptions } from './binlog/dump.ts';
import type { Role } from './connection/role.ts';
import { readVisiblePosition, type Server } from './connection/server.ts';
import type { Session } from './connection/session.ts';
import type { Heir, History } from './position/history.ts';
import { parsePosition, type Position } from './position/position.ts';
import { Seen } from './position/seen.ts';
import { requireShown, takeOver, type Taken } from './position/takeover.ts';
import { shownElsewhere } from './snapshot/ranges.ts';
import { streamEntry } from './tables.ts';

/** The server that answers, and a session on it. */
export interface Answering {
  readonly session: Session;
  readonly server: Server;
  readonly role: Role;
}

/** Where a pipeline begins that has not run yet. Errors: SOURCE_SNAPSHOT_POSITION. */
export async function beginHere(
  { session, server }: Answering,
  marker: string | null,
  signal: AbortSignal,
): Promise<{ readonly start: Position; readonly history: History | null }> {
  const position = await readVisiblePosition(session, server, marker, signal);
  const start = position.by === 'domain' ? { ...position, seen: Seen.from(position.domains) } : position;
  return { start, history: null };
}

/** Where it goes on from what the target holds; null where that is nothing. Errors: as of `takeOver`. */
export async function goOnHere(
  entries: ReadonlyMap<string, string>,
  { session, server, role }: Answering,
  dump: Pick<DumpOptions, 'address' | 'identity' | 'onHeard'>,
  signal: AbortSignal,
): Promise<Taken | null> {
  const stored = entries.get(streamEntry);
  if (stored === undefined) return null;
  const find: Heir['locate'] = (gtid, executed) => locate(gtid, executed, { ...dump, server }, signal);
  const heir: Heir = { session, server, role, locate: find };
  const taken = await takeOver(parsePosition(stored), heir, signal);
  requireShown(shownElsewhere(entries, server.id), taken.history, heir);
  return taken;
}
