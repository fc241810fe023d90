import { isIP, Socket } from 'node:net';
import { createConnection, type Connection, type ConnectionOptions, type RowDataPacket } from 'mysql2';
import { LockstepError } from '../../../core/errors.ts';
import { untilAborted } from '../../../core/signals.ts';
import { sourceError } from './errors.ts';
import { Wire, type WireOptions } from './wire.ts';

/** How to reach the source; made once from its URL. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly ssl: { readonly rejectUnauthorized: boolean; readonly verifyIdentity: boolean } | null;
  /** `host:port`, for messages. */
  readonly where: string;
}

/**
 * Reads `mysql://user:password@host:port?ssl=true|verify`: `true` encrypts, `verify` also checks the certificate and the host that it names.
 * Errors: CONFIG_INVALID.
 */
export function parseAddress(text: string): Address {
  const url = URL.parse(text);
  if (url === null || url.hostname === '') {
    throw new LockstepError('CONFIG_INVALID', 'source.url is not a URL', {
      fix: 'write mysql://user:password@host:3306',
    });
  }
  const port = url.port === '' ? 3306 : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    port,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    ssl: sslOf(url.searchParams, host),
    where: `${url.hostname}:${port}`,
  };
}

/** What is not understood is refused: a connection that should be safe and is not would look the same. */
function sslOf(parameters: URLSearchParams, host: string): Address['ssl'] {
  const unknown = [...parameters.keys()].find((name) => name !== 'ssl');
  const ssl = parameters.get('ssl') ?? 'false';
  if (unknown !== undefined || !['false', 'true', 'verify'].includes(ssl)) {
    const what = unknown === undefined ? `ssl=${ssl}` : `the parameter ${unknown}`;
    throw new LockstepError('CONFIG_INVALID', `the URL of the source has ${what}, which is not known`, {
      fix: 'write ?ssl=true to encrypt the connection, ?ssl=verify to check the certificate too, or nothing',
    });
  }
  const verify = ssl === 'verify';
  if (verify && isIP(host) !== 0) {
    throw new LockstepError('CONFIG_INVALID', `the URL of the source asks for ssl=verify at the address ${host}`, {
      fix: 'put the name that the certificate has in its place',
    });
  }
  return ssl === 'false' ? null : { rejectUnauthorized: verify, verifyIdentity: verify };
}

const connectTimeoutMs = 10_000;

/** The text protocol's values as strings, NULL as null; the session's zone is UTC and its charset utf8mb4. */
export type TextRow = Readonly<Record<string, string | null>>;

/** Something that answers questions: settings, catalog, positions. Column names come in lower case. */
export interface Asker {
  readonly where: string;
  /** Runs one statement; `values` fill its `?`. Errors: the SOURCE_ codes. */
  query(sql: string, signal: AbortSignal, values?: readonly unknown[]): Promise<TextRow[]>;
}

/** The first row's first column, null when there is none. */
export async function askValue(
  asker: Asker,
  sql: string,
  signal: AbortSignal,
  values: readonly unknown[] = [],
): Promise<string | null> {
  const [row] = await asker.query(sql, signal, values);
  return row === undefined ? null : (Object.values(row)[0] ?? null);
}

/** An hour, in which the server waits where we do not read on because a target or a long chunk keeps us. */
export const patience = 'net_write_timeout = 3600';

/** Set on every connection that reads: UTC, no rewriting of what is stored, and patience. */
export const sessionSettings = `SET time_zone = '+00:00', sql_mode = '', group_concat_max_len = 1000000, ${patience}`;

/** A connection for questions to the server. */
export class Session implements Asker {
  readonly where: string;
  readonly #connection: Connection;

  private constructor(connection: Connection, where: string) {
    this.#connection = connection;
    this.where = where;
  }

  /** Errors: the SOURCE_ codes of connecting (auth, host, unreachable). */
  static async open(address: Address, signal: AbortSignal): Promise<Session> {
    const session = new Session(await handshake(address, signal), address.where);
    try {
      await session.query(sessionSettings, signal);
    } catch (error) {
      session.destroy();
      throw error;
    }
    return session;
  }

  /** Finds out whether the server still answers. Errors: SOURCE_SILENT after `deadlineMs`. */
  async ping(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const deadline = AbortSignal.timeout(deadlineMs);
    try {
      await this.query('DO 1', AbortSignal.any([signal, deadline]));
    } catch (error) {
      if (signal.aborted || !deadline.aborted) throw error;
      throw new LockstepError('SOURCE_SILENT', `${this.where} did not answer for ${deadlineMs / 1000} s`);
    }
  }

  async query(sql: string, signal: AbortSignal, values: readonly unknown[] = []): Promise<TextRow[]> {
    const rows = new Promise<TextRow[]>((resolve, reject) => {
      this.#connection.query({ sql, values: [...values], typeCast: (field) => field.string() }, (error, result) => {
        if (error === null) resolve(textRows(result));
        else reject(sourceError(error, this.where, sql.slice(0, 80)));
      });
    });
    return untilAborted(signal, rows);
  }

  /** Gives the connection over to the packet layer; the session must not be used any more. */
  intoWire(options: WireOptions): Wire {
    return new Wire(socketOf(this.#connection), { where: this.where, ...options });
  }

  destroy(): void {
    destroy(this.#connection);
  }
}

function socketOf(connection: Connection): Socket {
  const { stream } = connection as unknown as { stream: unknown };
  if (!(stream instanceof Socket)) throw new LockstepError('BUG', 'the MySQL driver’s connection has no socket');
  return stream;
}

/** The driver's own way says goodbye and goes on reading. */
function destroy(connection: Connection): void {
  connection.destroy();
  socketOf(connection).destroy();
}

function textRows(result: unknown): TextRow[] {
  if (!Array.isArray(result)) return [];
  return (result as RowDataPacket[]).map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name.toLowerCase(), value === null ? null : String(value)]),
    ),
  );
}

function handshake(address: Address, signal: AbortSignal): Promise<Connection> {
  const options: ConnectionOptions = {
    host: address.host,
    port: address.port,
    user: address.user,
    password: address.password,
    charset: 'utf8mb4_general_ci',
    connectTimeout: connectTimeoutMs,
    enableKeepAlive: true,
    supportBigNumbers: true,
    // With query attributes every command would carry a parameter count, which the packet layer does not write.
    flags: ['-CLIENT_QUERY_ATTRIBUTES'],
    ...(address.ssl === null ? {} : { ssl: address.ssl }),
  };
  const connection = createConnection(options);
  const connected = new Promise<Connection>((resolve, reject) => {
    connection.once('connect', () => resolve(connection));
    connection.on('error', (error: Error) => reject(sourceError(error, address.where, 'connecting')));
  });
  return untilAborted(signal, connected).catch((error: unknown) => {
    destroy(connection);
    throw error;
  });
}
