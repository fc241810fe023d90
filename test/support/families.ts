import type { Connection } from 'mysql2/promise';
import type { Random } from '../../dev/random.ts';
import { openClient } from './mysql-run.ts';

/** Tables that refer to each other in every way: over three levels, by several columns, in a tree, in a circle, and to a key that is not the primary one. */
export const familyTables = [
  'CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(20))',
  `CREATE TABLE \`order\` (id INT PRIMARY KEY, customer_id INT, number INT UNIQUE,
    FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE ON UPDATE CASCADE)`,
  `CREATE TABLE line (order_id INT, n INT, v VARCHAR(20), PRIMARY KEY (order_id, n),
    FOREIGN KEY (order_id) REFERENCES \`order\` (id) ON DELETE CASCADE ON UPDATE CASCADE)`,
  `CREATE TABLE note (id INT PRIMARY KEY, order_id INT, n INT, number INT,
    FOREIGN KEY (order_id, n) REFERENCES line (order_id, n) ON DELETE SET NULL ON UPDATE CASCADE,
    FOREIGN KEY (number) REFERENCES \`order\` (number) ON DELETE SET NULL ON UPDATE SET NULL)`,
  `CREATE TABLE node (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES node (id) ON DELETE CASCADE)`,
  'CREATE TABLE left_side (id INT PRIMARY KEY, right_id INT)',
  `CREATE TABLE right_side (id INT PRIMARY KEY, left_id INT,
    FOREIGN KEY (left_id) REFERENCES left_side (id) ON DELETE CASCADE)`,
  'ALTER TABLE left_side ADD FOREIGN KEY (right_id) REFERENCES right_side (id) ON DELETE CASCADE',
];

/** What a server answers where a key refuses a statement, a row is there already, or others hold its lock. */
const refused = [1062, 1205, 1213, 1216, 1217, 1451, 1452, 1761, 1762, 3008, 6575];

/** Writes to these tables at random, mostly to rows that others refer to. */
export class FamilyWriter {
  /** Statements that the server took. */
  done = 0;
  readonly #url: string;
  readonly #database: string;
  readonly #random: Random;
  readonly #ids: number;

  /** `ids`: of each table about as many rows come to be. */
  constructor(url: string, database: string, random: Random, ids = 40) {
    this.#ids = ids;
    this.#url = url;
    this.#database = database;
    this.#random = random;
  }

  /** Fills the tables whose rows are found over others. */
  async fill(): Promise<void> {
    const client = await openClient(this.#url, "sql_mode = '', cte_max_recursion_depth = 100000").catch(
      async () => await openClient(this.#url, "sql_mode = '', max_recursive_iterations = 100000"),
    );
    const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${this.#ids})`;
    try {
      await client.query(`USE ${this.#database}`);
      for (const into of [
        "customer SELECT i, 'x' FROM (",
        '`order` SELECT i, 1 + i * 7 % 1000, i FROM (',
        "line SELECT i, i % 3, 'l' FROM (",
        'note SELECT i, i, i % 3, i FROM (',
        'node SELECT i, NULLIF(i DIV 7, 0) FROM (',
      ])
        await client.query(`INSERT INTO ${into}${numbers} SELECT i FROM n) AS n`);
    } finally {
      await client.end();
    }
  }

  async write(transactions: number): Promise<void> {
    const client = await openClient(this.#url);
    try {
      await client.query(`USE ${this.#database}`);
      for (let n = 0; n < transactions; n += 1) await this.#transaction(client);
    } finally {
      await client.end();
    }
  }

  async #transaction(client: Connection): Promise<void> {
    const random = this.#random;
    const unchecked = random.chance(0.03);
    if (unchecked) await client.query('SET foreign_key_checks = 0');
    await client.query('BEGIN');
    for (let left = random.between(1, 6); left > 0; left -= 1) await this.#try(client, this.#statement());
    await client.query(random.chance(0.05) ? 'ROLLBACK' : 'COMMIT');
    if (unchecked) await client.query('SET foreign_key_checks = 1');
  }

  async #try(client: Connection, sql: string): Promise<void> {
    try {
      await client.query(sql);
      this.done += 1;
    } catch (error) {
      const number = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
      if (!refused.includes(number)) throw new Error(`${sql} is answered with ${String(number)}`, { cause: error });
    }
  }

  #statement(): string {
    const random = this.#random;
    const id = (): number => random.between(1, this.#ids);
    const maybe = (): string => (random.chance(0.2) ? 'NULL' : String(id()));
    return random.pick<() => string>([
      () => `INSERT INTO customer VALUES (${id()}, 'n${id()}')`,
      () => `INSERT INTO customer VALUES (${id()}, 'n${id()}')`,
      () => `INSERT INTO \`order\` VALUES (${id()}, ${maybe()}, ${maybe()})`,
      () => `INSERT INTO \`order\` VALUES (${id()}, ${maybe()}, ${maybe()})`,
      () => `INSERT INTO line VALUES (${id()}, ${random.int(3)}, 'v${id()}')`,
      () => `INSERT INTO line VALUES (${id()}, ${random.int(3)}, 'v${id()}')`,
      () => `INSERT INTO note VALUES (${id()}, ${maybe()}, ${random.int(3)}, ${maybe()})`,
      () => `INSERT INTO node VALUES (${id()}, ${maybe()})`,
      () => `INSERT INTO node VALUES (${id()}, ${maybe()})`,
      () => `INSERT INTO left_side VALUES (${id()}, ${maybe()})`,
      () => `INSERT INTO right_side VALUES (${id()}, ${maybe()})`,
      () => `UPDATE left_side SET right_id = ${maybe()} WHERE id = ${id()}`,
      () => `UPDATE node SET parent = ${maybe()} WHERE id = ${id()}`,
      () => `UPDATE note SET number = ${maybe()} WHERE id = ${id()}`,
      () => `DELETE FROM customer WHERE id IN (${id()}, ${id()})`,
      () => `DELETE FROM \`order\` WHERE id = ${id()}`,
      () => `DELETE FROM line WHERE order_id = ${id()}`,
      () => `DELETE FROM node WHERE id = ${id()}`,
      () => `DELETE FROM left_side WHERE id = ${id()}`,
      () => `UPDATE customer SET id = ${id()} WHERE id = ${id()}`,
      () => `UPDATE \`order\` SET id = ${id()} WHERE id = ${id()}`,
      () => `UPDATE \`order\` SET number = ${maybe()} WHERE id = ${id()}`,
      () => `REPLACE INTO customer VALUES (${id()}, 'r')`,
    ])();
  }
}
