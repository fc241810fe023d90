import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';
import { configFile, lockstep } from './cli.ts';
import { caughtUp, expectEqual, newScene, type Scene } from './scene.ts';

describe('schema changes through Kafka', () => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let target: Server;
  let kafka: Server;

  beforeAll(async () => {
    const start = async (kind: 'mysql' | 'postgres' | 'kafka'): Promise<Server> =>
      stack.use(await startServer(kind, { own: true, fast: true }));
    [source, target, kafka] = await Promise.all([start('mysql'), start('postgres'), start('kafka')]);
  });
  afterAll(async () => await stack.disposeAsync());

  async function sceneOf(name: string): Promise<Scene> {
    const via = `{ kafka: ['${kafka.url}'] }`;
    const scene = await newScene(name, { source: source.url, target, via, http: '127.0.0.1:0' });
    await using client = await openClient(source.url);
    await client.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await client.query(`CREATE TABLE ${name}.t (id INT PRIMARY KEY, v VARCHAR(20), n INT)`);
    await client.query(`INSERT INTO ${name}.t VALUES (1, 'a', 1), (2, 'b', 2)`);
    await caughtUp(scene);
    return scene;
  }

  it('reach the target in their place, each with a version of its own', async () => {
    const scene = await sceneOf('evolving');
    await using client = await openClient(source.url);
    await client.query('USE evolving');
    for (const statement of [
      'ALTER TABLE t ADD x INT NOT NULL DEFAULT 7, ADD y TEXT',
      "INSERT INTO t VALUES (3, 'c', 3, 3, 'y')",
      'ALTER TABLE t RENAME COLUMN y TO z, MODIFY n BIGINT',
      "INSERT INTO t VALUES (4, 'd', 5000000000, 4, 'z')",
      'ALTER TABLE t DROP v',
      'INSERT INTO t VALUES (5, 5, 5, NULL)',
      'RENAME TABLE t TO u',
      'INSERT INTO u VALUES (6, 6, 6, NULL)',
    ])
      await client.query(statement);
    await caughtUp(scene);
    await expectEqual(scene);
  });

  it('that older schemas forbid are foreseen, stop what publishes before a row is sent, and pass once they are allowed', async () => {
    const scene = await sceneOf('refused');
    await using client = await openClient(source.url);
    const statement = 'ALTER TABLE refused.t MODIFY n VARCHAR(20)';
    const foreseen = await lockstep(['plan', scene.file, '--ddl', statement]);
    expect(foreseen.stdout + foreseen.stderr).toContain('a registry with level BACKWARD or above refuses');
    await client.query(statement);
    const { code, stderr } = await lockstep(['run', scene.file, '--until', 'caught-up']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/REGISTRY_REFUSED[\s\S]*fix .*via\.compatibility/)]);
    const allowed = configFile((await readFile(scene.file, 'utf8')).replace("'] }", "'], compatibility: NONE }"));
    const unchecked = await lockstep(['plan', allowed, '--ddl', statement]);
    expect(unchecked.stdout + unchecked.stderr).toContain('a new version of the schema, unchecked');
    await client.query("INSERT INTO refused.t VALUES (3, 'c', 'not a number')");
    await caughtUp({ ...scene, file: allowed });
    await expectEqual(scene);
  });
});
