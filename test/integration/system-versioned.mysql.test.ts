import { expect, it } from 'vitest';
import { startServer } from '../../dev/servers/index.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { openClient, runSource } from '../support/mysql-run.ts';

it('a system-versioned table that is captured is refused by name, and not left out in silence', async () => {
  await using source = await startServer('mariadb', { fast: true });
  await using client = await openClient(source.url);
  await client.query('CREATE DATABASE IF NOT EXISTS versioned');
  await client.query('CREATE OR REPLACE TABLE versioned.t (id INT PRIMARY KEY) WITH SYSTEM VERSIONING');
  const run = { url: source.url, server: new MemoryServer(), pipeline: 'versioned' };
  await expect(runSource({ ...run, tables: ['versioned.*'] })).rejects.toMatchObject({
    code: 'SOURCE_TYPE_UNSUPPORTED',
    message: expect.stringContaining('versioned.t'),
    fix: expect.stringContaining("'!versioned.t'"),
  });
  await client.query('DROP DATABASE versioned');
});
