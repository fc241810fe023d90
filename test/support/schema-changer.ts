import { createConnection, type Connection } from 'mysql2/promise';
import type { Random } from '../../dev/random.ts';
import { qualified, type RandomColumn, type RandomTable } from './tables.ts';
import { RANDOM_TYPES } from './types.ts';

const wider: Readonly<Record<string, string>> = {
  TINYINT: 'INT',
  SMALLINT: 'INT',
  INT: 'BIGINT',
  'VARCHAR(40)': 'TEXT',
  TEXT: 'LONGTEXT',
  DATETIME: 'DATETIME(3)',
  BLOB: 'BLOB',
};

/** Changes tables at random while others write to them. What writers know of a table is changed right after the table. */
export class SchemaChanger implements AsyncDisposable {
  /** What was done, for whoever looks for a failure. */
  readonly statements: string[] = [];
  readonly #connection: Connection;
  readonly #tables: readonly RandomTable[];
  readonly #random: Random;
  #count = 0;

  private constructor(connection: Connection, tables: readonly RandomTable[], random: Random) {
    this.#connection = connection;
    this.#tables = tables;
    this.#random = random;
  }

  static async open(url: string, tables: readonly RandomTable[], random: Random): Promise<SchemaChanger> {
    const connection = await createConnection({ uri: url, charset: 'utf8mb4_bin' });
    await connection.query("SET time_zone = '+00:00', lock_wait_timeout = 20");
    return new SchemaChanger(connection, tables, random);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.end();
  }

  /** Makes one change. */
  async change(): Promise<void> {
    const table = this.#tables[this.#random.int(this.#tables.length)];
    if (table === undefined) return;
    const dice = this.#random.int(8);
    if (dice <= 1) await this.#add(table);
    else if (dice === 2) await this.#drop(table);
    else if (dice === 3) await this.#rename(table);
    else if (dice === 4) await this.#move(table);
    else if (dice === 5) await this.#widen(table);
    else if (dice === 6) await this.#renameTable(table);
    else await this.#run(`TRUNCATE TABLE ${qualified(table)}`);
  }

  async #run(statement: string): Promise<void> {
    this.statements.push(statement);
    await this.#connection.query(statement);
  }

  #name(): string {
    this.#count += 1;
    return `n${String(this.#count)}`;
  }

  async #add(table: RandomTable): Promise<void> {
    const random = this.#random;
    const column: RandomColumn = { name: this.#name(), type: random.pick(RANDOM_TYPES), nullable: true };
    const beside = this.#some(table);
    const place = beside === null || random.chance(0.5) ? random.pick(['', 'FIRST']) : `AFTER ${beside.name}`;
    await this.#run(`ALTER TABLE ${qualified(table)} ADD COLUMN ${column.name} ${column.type.declared} NULL ${place}`);
    know(table, [...table.columns, column]);
  }

  async #drop(table: RandomTable): Promise<void> {
    const column = this.#some(table);
    if (column === null || table.columns.length < 3) return;
    const left = table.columns.filter((one) => one !== column);
    know(table, left);
    await this.#run(`ALTER TABLE ${qualified(table)} DROP COLUMN ${column.name}`);
  }

  async #rename(table: RandomTable): Promise<void> {
    const column = this.#some(table);
    if (column === null) return;
    const name = this.#name();
    await this.#run(`ALTER TABLE ${qualified(table)} RENAME COLUMN ${column.name} TO ${name}`);
    know(
      table,
      table.columns.map((one) => (one === column ? { ...column, name } : one)),
    );
  }

  async #move(table: RandomTable): Promise<void> {
    const column = this.#some(table);
    if (column === null) return;
    const definition = `${column.type.declared} ${column.nullable ? 'NULL' : 'NOT NULL'}`;
    await this.#run(`ALTER TABLE ${qualified(table)} MODIFY ${column.name} ${definition} FIRST`);
  }

  async #widen(table: RandomTable): Promise<void> {
    const column = table.columns.find(({ type }) => wider[type.declared] !== undefined);
    const type = RANDOM_TYPES.find(({ declared }) => declared === wider[column?.type.declared ?? '']);
    if (column === undefined || type === undefined) return;
    const changed = { ...column, type };
    await this.#run(
      `ALTER TABLE ${qualified(table)} MODIFY ${column.name} ${type.declared} ${column.nullable ? 'NULL' : 'NOT NULL'}`,
    );
    know(
      table,
      table.columns.map((one) => (one === column ? changed : one)),
    );
  }

  async #renameTable(table: RandomTable): Promise<void> {
    const name = `t_${this.#name()}`;
    await this.#run(`RENAME TABLE ${qualified(table)} TO ${qualified({ ...table, name })}`);
    Object.assign(table, { name });
  }

  #some(table: RandomTable): RandomColumn | null {
    return table.columns[this.#random.int(Math.max(1, table.columns.length))] ?? null;
  }
}

function know(table: RandomTable, columns: readonly RandomColumn[]): void {
  Object.assign(table, { columns });
}
