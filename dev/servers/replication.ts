import { createConnection } from 'mysql2/promise';
import { startServer } from './index.ts';
import { until } from './process.ts';
import type { Server } from './server.ts';

/** A server and another one that replicates from it by GTID. */
export interface Pair extends AsyncDisposable {
  readonly primary: Server;
  readonly replica: Server;
}

export interface PairOptions {
  /** The primary's and the replica's own arguments, beside those that replication needs. */
  readonly primary?: readonly string[];
  readonly replica?: readonly string[];
}

/** Starts two servers of one kind, both without fsync, the replica read-only and replicating. */
export async function startPair(kind: 'mysql' | 'mariadb', options: PairOptions = {}): Promise<Pair> {
  const started = new AsyncDisposableStack();
  const start = async (args: readonly string[] = []): Promise<Server> => started.use(await startMember(kind, args));
  try {
    const [primary, replica] = await Promise.all([start(options.primary), start(options.replica)]);
    await replicate(primary, replica);
    return { primary, replica, [Symbol.asyncDispose]: async () => await started.disposeAsync() };
  } catch (failure) {
    await started.disposeAsync();
    throw failure;
  }
}

/** Starts a server that can be a primary and a replica, without fsync. */
export async function startMember(kind: 'mysql' | 'mariadb', args: readonly string[] = []): Promise<Server> {
  const own = kind === 'mariadb' ? ['--log-slave-updates=ON', ...args] : args;
  return await startServer(kind, { fast: true, own: true, args: own });
}

/** Has `to` replicate from `from`, from where it stands. */
export async function replicate(from: Server, to: Server): Promise<void> {
  const { hostname, port, username, password } = new URL(from.url);
  const account = `USER = '${username}', PASSWORD = '${password}'`;
  const statements: Record<string, string[]> = {
    mysql: [
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${hostname}', SOURCE_PORT = ${port}, ${account.replaceAll(/USER|PASSWORD/g, 'SOURCE_$&')}, SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1, SOURCE_CONNECT_RETRY = 1`,
      'START REPLICA',
    ],
    mariadb: [
      `CHANGE MASTER TO MASTER_HOST = '${hostname}', MASTER_PORT = ${port}, ${account.replaceAll(/USER|PASSWORD/g, 'MASTER_$&')}, MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1`,
      'START SLAVE',
    ],
  };
  await ask(to, ...(statements[to.kind] ?? []), 'SET GLOBAL read_only = 1');
}

/** Ends a replica's replication for good and lets it be written to, whatever it has not received or applied. */
export async function promote(server: Server): Promise<void> {
  const [stop, reset] =
    server.kind === 'mysql' ? ['STOP REPLICA', 'RESET REPLICA ALL'] : ['STOP SLAVE', 'RESET SLAVE ALL'];
  await ask(server, stop, reset, 'SET GLOBAL read_only = 0');
}

/** Resolves when the replica has applied all that the primary's log holds now. Throws after 60 s. */
export async function inStep({ primary, replica }: Pick<Pair, 'primary' | 'replica'>): Promise<void> {
  const [position, isThere] =
    primary.kind === 'mysql'
      ? ['SELECT @@global.gtid_executed', 'SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 1) = 0']
      : ['SELECT @@gtid_binlog_pos', 'SELECT MASTER_GTID_WAIT(?, 1) = 0'];
  const [wanted] = await ask(primary, position);
  await until(60, async () => {
    const [answer] = await ask(replica, { sql: isThere, values: [wanted] });
    if (answer !== '1') throw new Error(`the replica does not come to ${String(wanted)}`);
  });
}

/** Runs statements one after the other on a connection of their own; gives the first value that each of them answers, null where there is none. */
export async function ask(
  server: Pick<Server, 'url'>,
  ...statements: readonly (string | { readonly sql: string; readonly values: readonly unknown[] })[]
): Promise<(string | null)[]> {
  const connection = await createConnection({ uri: server.url, typeCast: (field) => field.string() });
  try {
    const answers: (string | null)[] = [];
    for (const statement of statements) {
      const { sql, values } = typeof statement === 'string' ? { sql: statement, values: [] } : statement;
      const [rows] = await connection.query({ sql, values: [...values], rowsAsArray: true });
      const first: unknown = Array.isArray(rows) && Array.isArray(rows[0]) ? rows[0][0] : null;
      answers.push(typeof first === 'string' ? first : null);
    }
    return answers;
  } finally {
    connection.destroy();
  }
}
