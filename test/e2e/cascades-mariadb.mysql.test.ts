import { expect, it } from 'vitest';
import { startServer } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';
import { registerCascadeEndTests } from './cascades.ts';
import { configFile, lockstep } from './cli.ts';

registerCascadeEndTests('mariadb', 'MariaDB', []);

it('foreign keys that cannot be followed are named by plan', async () => {
  await using source = await startServer('mariadb', { own: true, fast: true });
  await using postgres = await startServer('postgres', { own: true, fast: true });
  await using client = await openClient(source.url);
  await client.query('CREATE DATABASE shop');
  await client.query('USE shop');
  await client.query('CREATE TABLE a (id INT PRIMARY KEY)');
  await client.query('CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)');
  await client.query(
    'CREATE TABLE c (id INT PRIMARY KEY, b INT, a INT, FOREIGN KEY (b) REFERENCES b (id) ON DELETE CASCADE, FOREIGN KEY (a) REFERENCES a (id) ON DELETE SET NULL)',
  );
  const target = `{ url: '${postgres.url}', transforms: [{ exclude: { columns: [c.a] } }] }`;
  const file = configFile(
    `name: shop\nsource: { url: '${source.url}', tables: ['shop.*', '!shop.b'] }\ntargets: { warehouse: ${target} }\n`,
  );
  const { code, stdout } = await lockstep(['plan', file]);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/warn {2}c_ibfk_2 changes rows of shop\.c by columns that/),
  ]);
  expect(stdout).toMatch(/warn {2}shop\.b is not captured.*begin in shop\.a: capture shop\.b too/);
});
