import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mysql } from '../../connectors/mysql/index.ts';
import { MysqlSource } from '../../connectors/mysql/source.ts';
import { Progress } from '../../core/progress.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { flavours, never, openClient, runSource } from '../support/mysql-run.ts';

const native = ['--innodb-native-foreign-keys=ON'];

describe.each(flavours)('foreign keys of %s', (flavour) => {
  let server: Server;
  let database = 0;

  beforeAll(async () => {
    server = await startServer(flavour, { own: true, fast: true, args: flavour === 'mysql' ? native : [] });
  });
  afterAll(async () => await server.stop());

  async function family(
    columns = 'id INT PRIMARY KEY, p INT',
  ): Promise<{ name: string; run: (sql: string) => Promise<void> }> {
    const name = `fk${String((database += 1))}`;
    await using client = await openClient(server.url);
    await client.query(`CREATE DATABASE ${name}`);
    const run = async (sql: string): Promise<void> => {
      await using client = await openClient(server.url);
      await client.query(`USE ${name}`);
      for (const one of sql.split(';')) await client.query(one);
    };
    await run(`CREATE TABLE p (id INT PRIMARY KEY);CREATE TABLE c (${columns})`);
    return { name, run };
  }

  it('that came and went while nobody looked count from their place in the log on', async () => {
    const { name, run } = await family();
    const target = new MemoryServer();
    const follow = async (): Promise<void> =>
      void (await runSource({ url: server.url, tables: [`${name}.*`], server: target, pipeline: name }));
    const rows = (): unknown =>
      target.rows({ database: name, name: 'c' }).toSorted(([a], [b]) => Number(a) - Number(b));
    await run('INSERT INTO p VALUES (1),(2),(3),(4);INSERT INTO c VALUES (1,1),(2,2),(3,3),(4,4)');
    await follow();
    await run('DELETE FROM p WHERE id = 1;INSERT INTO p VALUES (1)');
    await run(
      'ALTER TABLE c ADD CONSTRAINT of_p FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE;DELETE FROM p WHERE id = 2',
    );
    await run('ALTER TABLE c DROP FOREIGN KEY of_p, ADD FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL');
    await run('RENAME TABLE c TO d, d TO c;DELETE FROM p WHERE id = 3');
    await run('ALTER TABLE c DROP FOREIGN KEY c_ibfk_1;DELETE FROM p WHERE id = 4');
    await follow();
    expect(rows()).toEqual([
      [1, 1],
      [3, null],
      [4, 4],
    ]);
  });

  it('are seen by an account that may only SELECT, and what is not followed is named', async () => {
    const { name, run } = await family(
      'id INT PRIMARY KEY, p INT, q INT, code VARCHAR(9), twice INT AS (p * 2) VIRTUAL',
    );
    await run(
      'CREATE TABLE q (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE);CREATE TABLE code (code VARCHAR(9) PRIMARY KEY)',
    );
    await run(
      'ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL, ADD CONSTRAINT c_q FOREIGN KEY (q) REFERENCES q (id) ON DELETE CASCADE, ADD CONSTRAINT c_code FOREIGN KEY (code) REFERENCES code (code) ON DELETE CASCADE',
    );
    await run(`CREATE USER '${name}'@'%' IDENTIFIED BY 'pass'`);
    await run(
      `GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${name}'@'%';GRANT SELECT ON ${name}.* TO '${name}'@'%'`,
    );
    const url = new URL(server.url);
    [url.username, url.password] = [name, 'pass'];
    const tables = [`${name}.*`, `!${name}.q`];
    const options = { pipeline: name, target: 't', url: url.href, tables, until: null, progress: new Progress() };
    const source = new MysqlSource(options);
    const { keys, warnings } = await source.foreignKeys(never);
    await source.close();
    expect(keys.map((key) => key.name)).toEqual(['c_code', 'c_p']);
    const said = warnings.join('\n');
    expect(said).toContain(`${name}.q is not captured`);
    expect(said).toContain(`those that begin in ${name}.p`);
    expect(said).toContain(`c_code compares ${name}.c.code by a collation`);
    expect(said).toContain('twice');
    const checks = (await mysql.check(options, never)).filter((check) => check.name === 'foreign keys');
    expect(checks.map(({ outcome }) => outcome)).toEqual(['pass', ...warnings.map(() => 'warn')]);
  });
});
