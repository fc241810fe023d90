import { LockstepError, type Code } from '../../../core/errors.ts';
import { trustFix } from '../../../core/tls.ts';

/** MySQL and MariaDB error numbers (server and client) we know what to do about. Source: the servers' errmsg tables. */
const byNumber: ReadonlyMap<number, readonly [Code, string]> = new Map([
  [1045, ['SOURCE_AUTH', 'check user and password in source.url, and the account’s host part']],
  [1698, ['SOURCE_AUTH', 'this account logs in by plugin only (unix_socket); create one with a password']],
  [1044, ['SOURCE_GRANT', 'run `lockstep doctor` to see the missing grants']],
  [1142, ['SOURCE_GRANT', 'GRANT SELECT ON the captured tables to the replication user']],
  [1143, ['SOURCE_GRANT', 'GRANT SELECT ON the captured tables to the replication user']],
  [1227, ['SOURCE_GRANT', 'GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* to the replication user']],
  [1049, ['SOURCE_NO_TABLES', 'check the database name in source.tables']],
  [1040, ['SOURCE_BUSY', 'the server is out of connections; raise max_connections']],
  [1203, ['SOURCE_BUSY', 'the account is out of connections; raise max_user_connections']],
  [1205, ['SOURCE_BUSY', '']],
  [1213, ['SOURCE_BUSY', '']],
  [1053, ['SOURCE_CONNECTION_LOST', '']],
  [1077, ['SOURCE_CONNECTION_LOST', '']],
  [1317, ['SOURCE_CONNECTION_LOST', '']],
  [1927, ['SOURCE_CONNECTION_LOST', '']],
  [4031, ['SOURCE_CONNECTION_LOST', '']],
  [1146, ['SOURCE_SCHEMA', 'the table vanished while it was read; run again']],
  [1412, ['SOURCE_SCHEMA', 'the table was truncated or altered while it was read; run again']],
  [1054, ['SOURCE_SCHEMA', 'a column vanished while the table was read; run again']],
  [
    1814,
    [
      'SOURCE_BUSY',
      'the table’s tablespace is discarded: ALTER TABLE … IMPORT TABLESPACE, or leave the table out of source.tables',
    ],
  ],
  [1381, ['SOURCE_BINLOG_OFF', 'start the server with log_bin']],
]);

const byName: ReadonlyMap<string, readonly [Code, string]> = new Map([
  ['ENOTFOUND', ['SOURCE_HOST_UNKNOWN', 'check the host name in source.url']],
  ['EAI_AGAIN', ['SOURCE_UNREACHABLE', 'name resolution failed for now']],
  ['ECONNREFUSED', ['SOURCE_UNREACHABLE', 'is the server running, and is the port in source.url right?']],
  ['ETIMEDOUT', ['SOURCE_UNREACHABLE', 'is the server reachable from here (firewall, address)?']],
  ['EHOSTUNREACH', ['SOURCE_UNREACHABLE', 'is the server reachable from here (firewall, address)?']],
  ['ENETUNREACH', ['SOURCE_UNREACHABLE', 'is the server reachable from here (firewall, address)?']],
  ['ECONNRESET', ['SOURCE_CONNECTION_LOST', '']],
  ['EPIPE', ['SOURCE_CONNECTION_LOST', '']],
  ['PROTOCOL_CONNECTION_LOST', ['SOURCE_CONNECTION_LOST', '']],
  ['HANDSHAKE_NO_SSL_SUPPORT', ['SOURCE_AUTH', 'the server offers no TLS; remove ssl from source.url']],
  ['HANDSHAKE_SSL_ERROR', ['SOURCE_AUTH', trustFix]],
]);

/** What the driver calls fatal and has no name for: a question to a connection that has failed before. */
const gone: readonly [Code, string] = ['SOURCE_CONNECTION_LOST', ''];

/** A driver's or server's error as one of ours, by its number. `doing` says what was being done, in words for people. */
export function sourceError(error: unknown, where: string, doing: string): LockstepError {
  if (error instanceof LockstepError) return error;
  const { errno, code, message, fatal } = driverError(error);
  const named = (errno === null ? undefined : byNumber.get(errno)) ?? (code === null ? undefined : byName.get(code));
  const known = named ?? (errno === null && code === null && fatal ? gone : undefined);
  const number = errno === null || errno < 1000 ? (code ?? '') : `error ${errno}`;
  const text = `${where}: ${doing}: ${message}${number === '' ? '' : ` (${number})`}`;
  if (known === undefined) return new LockstepError(errno === null ? 'BUG' : 'SOURCE_QUERY', text, { cause: error });
  return new LockstepError(known[0], text, { fix: known[1], cause: error });
}

interface DriverError {
  readonly errno: number | null;
  readonly code: string | null;
  readonly message: string;
  /** Whether the connection is of no use any more. */
  readonly fatal: boolean;
}

function driverError(error: unknown): DriverError {
  if (!(error instanceof Error)) return { errno: null, code: null, message: String(error), fatal: false };
  const errno = 'errno' in error && typeof error.errno === 'number' && error.errno > 0 ? error.errno : null;
  const code = 'code' in error && typeof error.code === 'string' ? codeOf(error, error.code) : null;
  const fatal = 'fatal' in error && error.fatal === true;
  return { errno, code, message: error.message === '' ? (code ?? error.name) : error.message, fatal };
}

/** The driver writes HANDSHAKE_SSL_ERROR over the code of whatever ends a handshake; where the connection broke, Node has said which one it was. */
function codeOf(error: Error, code: string): string {
  return code === 'HANDSHAKE_SSL_ERROR' && ('syscall' in error || 'localAddress' in error) ? 'ECONNRESET' : code;
}
