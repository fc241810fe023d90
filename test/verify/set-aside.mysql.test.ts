import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { Progress } from '../../core/progress.ts';
import { mongodb } from '../../sinks/mongodb/index.ts';
import { postgres } from '../../sinks/postgres/index.ts';
import { compareAll, isEqual } from '../../verify/all.ts';
import type { CompareOptions } from '../../verify/compare.ts';
import { configFile, lockstep } from '../e2e/cli.ts';
import { inDatabase, onPostgres } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';

const never = new AbortController().signal;
const policies = { zeroDates: '1970-01-01', nulCharacters: 'strip' } as const;
const plugins = { postgres, mongodb };

describe('comparing', () => {
  const stack = new AsyncDisposableStack();
  let source: Server;

  beforeAll(async () => {
    source = stack.use(await startServer('mysql', { fast: true, own: true }));
  });
  afterAll(async () => await stack.disposeAsync());

  it.each(['postgres', 'mongodb'] as const)(
    'knows what %s was given by policy, and what it set aside',
    async (kind) => {
      const server = stack.use(await startServer(kind, { fast: true, own: true }));
      const name = `aside_${kind}`;
      if (kind === 'postgres') await onPostgres(server.url, `CREATE DATABASE ${name}`);
      const url = inDatabase(server.url, name);
      await using client = await openClient(source.url);
      await client.query("SET SESSION sql_mode = ''");
      await client.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
      await client.query(`USE ${name}`);
      const columns = 'd DATE, due DATETIME(3) NOT NULL, v VARCHAR(20), j JSON';
      const rows = ["'0000-00-00', '2020-00-10', 'n\\0l', '[\"\\\\u0000\"]'", "'2020-02-03', '2020-02-03', 'a', '[]'"];
      for (const [table, key, keys] of [
        ['numbers', 'id INT PRIMARY KEY', ['1', '2', '3']],
        ['texts', 'id VARCHAR(10) PRIMARY KEY', ["'a'", "'b'", "'c'"]],
        ['dates', 'id DATE PRIMARY KEY', ["'2020-01-01'", "'0000-00-00'", "'2020-00-00'"]],
      ] as const) {
        await client.query(`CREATE TABLE ${table} (${key}, ${columns})`);
        for (const [i, key] of keys.entries())
          await client.query(`INSERT INTO ${table} VALUES (${key}, ${rows[i % 2] ?? ''})`);
      }
      const file = configFile(
        [
          `name: ${name}`,
          `source: { url: '${source.url}', tables: ['${name}.*'] }`,
          `targets: { warehouse: { url: '${url}', values: ${JSON.stringify(policies)} } }`,
        ].join('\n'),
      );
      expect((await lockstep(['run', file, '--until', 'caught-up'])).code).toBe(0);
      const options = { pipeline: name, target: 'warehouse', url, metadata: 'lockstep', progress: new Progress() };
      const letters = await plugins[kind].deadLetters?.(options);
      const deadLetters = (await letters?.list({ table: null, key: null }, never)) ?? [];
      await letters?.close();
      const compared = async (options: CompareOptions): Promise<unknown[]> => {
        const results = await compareAll(source.url, url, [`${name}.*`], never, options);
        return results.map((result) => [
          result.matched,
          result.mismatched,
          result.missing,
          result.extra,
          result.deadLettered,
          isEqual([result]),
        ]);
      };
      expect(await compared({ policiesOf: () => policies, deadLetters })).toEqual([
        [1, 0, 0, 0, 2, false],
        [3, 0, 0, 0, 0, true],
        [3, 0, 0, 0, 0, true],
      ]);
      expect(await compared({})).toEqual([
        [0, 1, 2, 0, 0, false],
        [1, 2, 0, 0, 0, false],
        [1, 2, 0, 0, 0, false],
      ]);
    },
  );
});
