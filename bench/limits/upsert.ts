import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { seeded, type Random } from '../../dev/random.ts';
import { BACKLOG_TABLES, type BacklogChange, type BacklogTable } from '../backlog.ts';
import { BENCH_DATABASE, mixedRow } from '../data.ts';
import type { Limit } from '../throughput.ts';

/** As many as bring PostgreSQL no more when they are doubled. */
const CHANGES_PER_BATCH = 10_000;

/** What of one table is to be done in one transaction. */
interface Part {
  readonly table: BacklogTable;
  /** Whole new rows in COPY's binary form. */
  readonly rows: Buffer;
  readonly deletes: readonly string[];
}

/**
 * What PostgreSQL alone takes of a backlog: the same keys in the same order, folded to the last change of each in batches of 10,000, on one
 * connection: COPY in binary form into a staging table, INSERT … ON CONFLICT from there, DELETE by key. The rows are made anew, of the same
 * shape, and lie encoded in memory before the clock starts.
 */
export class UpsertLimit implements AsyncDisposable {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Takes the target's tables as they are now for where the backlog begins. */
  static async open(url: string): Promise<UpsertLimit> {
    const client = new Client({ connectionString: url });
    await client.connect();
    for (const table of BACKLOG_TABLES) {
      await client.query(`DROP TABLE IF EXISTS limit_${table}`);
      await client.query(`CREATE TABLE limit_${table} (LIKE ${BENCH_DATABASE}.${table} INCLUDING ALL)`);
      await client.query(`INSERT INTO limit_${table} SELECT * FROM ${BENCH_DATABASE}.${table}`);
      await client.query(`CREATE TEMP TABLE stage_${table} (LIKE limit_${table}) ON COMMIT DELETE ROWS`);
    }
    await client.query("SET TimeZone = 'UTC'");
    return new UpsertLimit(client);
  }

  /** Throws when the tables do not end with the keys that those of Lockstep have. */
  async measure(changes: readonly BacklogChange[]): Promise<Limit> {
    const random = seeded(changes.length);
    const batches: Part[][] = [];
    for (let at = 0; at < changes.length; at += CHANGES_PER_BATCH)
      batches.push(await this.#prepare(changes.slice(at, at + CHANGES_PER_BATCH), random));
    await this.#client.query('CHECKPOINT');
    const started = performance.now();
    for (const batch of batches) await this.#apply(batch);
    const seconds = (performance.now() - started) / 1000;
    await this.#check();
    return { name: 'upserts by hand', seconds };
  }

  async #prepare(changes: readonly BacklogChange[], random: Random): Promise<Part[]> {
    const parts: Part[] = [];
    for (const [table, ofTable] of Map.groupBy(changes, (change) => change.table)) {
      const last = new Map(ofTable.map(({ id, kind }) => [id, kind]));
      const ids = [...last.keys()];
      const lines = ids
        .filter((id) => last.get(id) !== 'delete')
        .map((id) => `${mixedRow(random, id).map(String).join('\t')}\n`);
      const deletes = ids.filter((id) => last.get(id) === 'delete').map(String);
      parts.push({ table, rows: await this.#encode(table, lines.join('')), deletes });
    }
    return parts;
  }

  /** PostgreSQL itself turns text into its binary form. */
  async #encode(table: string, text: string): Promise<Buffer> {
    await this.#client.query('BEGIN');
    await this.#copyIn(`COPY stage_${table} FROM STDIN`, Buffer.from(text));
    const stream = this.#client.query(copyTo(`COPY stage_${table} TO STDOUT (FORMAT binary)`));
    const pieces: Buffer[] = [];
    for await (const piece of stream) if (piece instanceof Buffer) pieces.push(piece);
    await this.#client.query('COMMIT');
    return Buffer.concat(pieces);
  }

  async #apply(batch: readonly Part[]): Promise<void> {
    await this.#client.query('BEGIN');
    for (const { table, rows, deletes } of batch) {
      await this.#copyIn(`COPY stage_${table} FROM STDIN (FORMAT binary)`, rows);
      await this.#client.query(`DELETE FROM limit_${table} WHERE id = ANY($1::bigint[])`, [deletes]);
      await this.#client.query(`INSERT INTO limit_${table} SELECT * FROM stage_${table}
        ON CONFLICT (id) DO UPDATE SET (amount, title, price, made, seen, document, body, ratio, grade) =
        (excluded.amount, excluded.title, excluded.price, excluded.made, excluded.seen, excluded.document, excluded.body,
         excluded.ratio, excluded.grade)`);
    }
    await this.#client.query('COMMIT');
  }

  async #copyIn(statement: string, bytes: Buffer): Promise<void> {
    await pipeline(Readable.from([bytes]), this.#client.query(copyFrom(statement)));
  }

  async #check(): Promise<void> {
    for (const table of BACKLOG_TABLES) {
      const { rowCount } = await this.#client.query(
        `SELECT 1 FROM limit_${table} FULL JOIN ${BENCH_DATABASE}.${table} AS ours USING (id)
          WHERE limit_${table}.amount IS NULL OR ours.amount IS NULL LIMIT 1`,
      );
      if (rowCount !== 0) throw new Error(`the limit of ${table} has other keys than the target`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const table of BACKLOG_TABLES) await this.#client.query(`DROP TABLE IF EXISTS limit_${table}`);
    await this.#client.end();
  }
}
