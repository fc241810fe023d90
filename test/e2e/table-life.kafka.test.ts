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
  /** Asks for it and waits until it is done. */
  const ask = async (...args: readonly string[]): Promise<void> => {
    const [action = '', ...options] = args;
    const { code, stderr } = await lockstep(['table', action, scene.file, 'live.orders', ...options]);
    expect([code, stderr]).toEqual([0, '']);
    await until(
      async () => !(await lockstep(['status', scene.file])).stdout.includes('asked: '),
      () => said(running),
    );
  };
  const equal = async (): Promise<void> => {
    await expectSoonEqual(source.url, target, ['live.*'], 90_000).catch((cause: unknown) => {
      throw new Error(said(running), { cause });
    });
  };
  try {
    await equal();
    const forOne = await lockstep(['table', 'resync', scene.file, 'live.orders', '--target', 'warehouse']);
    expect([forOne.code, forOne.stderr]).toEqual([1, expect.stringContaining('REQUEST_REFUSED')]);
    await onPostgres(target, 'DELETE FROM live.orders WHERE customer IN (7, 8)');
    await onPostgres(target, "INSERT INTO live.orders VALUES (5000, 7, 'rogue'), (5001, 8, 'rogue')");
    await ask('resync', '--where', 'customer = 7');
    await until(
      async () => (await onPostgres(target, 'SELECT id FROM live.orders WHERE customer = 7')).length === 100,
      () => said(running),
    );
    expect(await onPostgres(target, "SELECT id FROM live.orders WHERE note = 'rogue'")).toEqual([{ id: 5001 }]);
    await client.query("UPDATE live.orders SET note = 'new' WHERE id < 500");
    await ask('resync');
    await equal();
    await ask('remove');
    await client.query('DELETE FROM live.orders WHERE id < 100');
    await ask('add');
    await equal();
    expect(said(running)).not.toContain('error');
  } finally {
    await endInOrder(running);
  }
}, 300_000);
