import { Pool } from 'pg';
import type { Change, Target } from '../../../../core/contracts.ts';
import { LockstepError } from '../../../../core/errors.ts';
import type { TargetOptions } from '../../../../core/plugin.ts';
import { Progress } from '../../../../core/progress.ts';
import type { TableSchema } from '../../../../core/table.ts';
import { type Server, startServer } from '../../../../dev/servers/index.ts';
import { postgres } from '../../../../sinks/postgres/index.ts';
import { batch, stream } from '../../../contract/changes.ts';

export const never = new AbortController().signal;

/** A PostgreSQL of the test's own, looked at from beside. */
export class Beside implements AsyncDisposable {
  readonly server: Server;
  readonly pool: Pool;
  #serial = 0;

  private constructor(server: Server) {
    this.server = server;
    this.pool = new Pool({ connectionString: server.url, max: 2, options: '-c TimeZone=UTC' });
    this.pool.on('error', () => undefined);
  }

  static async start(): Promise<Beside> {
    return new Beside(await startServer('postgres', { fast: true, own: true }));
  }

  options(more: Partial<TargetOptions> = {}): TargetOptions {
    this.#serial += 1;
    const pipeline = `p${String(this.#serial)}`;
    return {
      pipeline,
      target: 'warehouse',
      url: this.server.url,
      metadata: 'lockstep',
      progress: new Progress(),
      ...more,
    };
  }

  /** A name for a table that no other test has. */
  name(): string {
    this.#serial += 1;
    return `t${String(this.#serial)}`;
  }

  async open(...tables: TableSchema[]): Promise<Target> {
    const target = await postgres.open(this.options());
    await target.prepare(tables, never);
    await target.load('', never);
    return target;
  }

  /** The rows of a statement, each value as the server prints it. */
  async query(text: string): Promise<(string | null)[][]> {
    const types = { getTypeParser: () => String };
    return (await this.pool.query<(string | null)[]>({ text, rowMode: 'array', types })).rows;
  }

  async rows(table: TableSchema, columns = '*'): Promise<(string | null)[][]> {
    return this.query(`SELECT ${columns} FROM "${table.database}"."${table.name}" ORDER BY 1, 2`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end();
    await this.server.stop();
  }
}

let token = 0;

export async function apply(target: Target, ...changes: Change[]): Promise<void> {
  await target.apply(stream, batch(changes, String((token += 1))), never);
}

/** The error of ours that a promise ends with. */
export async function failure(promise: Promise<unknown>): Promise<LockstepError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
  if (error instanceof LockstepError) return error;
  throw error;
}
