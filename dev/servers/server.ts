/** The servers this module can find or start. `registry` is a schema registry that speaks Confluent's API. */
export const KINDS = ['mariadb', 'mysql', 'postgres', 'mongodb', 'kafka', 'registry'] as const;

export type Kind = (typeof KINDS)[number];

export interface StartOptions {
  /**
   * Added to the server's own settings, and stronger than they are. Command line options for a database
   * (`--binlog-format=STATEMENT`), `name=value` settings for Kafka and the registry.
   * A server with its own arguments never comes from a URL in the environment.
   */
  readonly args?: readonly string[];
  /**
   * Do without fsync, and with less of a compiler in Java: everything survives `kill()`, but not the machine's end.
   * MongoDB always syncs: it can only leave that out together with what it owes its clients after a crash.
   * Default: as durable as in production.
   */
  readonly fast?: boolean;
  /** Never take the server from a URL in the environment, because this one will be killed or paused. */
  readonly own?: boolean;
  /** Keep the binary log encrypted on disk. MySQL and MariaDB, installed here; such a server never comes from elsewhere. */
  readonly encryptedLog?: boolean;
  /** A process of this machine, also where Docker answers: for a server that works with files of the test's own. */
  readonly here?: boolean;
  /** Leave the server running when this process ends. */
  readonly keep?: boolean;
}

/**
 * A server that answers. What was started by this module ends with this process, however that ends; stop it earlier
 * with `stop()` or `await using`. A server from a URL in the environment is left alone: `stop()` does nothing there
 * and the other verbs throw.
 */
export interface Server extends AsyncDisposable {
  readonly kind: Kind;
  /** As clients want it: mysql://, postgres://, mongodb://, http://, and host:port for Kafka. The same after a restart. */
  readonly url: string;
  /** As the server tells it; `unknown` for a Kafka from a URL, whose protocol does not say. */
  readonly version: string;
  /** Where it came from, in words: `LOCKSTEP_TEST_MYSQL_URL`, `docker mysql:9.7`, a program's path. */
  readonly origin: string;
  /** Null while it is down, and for servers that are not processes of this machine. */
  readonly pid: number | null;
  /** Holds `data/` and `server.log` until `stop()`; null for servers that are not processes of this machine. */
  readonly dir: string | null;
  /** Ends it in good order and starts it again: same port, same data. Resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it at once, as a crash would (SIGKILL). The data stays for `start()`. */
  kill(): Promise<void>;
  /** Starts it again after `kill()`, or after it ended by itself. Resolves when it answers; does nothing if it runs. */
  start(): Promise<void>;
  /** Freezes it: connections stay open and nothing answers (SIGSTOP). */
  pause(): Promise<void>;
  /** Lets it go on after `pause()`. */
  resume(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** A program that can be run here. `command` is what stands before the server's own arguments. */
export interface Program {
  readonly command: readonly [string, ...string[]];
  /** Where its other files are: what this means is the recipe's own business. */
  readonly home: string;
  /** Names the cached template of an empty data directory. */
  readonly version: string;
}

/** What one server process needs to know before it starts. */
export interface Place {
  readonly program: Program;
  /** Its own temporary directory, empty and owned by the recipe's `user`. */
  readonly dir: string;
  readonly port: number;
  readonly args: readonly string[];
  readonly fast: boolean;
  readonly encryptedLog: boolean;
}

/** One container, on the same port inside and outside. */
export interface Container {
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

/** How one kind of server is found, installed, started and recognised as ready. */
export interface Recipe {
  readonly kind: Kind;
  /** With its version, for people: `MySQL 9.7`. */
  readonly title: string;
  /** The environment variable that names one which runs already. */
  readonly variable: string;
  /** The system user to run as when we are root; absent for servers that do not mind being root. */
  readonly user?: string;
  /** Ends it in good order. */
  readonly stopSignal: NodeJS.Signals;
  /** Ends it quickly when its data is not wanted any more. */
  readonly abortSignal: NodeJS.Signals;
  url(port: number): string;
  /** The version, from a real connection; throws while the server is not ready. */
  probe(url: string): Promise<string>;
  /** A program on this machine; null when there is none. */
  locate(): Promise<Program | null>;
  /** A program in our own cache or from the machine's package manager; throws when that cannot be done here. */
  install(): Promise<Program>;
  /** Fills the data directory and says with which command the server starts, now and after each restart. */
  prepare(place: Place): Promise<readonly string[]>;
  container(port: number, options: StartOptions): Container;
}
