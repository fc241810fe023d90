import { type Db, MongoClient, MongoParseError } from 'mongodb';
import { LockstepError } from '../../core/errors.ts';
import type { TargetOptions } from '../../core/plugin.ts';
import type { TableSchema } from '../../core/table.ts';
import { targetError } from './errors.ts';

/** A connected client and what matters about the server behind it. */
export interface Connection {
  readonly client: MongoClient;
  /** `host:port` of all hosts of the url, for messages. */
  readonly server: string;
  /** The database of the url, null where it names none. */
  readonly database: string | null;
  readonly metadata: Db;
  /** Whether the server takes transactions: replica sets and sharded clusters do, a standalone does not. */
  readonly transactions: boolean;
}

/**
 * Every write that must last waits for a majority with its journal: on a replica set it survives the loss of the primary, on a
 * standalone a crash. Rows use it as well: were they written with less and only the checkpoint with more, a failover
 * between the two could roll the rows back and keep the checkpoint (G1). With some calls under way it costs nothing we could measure.
 */
export const durable = { w: 'majority', journal: true } as const;

const selectionMs = 3_000;

/** Connects, and fails within some seconds where nobody answers. Errors: TARGET_UNREACHABLE, TARGET_HOST_UNKNOWN, TARGET_AUTH, CONFIG_INVALID. */
export async function connect(options: Omit<TargetOptions, 'progress'>): Promise<Connection> {
  const { url, metadata } = options;
  const client = clientFor(url, appNameOf(options));
  const server = client.options.hosts.map(String).join(',');
  try {
    await client.connect();
    const hello: unknown = await client.db('admin').command({ hello: 1 });
    const database = databaseOf(url);
    return { client, server, database, metadata: client.db(metadata), transactions: takesTransactions(hello) };
  } catch (error) {
    await client.close();
    throw targetError(error, { server, doing: 'logging in' });
  }
}

/** What the server shows of our connections; at most 128 bytes, which the names' lengths keep to. */
export function appNameOf({ pipeline, target }: Pick<TargetOptions, 'pipeline' | 'target'>): string {
  return `lockstep/${pipeline}/${target}`;
}

function clientFor(url: string, appName: string): MongoClient {
  try {
    return new MongoClient(url, {
      appName,
      serverSelectionTimeoutMS: selectionMs,
      // A server that is frozen, and not gone, is given up after both together; the driver then ends what waits on it.
      connectTimeoutMS: 10_000,
      heartbeatFrequencyMS: 5_000,
      writeConcern: durable,
      readConcernLevel: 'majority',
      readPreference: 'primary',
      ignoreUndefined: false,
    });
  } catch (error) {
    // The driver's message and stack can hold the whole url (G12).
    const what =
      error instanceof MongoParseError
        ? 'the url of the target is not one of MongoDB'
        : 'the url of the target has a setting that is wrong';
    throw new LockstepError('CONFIG_INVALID', what, {
      fix: 'write mongodb://user:password@host:27017/database?replicaSet=name',
    });
  }
}

/** The driver says `test` where the url names no database; we must know the difference. */
function databaseOf(url: string): string | null {
  const path = /^mongodb(?:\+srv)?:\/\/[^/?]*\/([^?]*)/.exec(url)?.[1] ?? '';
  return path === '' ? null : decodeURIComponent(path);
}

function takesTransactions(hello: unknown): boolean {
  if (typeof hello !== 'object' || hello === null) return false;
  return 'setName' in hello || ('msg' in hello && hello.msg === 'isdbgrid');
}

/** Where a table's rows go. */
export function placeOf(
  connection: Pick<Connection, 'database'>,
  table: TableSchema,
): { database: string; collection: string } {
  const routed = !table.origin.startsWith(`${table.database}.`);
  return { database: routed ? table.database : (connection.database ?? table.database), collection: table.name };
}
