import type { Document, MongoClient } from 'mongodb';

/** A living process leaves none of its transactions alone for so long; were it that slow, its transaction would be run again. */
const abandonedAfterMs = 3_000;

/**
 * Ends the transactions that processes with this client's `appName` opened and left alone, as one does that is killed: the server would keep them, and
 * all that they wrote locked, for another minute (manual, `transactionLifetimeLimitSeconds`). Looks at the account's own sessions only, which
 * needs no right. Where the server does not let us, the minute passes.
 */
export async function endAbandoned(client: MongoClient): Promise<void> {
  const admin = client.db('admin');
  const abandoned = {
    appName: client.options.appName,
    active: false,
    'transaction.timeInactiveMicros': { $gt: abandonedAfterMs * 1000 },
  };
  const found = await admin
    .aggregate([{ $currentOp: { allUsers: false, idleSessions: true } }, { $match: abandoned }], {
      readConcern: { level: 'local' },
    })
    .toArray()
    .catch(() => []);
  const sessions = found.flatMap(sessionOf);
  if (sessions.length > 0) await admin.command({ killSessions: sessions }).catch(() => undefined);
}

function sessionOf({ lsid }: Document): { id: unknown }[] {
  return typeof lsid === 'object' && lsid !== null && 'id' in lsid ? [{ id: lsid.id as unknown }] : [];
}
