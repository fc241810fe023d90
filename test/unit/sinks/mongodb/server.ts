import { type Document, MongoClient } from 'mongodb';
import { onTestFinished } from 'vitest';
import type { Batch, Change, Target } from '../../../../core/contracts.ts';
import type { TargetOptions } from '../../../../core/plugin.ts';
import { Progress } from '../../../../core/progress.ts';
import type { TableSchema } from '../../../../core/table.ts';
import { type Server, startServer } from '../../../../dev/servers/index.ts';
import { mongodb } from '../../../../sinks/mongodb/index.ts';
import { batch, stream } from '../../../contract/changes.ts';

export const never = new AbortController().signal;

/** A MongoDB of the test's own, looked at from beside. */
export class Beside {
  readonly server: Server;
  readonly client: MongoClient;
  #serial = 0;

  private constructor(server: Server) {
    this.server = server;
    this.client = new MongoClient(server.url, { serverSelectionTimeoutMS: 5000 });
  }

  static async start(): Promise<Beside> {
    return new Beside(await startServer('mongodb', { fast: true, own: true }));
  }

  options(more: Partial<TargetOptions> = {}): TargetOptions {
    this.#serial += 1;
    const pipeline = `p${String(this.#serial)}`;
    return {
      pipeline,
      target: 'catalog',
      url: this.server.url,
      metadata: 'lockstep',
      progress: new Progress(),
      ...more,
    };
  }

  /** A target as one more process with these options would have it after its start; closed when the test ends. */
  async open(options: TargetOptions, ...tables: TableSchema[]): Promise<Target> {
    const target = await mongodb.open(options);
    onTestFinished(() => target.close());
    await target.prepare(tables, never);
    await target.load('', never);
    return target;
  }

  documents(table: TableSchema, database = table.database): Promise<Document[]> {
    return this.client.db(database).collection(table.name).find({}).sort({ _id: 1 }).toArray();
  }

  /** The transactions that clients of this name have open and are not at. */
  openTransactions(appName: string): Promise<Document[]> {
    const open = { appName, 'transaction.timeInactiveMicros': { $exists: true } };
    const admin = this.client.db('admin');
    return admin.aggregate([{ $currentOp: { idleSessions: true } }, { $match: open }]).toArray();
  }

  /** How many transactions have been aborted, whoever did it. */
  async aborted(): Promise<number> {
    const { transactions } = await this.client.db('admin').command({ serverStatus: 1 });
    return Number((transactions as Document)['totalAborted']);
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.server.stop();
  }
}

/** Applies the changes as one batch with a checkpoint. */
export function apply(
  target: Target,
  changes: readonly Change[],
  token: string,
  more: Partial<Batch> = {},
): Promise<void> {
  return target.apply(stream, { ...batch(changes, token), ...more }, never);
}
