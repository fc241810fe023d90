import { Client } from 'pg';
import { translate } from './errors.ts';

export interface SessionOptions {
  readonly url: string;
  /** What `pg_stat_activity` shows; the server cuts it at 63 bytes. */
  readonly applicationName: string;
  /** Commits return before they are on the disk, unless an administrator has said otherwise. */
  readonly relaxed?: boolean;
}

const CONNECT_TIMEOUT_MS = 15_000;

/** A client that is not connected yet. */
export function createClient(options: SessionOptions, server: string): Client {
  try {
    return new Client({
      connectionString: options.url,
      application_name: options.applicationName,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
  } catch (error) {
    throw translate(error, { server, connecting: true, lost: true });
  }
}

/** `host:port/database` of a URL, for messages. */
export function serverOf(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'the target' : `${parsed.host}${parsed.pathname}`;
}
