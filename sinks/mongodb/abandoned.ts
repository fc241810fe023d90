import type { MongoClient } from 'mongodb';

/** A living process leaves none of its transactions alone for so long; were it that slow, its transaction would be run again. */
const abandonedAfterMs = 3_000;

/** What `$currentOp` says of a connection, or of a session whose transaction is open while nothing is done in it. */
interface Operation {
  readonly type: 'op' | 'idleSession';
  /** Of a session: the one that was last used for it. */
  readonly connectionId?: number;
  readonly lsid?: { readonly id: unknown };
  readonly transaction?: { readonly timeInactiveMicros: number };
}

/**
 * Ends the transactions that processes with this client's `appName` opened and left alone: those whose connection is gone, as a killed process's
 * is, and those that have stood still for 3 s, as a frozen one's do. The server would keep them, and all that they wrote locked, for another
 * minute (manual, `transactionLifetimeLimitSeconds`). Looks at the account's own operations only, which needs no right. Where the server does not
 * let us, the minute passes.
 */
export async function endAbandoned(client: MongoClient): Promise<void> {
  const admin = client.db('admin');
  const everything = { $currentOp: { allUsers: false, idleSessions: true, idleConnections: true } };
  const found = await admin
    .aggregate<Operation>([everything, { $match: { appName: client.options.appName } }], {
      readConcern: { level: 'local' },
    })
    .toArray()
    .catch(() => []);
  const connections = new Set(found.filter(({ type }) => type === 'op').map(({ connectionId }) => connectionId));
  const sessions = found.flatMap(({ type, connectionId, lsid, transaction }) => {
    if (type !== 'idleSession' || lsid === undefined || transaction === undefined) return [];
    const isLeft = transaction.timeInactiveMicros > abandonedAfterMs * 1000;
    return isLeft || !connections.has(connectionId) ? [{ id: lsid.id }] : [];
  });
  if (sessions.length > 0) await admin.command({ killSessions: sessions }).catch(() => undefined);
}
