import type { Client, QueryArrayResult } from 'pg';
import { untilAborted } from '../../core/signals.ts';
import { createClient, serverOf, type SessionOptions } from './client.ts';
import { sqlStateOf, translate } from './errors.ts';
import { type Copy, Flight } from './flight.ts';
import { watchSilence } from './silence.ts';

/** One statement's outcome; every value as the server prints it. */
export interface Outcome {
  readonly rows: readonly (readonly (string | null)[])[];
  /** Rows returned or affected. */
  readonly count: number;
}

/** What makes text in and out mean one thing, whatever the role's or the database's defaults are. */
const SETTINGS = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex';
SET standard_conforming_strings = on; SET extra_float_digits = 1; SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0; SET default_transaction_isolation = 'read committed'; SET client_min_messages = 'warning'`;

/** A session whose client is gone, or cannot be reached any more, must not keep its transaction and what that has locked. */
const KEEPALIVE = 'SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3';
/** Nor go on waiting for a lock and then hold its own; from PostgreSQL 14 on. */
const NOTICE_LOSS = `SELECT set_config(name, '5s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'`;

/**
 * A commit does not wait for the disk: the server writes it there within 0.6 s, in order, so that a crash takes rows and checkpoint back together and the
 * pipeline does them again. PostgreSQL's own subscriptions do so too. An administrator who has set it for the role or the database has the last word.
 */
const NO_WAIT = `SELECT set_config('synchronous_commit', 'off', false) FROM pg_settings
  WHERE name = 'synchronous_commit' AND source NOT IN ('user', 'database', 'database user')`;

const textOnly = { getTypeParser: () => String };

/** One connection, set up for replication: UTC, no triggers or foreign keys where the role may say so. */
export class Session {
  readonly server: string;
  /** Staging tables that exist on this connection. */
  readonly stages = new Set<string>();
  readonly #client: Client;
  readonly #options: SessionOptions;
  /** The server's process that works for this connection, once it has said so. */
  #process: string | null = null;
  #replica = false;
  #lost = false;

  private constructor(client: Client, options: SessionOptions, server: string) {
    this.#client = client;
    this.#options = options;
    this.server = server;
    const lose = (): void => {
      this.#lost = true;
    };
    client.on('error', lose);
    client.on('end', lose);
  }

  static async open(options: SessionOptions, signal: AbortSignal): Promise<Session> {
    const server = serverOf(options.url);
    const client = createClient(options, server);
    const session = new Session(client, options, server);
    try {
      await untilAborted(signal, client.connect());
      await session.#prepare(signal);
      return session;
    } catch (error) {
      client.connection.stream.destroy();
      if (signal.aborted) throw error;
      throw translate(error, { server, connecting: true, lost: true });
    }
  }

  /** The server's process that works for this connection. */
  get process(): string | null {
    return this.#process;
  }

  /** Whether triggers and foreign keys are off on this connection. */
  get replica(): boolean {
    return this.#replica;
  }

  /** Whether the connection has ended, as far as has been heard. */
  get lost(): boolean {
    return this.#lost || this.#client.connection.stream.destroyed;
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    if (this.#options.relaxed === true) await this.query(NO_WAIT, signal);
    const outcomes = await this.query(`${SETTINGS}; SELECT pg_backend_pid()`, signal);
    this.#process = outcomes.at(-1)?.rows[0]?.[0] ?? null;
    await this.#try(KEEPALIVE, signal);
    await this.#try(NOTICE_LOSS, signal);
    this.#replica = await this.#try('SET session_replication_role = replica', signal);
  }

  /** Whether the server allows a setting (42501) and knows it on its platform (22023). */
  async #try(setting: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.query(setting, signal);
      return true;
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === '42501' || state === '22023') return false;
      throw error;
    }
  }

  /** Runs one or more statements, separated by `;`, in one round trip. An abort ends the connection. */
  async query(text: string, signal: AbortSignal): Promise<readonly Outcome[]> {
    return this.#guard(signal, async () => {
      const results: unknown = await this.#client.query({ text, rowMode: 'array', types: textOnly });
      return (Array.isArray(results) ? results : [results]).map(outcomeOf);
    });
  }

  /** Runs statements, rows and all, in one round trip. Errors: also those of whoever makes the rows; then the statement that reads them has failed. */
  async send(steps: readonly (string | Copy)[], signal: AbortSignal): Promise<void> {
    return this.#guard(signal, async () => await this.#client.query(new Flight(steps)).landed);
  }

  async #guard<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const unwatch = watchSilence(this.#client.connection.stream, this.#options, this.#process);
    try {
      return await untilAborted(signal, run());
    } catch (error) {
      if (signal.aborted) {
        this.destroy();
        throw error;
      }
      throw translate(error, {
        server: this.server,
        connecting: false,
        lost: this.#client.connection.stream.destroyed,
      });
    } finally {
      unwatch();
    }
  }

  /** Drops the connection at once: the server rolls back what was open. */
  destroy(): void {
    this.#client.connection.stream.destroy();
  }

  async end(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}

/** The driver's result as ours: this is where its types end. */
function outcomeOf(result: unknown): Outcome {
  const { rows, rowCount } = result as QueryArrayResult<(string | null)[]>;
  return { rows, count: rowCount ?? 0 };
}

/** The connections of one target: as many as lanes apply at the same time, opened when first needed and used again. */
export class Sessions {
  readonly #options: SessionOptions;
  readonly #idle: Session[] = [];
  readonly #taken = new Set<Session>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  async take(signal: AbortSignal): Promise<Session> {
    let session = this.#idle.pop();
    while (session?.lost === true) session = this.#idle.pop();
    session ??= await Session.open(this.#options, signal);
    this.#taken.add(session);
    return session;
  }

  /** Gives a connection back that has no transaction open. */
  release(session: Session): void {
    if (this.#taken.delete(session)) this.#idle.push(session);
  }

  /** Gives a connection back in any state: it is dropped and what it had open is rolled back. */
  discard(session: Session): void {
    this.#taken.delete(session);
    session.destroy();
  }

  /** Runs with a connection that is released when all went well and dropped otherwise. */
  async using<T>(signal: AbortSignal, run: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.take(signal);
    try {
      const result = await run(session);
      this.release(session);
      return result;
    } catch (error) {
      this.discard(session);
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const session of this.#taken) session.destroy();
    this.#taken.clear();
    await Promise.all(this.#idle.splice(0).map((session) => session.end()));
  }
}
