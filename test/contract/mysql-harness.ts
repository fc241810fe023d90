import type { Connection } from 'mysql2/promise';
import { MysqlSource } from '../../connectors/mysql/source.ts';
import { literal } from '../../dev/sql.ts';
import { startServer } from '../../dev/servers/index.ts';
import { openClient, type Flavour } from '../support/mysql-run.ts';
import type { SourceHarness } from './source.ts';

/** The source contract's harness for MySQL or MariaDB. */
export function mysqlHarness(flavour: Flavour): SourceHarness {
  const stack = new AsyncDisposableStack();
  let url = '';
  let client: Connection;
  return {
    name: flavour,
    async start() {
      const server = stack.use(await startServer(flavour, { fast: true }));
      ({ url } = server);
      client = await openClient(url);
      stack.defer(() => client.destroy());
      await client.query('CREATE DATABASE contract');
    },
    stop: () => stack.disposeAsync(),
    open({ pipeline, table, until, progress }) {
      return new MysqlSource({ pipeline, target: 'memory', url, progress, tables: [`contract.${table}`], until });
    },
    async create(table) {
      await client.query(`CREATE TABLE contract.${table} (id INT PRIMARY KEY, v VARCHAR(50))`);
    },
    async commit(table, rows) {
      await client.query('BEGIN');
      for (const [id, v] of rows) {
        const put = `INSERT INTO contract.${table} VALUES (${id}, ${literal(v)}) ON DUPLICATE KEY UPDATE v = ${literal(v)}`;
        await client.query(v === null ? `DELETE FROM contract.${table} WHERE id = ${id}` : put);
      }
      await client.query('COMMIT');
    },
  };
}
