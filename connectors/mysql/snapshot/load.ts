import { LockstepError } from '../../../core/errors.ts';
import { newerThan, readServer, type Server } from '../connection/server.ts';
import { parseAddress, Session, type Asker } from '../connection/session.ts';

/** How busy the source and its replicas are. */
export interface Load {
  readonly threadsRunning: number;
  /** The source itself where it is a replica, and those that are named; null seconds where one does not say. */
  readonly replicas: readonly { readonly where: string; readonly seconds: number | null }[];
}

export interface LoadOptions {
  readonly session: Asker;
  readonly server: Server;
  /** URLs of replicas to ask how far behind they are; a source does not know. */
  readonly replicas: readonly string[];
  readonly onHeard: () => void;
}

const answerWithinMs = 5_000;

/** Asks how busy the source is. Its connections to replicas stay open until it is closed. */
export class LoadMeter {
  readonly #options: LoadOptions;
  readonly #replicas = new Map<string, { readonly session: Session; readonly server: Server }>();
  #mayAskItself = true;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async measure(signal: AbortSignal): Promise<Load> {
    const { session, server, replicas } = this.#options;
    const [row] = await session.query("SHOW GLOBAL STATUS LIKE 'Threads_running'", signal);
    this.#options.onHeard();
    const own = await this.#ownLag(session, server, signal);
    const named = await Promise.all(replicas.map(async (url) => await this.#lagOf(url, signal)));
    return {
      threadsRunning: Number(row?.['value'] ?? 0),
      replicas: [...(own === null ? [] : [{ where: `the source ${session.where}`, seconds: own }]), ...named],
    };
  }

  close(): void {
    for (const { session } of this.#replicas.values()) session.destroy();
    this.#replicas.clear();
  }

  /** Null where it is no replica, its replication is stopped, or the account may not know. */
  async #ownLag(session: Asker, server: Server, signal: AbortSignal): Promise<number | null> {
    if (!this.#mayAskItself) return null;
    try {
      return await readLag(session, server, signal);
    } catch (error) {
      if (!(error instanceof LockstepError) || error.code !== 'SOURCE_GRANT') throw error;
      this.#mayAskItself = false;
      return null;
    }
  }

  /** A replica that does not answer may be one that is overrun: nothing of it is thrown. */
  async #lagOf(url: string, signal: AbortSignal): Promise<Load['replicas'][number]> {
    const address = parseAddress(url);
    const { where } = address;
    const within = AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]);
    try {
      let known = this.#replicas.get(url);
      if (known === undefined) {
        const session = await Session.open(address, within);
        known = { session, server: await readServer(session, within) };
        this.#replicas.set(url, known);
      }
      return { where, seconds: await readLag(known.session, known.server, within) };
    } catch {
      signal.throwIfAborted();
      this.#replicas.get(url)?.session.destroy();
      this.#replicas.delete(url);
      return { where, seconds: null };
    }
  }
}

/** The seconds a server is behind the one it replicates, the most of several; null where it does not replicate. */
async function readLag(session: Asker, server: Server, signal: AbortSignal): Promise<number | null> {
  const rows = await session.query(lagStatement(server), signal);
  const seconds = rows.flatMap((row) => row['seconds_behind_source'] ?? row['seconds_behind_master'] ?? []);
  return seconds.length === 0 ? null : Math.max(...seconds.map(Number));
}

function lagStatement({ flavour, version }: Server): string {
  if (flavour === 'mariadb') return 'SHOW ALL SLAVES STATUS';
  return newerThan(version, 8, 1) ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS';
}
