import type { Role } from '../connection/role.ts';
import type { Server } from '../connection/server.ts';
import { askValue, type Asker } from '../connection/session.ts';
import { GtidSet } from './gtid-set.ts';
import { parseDomains, type DomainPositions, type Place, type Position } from './position.ts';
import { parseWriters, type Writers } from './seen.ts';

/** The server that is to be followed from a position. */
export interface Heir {
  readonly session: Asker;
  readonly server: Server;
  readonly role: Role;
  /** Where a transaction ends in the server's log; null where it is not in it. */
  readonly locate: (gtid: string, executed: GtidSet, signal: AbortSignal) => Promise<Place | null>;
}

/** What a server has done, as it says itself. */
export type History =
  | { readonly by: 'gtid'; readonly executed: GtidSet; readonly purged: GtidSet }
  | {
      readonly by: 'domain';
      /** What its log holds or held. */
      readonly logged: Writers;
      /** What it applied last as a replica. */
      readonly replicated: DomainPositions;
    }
  | { readonly by: 'place' };

/** Needs no right. */
export async function readHistory(session: Asker, server: Server, signal: AbortSignal): Promise<History> {
  const ask = async (variable: string): Promise<string> =>
    (await askValue(session, `SELECT @@global.${variable}`, signal)) ?? '';
  switch (server.addressing) {
    case 'gtid': {
      // Purged first: what is purged meanwhile was executed before.
      const purged = GtidSet.parse(await ask('gtid_purged'));
      return { by: 'gtid', purged, executed: GtidSet.parse(await ask('gtid_executed')) };
    }
    case 'domain': {
      const replicated = parseDomains(await ask('gtid_slave_pos'));
      return { by: 'domain', replicated, logged: parseWriters(await ask('gtid_binlog_state')) };
    }
    case 'place':
      return { by: 'place' };
  }
}

/** Whether the server has done all that a position lists. By file and offset nothing can be known. */
export function hasDone(history: History, position: Position): boolean {
  if (history.by === 'gtid' && position.by === 'gtid') return history.executed.covers(position.set);
  if (history.by !== 'domain' || position.by !== 'domain') return false;
  return [...position.domains].every(
    ([domain, { server, sequence }]) => (history.logged.get(`${domain}-${server}`) ?? 0) >= sequence,
  );
}
