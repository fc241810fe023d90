import { LockstepError } from '../../../core/errors.ts';

const choose =
  'start its replication if it has a source that has them, point source.url to such a server, or copy the tables anew';

/** Transactions in words, the list of them cut where it is long. */
export function several(list: string, count: number): string {
  const shown = list.length > 300 ? `${list.slice(0, 300)}…` : list;
  return `${count === 1 ? 'the transaction' : `${count} transactions`} ${shown}`;
}

/** The server is a replica that applies what it receives, so what it lacks may still come. */
export function behind(where: string, transactions: string): LockstepError {
  return new LockstepError(
    'SOURCE_BEHIND',
    `${where} is a replica and has not applied ${transactions}, which the target holds`,
    {
      fix: 'it is waited for; if its primary is gone and it does not get them any more, point source.url to a server that has them',
    },
  );
}

/** The target holds what the server does not have and will not get. */
export function diverged(where: string, transactions: string): LockstepError {
  return new LockstepError(
    'SOURCE_DIVERGED',
    `${where} does not have ${transactions}, which the target holds already, and does not replicate from a server that may have them`,
    { fix: choose },
  );
}

/** The server did what the target missed, at a place of its log at which the target cannot do it any more. */
export function errant(where: string, transactions: string): LockstepError {
  return new LockstepError(
    'SOURCE_DIVERGED',
    `${where} has ${transactions} in its log before others that the target holds already, so it was written there while it was a replica`,
    { fix: 'point source.url to a server that does not have it, or copy the tables anew' },
  );
}

/** The log does not go back far enough. */
export function purged(where: string, transactions: string, logsReplicated: boolean): LockstepError {
  if (logsReplicated)
    return new LockstepError(
      'SOURCE_HISTORY_LOST',
      `${where} has purged ${transactions}, which the target does not hold, from its log`,
      {
        fix: 'point source.url to a server that still has them in its log, or copy the tables anew; keep logs longer (binlog_expire_logs_seconds)',
      },
    );
  return new LockstepError(
    'SOURCE_HISTORY_LOST',
    `${where} has not logged ${transactions}, which it replicated and the target does not hold`,
    {
      fix: 'point source.url to a server that logs what it replicates, or copy the tables anew; start replicas with log_replica_updates (MariaDB: log_slave_updates)',
    },
  );
}
