import { expect, test } from 'vitest';
import { startServer } from '../../dev/servers/index.ts';
import { expectSoonEqual } from '../support/equal.ts';
import { openClient } from '../support/mysql-run.ts';
import { said } from '../fault/kills.ts';
import { endInOrder } from '../fault/returns.ts';
import { lockstep, startLockstep, until } from './cli.ts';
import { inDatabase, newScene, onPostgres } from './scene.ts';

test('tables are copied again, removed and added through Kafka while it publishes', async () => {
  await using servers = new AsyncDisposableStack();
  const kinds = ['mysql', 'kafka', 'postgres'] as const;
  const [source, kafka, postgres] = await Promise.all(
    kinds.map(async (kind) => servers.use(await startServer(kind, { own: true, fast: true }))),
  );
  if (source === undefined || kafka === undefined || postgres === undefined) throw new Error('a server is missing');
  await using client = await openClient(source.url);
  await client.query('CREATE DATABASE live');
  await client.query('CREATE TABLE live.orders (id INT PRIMARY KEY, customer INT, note VARCHAR(20))');
  const rows = Array.from({ length: 1000 }, (_, i) => `(${i}, ${i % 10}, 'old')`);
  await client.query(`INSERT INTO live.orders VALUES ${rows.join()}`);
  const via = `{ kafka: ['${kafka.url}'] }`;
  const scene = await newScene('live', { source: source.url, target: postgres, via, http: '127.0.0.1:0' });
  const running = startLockstep(['run', scene.file]);
  const target = inDatabase(postgres.url, 'live');
  const ask = async (...args: readonly string[]): Promise<unknown> => {
    const [action = '', ...options] = args;
    const { stdout } = await lockstep(['table', action, scene.file, 'live.orders', '--json', ...options]);
    const said = JSON.parse(stdout) as { targets?: { outcome: string }[]; error?: { code: string } };
    return said.error?.code ?? said.targets?.map(({ outcome }) => outcome);
  };
  const equal = async (): Promise<void> => {
    await expectSoonEqual(source.url, target, ['live.*']).catch((cause: unknown) => {
      throw new Error(said(running), { cause });
    });
  };
  try {
    await equal();
    expect(await ask('resync', '--target', 'warehouse')).toBe('REQUEST_REFUSED');
    await onPostgres(target, 'DELETE FROM live.orders WHERE customer IN (7, 8)');
    await onPostgres(target, "INSERT INTO live.orders VALUES (5000, 7, 'rogue'), (5001, 8, 'rogue')");
    expect(await ask('resync', '--where', 'customer = 7')).toEqual(['done']);
    await until(
      async () => (await onPostgres(target, 'SELECT id FROM live.orders WHERE customer = 7')).length === 100,
      () => said(running),
    );
    expect(await onPostgres(target, "SELECT id FROM live.orders WHERE note = 'rogue'")).toEqual([{ id: 5001 }]);
    await client.query("UPDATE live.orders SET note = 'new' WHERE id < 500");
    expect(await ask('resync')).toEqual(['done']);
    await equal();
    expect(await ask('remove')).toEqual(['done']);
    await client.query('DELETE FROM live.orders WHERE id < 100');
    expect(await ask('add')).toEqual(['done']);
    await equal();
    expect(said(running)).not.toContain('error');
  } finally {
    await endInOrder(running);
  }
});
