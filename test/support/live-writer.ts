import { setTimeout as sleep } from 'node:timers/promises';
import { openClient } from './mysql-run.ts';

const gone = [1146, 1054, 1364, 1205, 1213, 1049, 1062, 1265, 1366, 1264];

/** Inserts, updates and deletes rows of a table by its `id` alone, whatever other columns it has at the time, until it is stopped. */
export class LiveWriter implements AsyncDisposable {
  written = 0;
  #stopped = false;
  readonly #working: Promise<void>;

  constructor(url: string, table: string, set: string) {
    this.#working = this.#write(url, table, set);
    this.#working.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #write(url: string, table: string, set: string): Promise<void> {
    const client = await openClient(url, "sql_mode = '', lock_wait_timeout = 5");
    try {
      for (let id = 1_000; !this.#stopped; id += 1) {
        for (const sql of [
          `INSERT INTO ${table} (id) VALUES (${String(id)})`,
          `UPDATE ${table} SET ${set} WHERE id = ${String(id - 3)}`,
          `DELETE FROM ${table} WHERE id = ${String(id - 7)} AND id % 5 = 0`,
        ])
          await client.query(sql).catch(passWhileChanging);
        this.written += 1;
        await sleep(2);
      }
    } finally {
      client.destroy();
    }
  }
}

/** The table has other columns at the moment, or is not there. */
function passWhileChanging(error: unknown): void {
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
  if (!gone.includes(errno)) throw error;
}
