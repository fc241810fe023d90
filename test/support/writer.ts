import { createConnection, type Connection } from 'mysql2/promise';
import { seeded, type Random } from '../../dev/random.ts';
import { insertOf, newRows, qualified, valueOf, whereRow, type RandomTable } from './tables.ts';

export interface RandomWriterOptions {
  readonly seed: number;
  /** Default: 3. */
  readonly connections?: number;
  /** Ends by itself after that many transactions in all; default: none, it writes until it is stopped. */
  readonly transactions?: number;
  /** Whether others change the tables meanwhile, so that statements fail because the table is not as it was. */
  readonly changing?: boolean;
}

const RETRIED = [1205, 1213];
const DUPLICATE = 1062;
/** Unknown column, table or default; another number of values; a value that does not fit; a definition that has just changed. */
const CHANGED = [1054, 1136, 1146, 1264, 1265, 1292, 1364, 1366, 1406, 1412, 3819];

/**
 * Writes to the tables from several connections at once: transactions of one to six statements that insert, update, delete,
 * change keys and touch many rows, some rolled back; again from the beginning after a deadlock. Stop it before comparing.
 */
export class RandomWriter implements AsyncDisposable {
  readonly #tables: readonly RandomTable[];
  readonly #limit: number;
  readonly #passed: readonly number[];
  readonly #working: Promise<unknown>;
  readonly #failed = Promise.withResolvers<never>();
  #stopping = false;
  #transactions = 0;

  constructor(url: string, tables: readonly RandomTable[], options: RandomWriterOptions) {
    this.#tables = tables;
    this.#limit = options.transactions ?? Infinity;
    this.#passed = options.changing === true ? [DUPLICATE, ...CHANGED] : [DUPLICATE];
    this.#failed.promise.catch(() => undefined);
    const seeds = Array.from({ length: options.connections ?? 3 }, (_, i) => options.seed * 1000 + i);
    this.#working = Promise.all(seeds.map(async (seed) => await this.#work(url, seeded(seed)))).catch(
      (error: unknown) => {
        this.#stopping = true;
        this.#failed.reject(error);
        throw error;
      },
    );
    this.#working.catch(() => undefined); // told by whoever waits
  }

  /** Committed until now. */
  get transactions(): number {
    return this.#transactions;
  }

  /** Resolves when it has written all that it was told to; throws when it has failed. */
  async finished(): Promise<void> {
    await this.#working;
  }

  /** Resolves when nothing more will be committed; throws when it has failed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #work(url: string, random: Random): Promise<void> {
    const connection = await createConnection({ uri: url, charset: 'utf8mb4_bin' });
    try {
      await connection.query("SET time_zone = '+00:00', innodb_lock_wait_timeout = 2");
      while (!this.#stopping && this.#transactions < this.#limit) await this.#transact(connection, random);
    } finally {
      connection.destroy();
    }
  }

  async #transact(connection: Connection, random: Random): Promise<void> {
    const statements = Array.from({ length: random.between(1, 6) }, () => this.#statement(random));
    for (;;) {
      try {
        await connection.query('BEGIN');
        for (const statement of statements) await connection.query(statement);
        await connection.query(random.chance(0.05) ? 'ROLLBACK' : 'COMMIT');
        this.#transactions += 1;
        return;
      } catch (error) {
        const number = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
        if (!RETRIED.includes(number) && !this.#passed.includes(number)) throw error;
        await connection.query('ROLLBACK');
        if (this.#passed.includes(number) || this.#stopping) return;
      }
    }
  }

  #statement(random: Random): string {
    const table = this.#tables[random.int(this.#tables.length)];
    if (table === undefined) throw new Error('there are no tables to write to');
    const name = qualified(table);
    const row = whereRow(table, random.between(1, table.next));
    const dice = random.next();
    if (dice < 0.3) return insertOf(table, random, newRows(table, random.between(1, 8)));
    if (dice < 0.45) return `DELETE FROM ${name} WHERE ${row}`;
    if (dice < 0.5) return `DELETE FROM ${name} ORDER BY ${first(table)} LIMIT ${String(random.between(1, 4))}`;
    if (dice < 0.58 && table.keyColumns.length > 0) return changeKey(table, random, row);
    if (dice < 0.64 && table.keyColumns.length > 0)
      return insertOf(table, random, [random.between(1, table.next)]).replace('INSERT', 'REPLACE');
    const many = random.chance(0.05) ? `${first(table)} IS NOT NULL LIMIT 20` : row;
    const set = table.columns
      .filter(() => random.chance(0.5))
      .map((column) => `${column.name} = ${valueOf(column, random)}`);
    return set.length === 0 ? `DELETE FROM ${name} WHERE ${row}` : `UPDATE ${name} SET ${set.join()} WHERE ${many}`;
  }
}

function first(table: RandomTable): string {
  return table.keyColumns[0] ?? 'number';
}

function changeKey(table: RandomTable, random: Random, row: string): string {
  const [fresh = 0] = random.chance(0.5) ? newRows(table, 1) : [random.between(1, table.next)];
  const values = table.key(fresh);
  return `UPDATE ${qualified(table)} SET ${table.keyColumns.map((name, i) => `${name} = ${values[i] ?? 'NULL'}`).join()} WHERE ${row}`;
}
