import type { Asker } from '../connection/session.ts';
import type { Heir, History } from './history.ts';
import {
  atBeginning,
  comparePlaces,
  formatDomains,
  type DomainPositions,
  type Place,
  type Position,
} from './position.ts';
import { behind, diverged, errant, purged, several } from './refused-history.ts';
import { highestOf, Seen } from './seen.ts';

type ByDomain = Extract<Position, { by: 'domain' }>;
type Logged = Extract<History, { by: 'domain' }>;
/** What a server has of a domain's last transaction that was handed on. */
type Standing = 'logged' | 'not-logged' | 'behind' | 'diverged' | 'unknown-domain';

/**
 * The same for MariaDB, domain by domain, by the rules of its own replicas with `gtid_strict_mode`, and stricter: a domain that the server does not know at all is not
 * taken for one that another server will bring. Source: MariaDB sql/sql_repl.cc, check_slave_start_position
 */
export async function followDomains(
  stored: ByDomain,
  history: Logged,
  { session, server, role }: Heir,
  signal: AbortSignal,
): Promise<Position> {
  const { where } = session;
  const standings = Map.groupBy(stored.domains, (entry) => standingOf(entry, history));
  const list = (standing: Standing): string | null => listed(standings.get(standing));
  const deleted = new Map(standings.get('unknown-domain'));
  const isSame = stored.place.server === server.id;
  const isDeleted = deleted.size > 0 && isSame && (await reachesBack(session, stored.place, signal));
  const lost = list('diverged') ?? (isDeleted ? null : list('unknown-domain'));
  if (lost !== null) throw diverged(where, lost);
  const late = list('behind');
  if (late !== null) throw role === 'running' ? behind(where, late) : diverged(where, late);
  const unlogged = list('not-logged');
  if (unlogged !== null) throw purged(where, `what came after ${unlogged}`, false);
  const domains: DomainPositions = new Map([...stored.domains].filter(([domain]) => !deleted.has(domain)));
  if (!isSame) requireSeen(stored, history, where);
  const place = isSame ? stored.place : atBeginning(server.id);
  return { ...stored, domains, place, seen: stored.seen ?? Seen.from(domains) };
}

function standingOf(
  [domain, { server, sequence }]: readonly [number, { readonly server: number; readonly sequence: number }],
  { logged, replicated }: Logged,
): Standing {
  if ((logged.get(`${domain}-${server}`) ?? 0) >= sequence) return 'logged';
  const applied = replicated.get(domain);
  if (applied?.server === server && applied.sequence === sequence) return 'logged';
  const highest = highestOf(logged, domain);
  if (applied !== undefined && applied.sequence >= sequence && (highest ?? 0) < sequence) return 'not-logged';
  if (highest === null && applied === undefined) return 'unknown-domain';
  return Math.max(highest ?? 0, applied?.sequence ?? 0) >= sequence ? 'diverged' : 'behind';
}

function listed(
  entries: Iterable<[number, { readonly server: number; readonly sequence: number }]> | undefined,
): string | null {
  const domains = new Map(entries);
  return domains.size === 0 ? null : several(formatDomains(domains), domains.size);
}

/** A server lets a domain be forgotten (FLUSH BINARY LOGS DELETE_DOMAIN_ID) only when no log holds it any more: what is behind the place has none of it. */
async function reachesBack(session: Asker, place: Place, signal: AbortSignal): Promise<boolean> {
  const logs = await session.query('SHOW BINARY LOGS', signal);
  return logs.some((log) => {
    const end = { file: log['log_name'] ?? '', offset: Number(log['file_size']) };
    return end.file === place.file && comparePlaces(place, end) <= 0;
  });
}

/** Without `gtid_strict_mode` a replica takes local writes into the domain that it replicates: its dump begins behind them. Errors: SOURCE_DIVERGED. */
function requireSeen({ seen, domains }: ByDomain, { logged }: Logged, where: string): void {
  const missed = seen?.missedOf(logged, domains) ?? [];
  if (missed.length > 0) throw errant(where, several(missed.join(','), missed.length));
}
