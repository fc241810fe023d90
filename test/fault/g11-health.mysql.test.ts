import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until, type Running } from '../e2e/cli.ts';
import { caughtUp, expectEqual, newScene, onPostgres, type Scene } from '../e2e/scene.ts';
import { Proxy } from '../support/proxy.ts';
import { addressOf, healthOf, untilHealth } from './health.ts';
import { said } from './kills.ts';
import { arrived, write } from './returns.ts';

const servers = new AsyncDisposableStack();
const started = new Map<Server['kind'], Server>();

beforeAll(async () => {
  const kinds = ['mysql', 'postgres', 'mongodb'] as const;
  for (const server of await Promise.all(kinds.map((kind) => startServer(kind, { fast: true, own: true })))) {
    started.set(server.kind, servers.use(server));
  }
});
afterAll(async () => await servers.disposeAsync());

function server(kind: Server['kind']): Server {
  const found = started.get(kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

interface Story {
  readonly scene: Scene;
  readonly proxy: Proxy;
  readonly running: Running;
  readonly address: string;
}

/** A pipeline that follows, with a proxy before one of its ends; ended and compared after the story. */
async function following(
  name: string,
  kind: 'postgres' | 'mongodb',
  end: 'source' | 'target',
  story: (of: Story) => Promise<void>,
): Promise<void> {
  const source = server('mysql').url;
  const target = server(kind);
  await using proxy = await Proxy.open(end === 'source' ? source : target.url);
  // Asked for its members, a replica set would name its own port.
  const url = kind === 'mongodb' ? proxy.url.replace(/replicaSet=\w+/, 'directConnection=true') : proxy.url;
  const scene = await newScene(name, { source, target, through: { [end]: url }, http: '127.0.0.1:0' });
  await write(scene, `CREATE DATABASE ${name}`);
  await write(scene, `CREATE TABLE ${name}.orders (id INT PRIMARY KEY, v INT)`);
  await write(scene, `INSERT INTO ${name}.orders VALUES (1, 1), (2, 2)`);
  const running = startLockstep(['run', scene.file]);
  try {
    await arrived(scene, 'orders', 2, running);
    const address = await addressOf(running);
    await untilHealth(running, address, ({ status }) => status === 200);
    await story({ scene, proxy, running, address });
  } finally {
    running.process.kill('SIGTERM');
    await running.ended;
  }
  proxy.speak();
  await caughtUp(scene);
  await expectEqual(scene);
}

describe.concurrent('/health says within 30 s that', () => {
  test('the connection to the source is open and dead, and the pipeline makes a new one by itself', async () => {
    await following('source_silent', 'postgres', 'source', async ({ scene, proxy, running, address }) => {
      proxy.fallSilent();
      await write(scene, 'INSERT INTO source_silent.orders VALUES (3, 3)');
      const { reason } = await untilHealth(running, address, ({ status }) => status === 503);
      expect(reason).toMatch(/^SOURCE_SILENT$|^nothing heard/);
      proxy.speak();
      await untilHealth(running, address, ({ status }) => status === 200);
      await arrived(scene, 'orders', 3, running);
      expect(said(running)).toContain('error SOURCE_SILENT');
    });
  });

  test.each(['postgres', 'mongodb'] as const)(
    'the connection to %s is open and dead, and the pipeline makes a new one by itself',
    async (kind) => {
      const name = `silent_${kind}`;
      await following(name, kind, 'target', async ({ scene, proxy, running, address }) => {
        proxy.fallSilent();
        await write(scene, `INSERT INTO ${name}.orders VALUES (3, 3)`);
        const { reason } = await untilHealth(running, address, ({ status }) => status === 503);
        expect(reason).toMatch(/^TARGET_/);
        proxy.speak();
        await untilHealth(running, address, ({ status }) => status === 200);
        await arrived(scene, 'orders', 3, running);
      });
    },
  );

  test('but not of a PostgreSQL that keeps a statement waiting for longer', async () => {
    await following('locked', 'postgres', 'target', async ({ scene, running, address }) => {
      const other = new Client(scene.target);
      await other.connect();
      try {
        await other.query('BEGIN; LOCK TABLE locked.orders IN EXCLUSIVE MODE');
        await write(scene, 'INSERT INTO locked.orders VALUES (3, 3)');
        const waiting =
          "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - query_start > '20 s'";
        await until(
          async () => (await onPostgres(scene.target, waiting)).length === 1,
          () => `nothing waits: ${said(running)}`,
        );
        expect(await healthOf(address)).toEqual({ status: 200, reason: null });
      } finally {
        await other.end();
      }
      await arrived(scene, 'orders', 3, running);
      expect(said(running)).not.toContain('error');
    });
  });
});
