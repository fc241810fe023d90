import { LockstepError } from '../../../core/errors.ts';
import { sourceError } from '../connection/errors.ts';
import type { Packet } from '../connection/wire.ts';

/** Error numbers by which a server says that it cannot send the log from there. */
const historyLost: ReadonlySet<number> = new Set([1236, 1373, 1789, 1955]);

/** Why the server ended the dump: an error packet, or EOF when it stops. Errors by code: SOURCE_HISTORY_LOST, SOURCE_CONNECTION_LOST and those of queries. */
export function dumpEnd({ bytes, start, end }: Packet, where: string): LockstepError {
  if (bytes[start] !== 0xff || end - start < 9)
    return new LockstepError('SOURCE_CONNECTION_LOST', `${where} ended the binlog stream`);
  const errno = bytes.readUInt16LE(start + 1);
  const message = bytes.toString('utf8', start + 9, end);
  if (historyLost.has(errno)) {
    return new LockstepError('SOURCE_HISTORY_LOST', `${where}: ${message} (error ${errno})`, {
      fix: 'the log this pipeline needs is gone from the server: keep logs longer (binlog_expire_logs_seconds), then resync',
    });
  }
  const known = sourceError(Object.assign(new Error(message), { errno }), where, 'following the log');
  return known.code === 'SOURCE_QUERY' ? new LockstepError('SOURCE_CONNECTION_LOST', known.message) : known;
}
