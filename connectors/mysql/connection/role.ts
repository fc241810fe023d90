import { LockstepError } from '../../../core/errors.ts';
import { isReadOnly, newerThan, type Server } from './server.ts';
import type { Asker, TextRow } from './session.ts';

/** Whether a server has its data from another one. `running`: it applies what it receives; `stopped`: it does not. */
export type Role = 'primary' | 'running' | 'stopped';

/** Needs REPLICATION CLIENT on MySQL. On MariaDB, without SLAVE MONITOR, a replica that is stopped counts as a primary. */
export async function readRole(session: Asker, server: Server, signal: AbortSignal): Promise<Role> {
  const channels = await readChannels(session, server, signal);
  if (channels === null) return (await countRunning(session, signal)) > 0 ? 'running' : 'primary';
  if (channels.length === 0) return 'primary';
  const isRunning = (row: TextRow): boolean => (row['replica_sql_running'] ?? row['slave_sql_running']) === 'Yes';
  return channels.some(isRunning) ? 'running' : 'stopped';
}

/** Refuses a server whose log lacks what it replicates. Errors: SOURCE_BINLOG_OFF. */
export function requireReplicatedLogged(server: Server, role: Role, where: string): void {
  if (role === 'primary' || logsReplicated(server)) return;
  throw new LockstepError('SOURCE_BINLOG_OFF', `${where} is a replica whose binary log lacks what it replicates`, {
    fix: 'start it with log_replica_updates (MariaDB: log_slave_updates), or point source.url to its primary',
  });
}

export function logsReplicated({ variables }: Server): boolean {
  return (variables.get('log_replica_updates') ?? variables.get('log_slave_updates'))?.toUpperCase() !== 'OFF';
}

/** The server in words for people: which one answers, and as what. */
export function describeServer(server: Server, role: Role): string {
  const { flavour, version, id, variables } = server;
  const readOnly = isReadOnly(server) ? ', read-only' : '';
  const replica = role === 'primary' ? 'primary' : `replica${role === 'stopped' ? ', not replicating' : ''}`;
  return `${flavour} ${version} on ${variables.get('hostname') ?? 'an unknown host'}, server ${id}, ${replica}${readOnly}`;
}

async function readChannels(session: Asker, server: Server, signal: AbortSignal): Promise<readonly TextRow[] | null> {
  try {
    return await session.query(statusStatement(server), signal);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'SOURCE_GRANT') return null;
    throw error;
  }
}

function statusStatement({ flavour, version }: Server): string {
  if (flavour === 'mariadb') return 'SHOW ALL SLAVES STATUS';
  return newerThan(version, 8, 2) ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS';
}

async function countRunning(session: Asker, signal: AbortSignal): Promise<number> {
  const [row] = await session.query("SHOW GLOBAL STATUS LIKE 'Slaves_running'", signal);
  return Number(row?.['value'] ?? 0);
}
