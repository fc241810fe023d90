import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from '../../dev/servers/index.ts';
import { until } from '../../dev/servers/process.ts';
import { ask, inStep, promote } from '../../dev/servers/replication.ts';
import { openClient } from '../support/mysql-run.ts';
import { expectRefused, Topology } from '../support/takeover.ts';

const topologies = new AsyncDisposableStack();
let all: Record<'mysql' | 'mariadb', Topology>;

beforeAll(async () => {
  const [mysql, mariadb] = await Promise.all([Topology.open('mysql'), Topology.open('mariadb')]);
  all = { mysql: topologies.use(mysql), mariadb: topologies.use(mariadb) };
});
afterAll(async () => await topologies.disposeAsync());

const stopApplying = { mysql: 'STOP REPLICA SQL_THREAD', mariadb: 'STOP SLAVE SQL_THREAD' } as const;
const withoutLog = { mysql: '--log-replica-updates=OFF', mariadb: '--log-slave-updates=OFF' } as const;

describe.each(['mysql', 'mariadb'] as const)('on %s, a server that takes over', (flavour) => {
  let topology: Topology;
  let primary: Server;

  beforeAll(() => {
    topology = all[flavour];
    ({ primary } = topology);
  });

  it('is followed, with all that it wrote since, wherever its log stands', async () => {
    const pipeline = await topology.pipeline();
    const replica = await topology.replica();
    for (let i = 0; i < 4; i += 1) await ask(primary, 'FLUSH BINARY LOGS', 'UPDATE shop.items SET v = v + 10');
    const tagged = flavour === 'mysql' ? ["SET gtid_next = 'AUTOMATIC:blue'"] : [];
    await ask(primary, ...tagged, 'UPDATE shop.items SET v = v + 1 WHERE id = 2');
    await pipeline.run();
    await inStep({ primary, replica });
    await promote(replica);
    await ask(replica, 'INSERT INTO shop.items VALUES (5, 5)', 'DELETE FROM shop.items WHERE id = 1');
    pipeline.leadTo(replica);
    await pipeline.run();
    expect(pipeline.rows()).toEqual([
      [2, 43],
      [3, 43],
      [4, 44],
      [5, 5],
    ]);
  });

  it('is refused where it lacks what the target holds, and the other one is followed on', async () => {
    const pipeline = await topology.pipeline();
    const replica = await topology.replica();
    await ask(replica, stopApplying[flavour]);
    await ask(primary, 'UPDATE shop.items SET v = 100 WHERE id = 1');
    await pipeline.run();
    await promote(replica);
    await ask(replica, 'UPDATE shop.items SET v = 200 WHERE id = 1', 'UPDATE shop.items SET v = 200 WHERE id = 2');
    pipeline.leadTo(replica);
    await expectRefused(pipeline, 'SOURCE_DIVERGED', /does not have the transaction \S+, which the target holds/);
    expect(pipeline.rows()).toContainEqual([1, 100]);
    pipeline.leadTo(primary);
    await ask(primary, 'UPDATE shop.items SET v = 101 WHERE id = 1');
    await pipeline.run();
    expect(pipeline.rows()).toContainEqual([1, 101]);
  });

  it('is waited for while it has not applied what the target holds, and never mixed up with the other one', async () => {
    const pipeline = await topology.pipeline();
    const replica = await topology.replica();
    const lock = await openClient(replica.url);
    await lock.query('FLUSH TABLES WITH READ LOCK');
    await ask(primary, 'UPDATE shop.items SET v = 100 WHERE id = 1');
    await pipeline.run();
    pipeline.leadTo(replica);
    await expectRefused(pipeline, 'SOURCE_BEHIND', /has not applied the transaction \S+, which the target holds/);
    lock.destroy();
    await inStep({ primary, replica });
    await pipeline.run();
    expect(pipeline.rows()).toContainEqual([1, 100]);

    const turned = await topology.pipeline();
    const tables = ['shop.*'];
    const before = (): void => turned.leadTo(replica);
    await expectRefused(turned, 'SOURCE_CONNECTION_LOST', /./, { tables, before });
  });

  it('is refused where it was written to in a captured table while it was a replica', async () => {
    const pipeline = await topology.pipeline();
    const replica = await topology.replica(...(flavour === 'mariadb' ? ['--gtid-strict-mode=OFF'] : []));
    await ask(replica, 'UPDATE shop.items SET v = 200 WHERE id = 2');
    await ask(primary, 'UPDATE shop.items SET v = 100 WHERE id = 1', 'UPDATE shop.items SET v = 100 WHERE id = 3');
    await inStep({ primary, replica });
    await pipeline.run();
    await promote(replica);
    pipeline.leadTo(replica);
    const rows = pipeline.rows();
    await expectRefused(pipeline, 'SOURCE_DIVERGED', /the transaction \S+ in its log before others/);
    await expectRefused(pipeline, 'SOURCE_DIVERGED', /the transaction \S+ in its log before others/);
    expect(pipeline.rows()).toEqual(rows);
  });

  it('is refused where its log lacks what it replicated, unless the target holds all of that', async () => {
    const pipeline = await topology.pipeline();
    const replica = await topology.replica(withoutLog[flavour]);
    pipeline.leadTo(replica);
    await expectRefused(pipeline, 'SOURCE_BINLOG_OFF', /lacks what it replicates/);
    await ask(primary, 'UPDATE shop.items SET v = 100 WHERE id = 1');
    await inStep({ primary, replica });
    await promote(replica);
    await expectRefused(pipeline, 'SOURCE_HISTORY_LOST', /has not logged/);
    pipeline.leadTo(primary);
    await pipeline.run();
    await ask(replica, 'UPDATE shop.items SET v = 300 WHERE id = 1');
    pipeline.leadTo(replica);
    await pipeline.run();
    expect(pipeline.rows()).toContainEqual([1, 300]);
  });

  it('is refused where its log is purged up to later than what the target holds', async () => {
    const pipeline = await topology.pipeline();
    await ask(primary, 'UPDATE shop.items SET v = 100 WHERE id = 1');
    const replica = await topology.replica();
    await promote(replica);
    await purge(replica);
    pipeline.leadTo(replica);
    await expectRefused(pipeline, 'SOURCE_HISTORY_LOST', /purged/i);
  });

  it('is refused where it is of the other kind', async () => {
    const pipeline = await topology.pipeline();
    pipeline.leadTo(all[flavour === 'mysql' ? 'mariadb' : 'mysql'].primary);
    await expectRefused(pipeline, 'SOURCE_CHANGED', /another server/);
  });

  it('commits what was prepared as an XA transaction on the old one', async () => {
    const pipeline = await topology.pipeline();
    const session = await openClient(primary.url);
    for (const sql of ["XA START 'x'", 'UPDATE shop.items SET v = 77 WHERE id = 2', "XA END 'x'", "XA PREPARE 'x'"])
      await session.query(sql);
    await ask(primary, 'UPDATE shop.items SET v = 100 WHERE id = 1');
    await pipeline.run();
    const replica = await topology.replica();
    await promote(replica);
    await session.query("XA ROLLBACK 'x'");
    session.destroy();
    pipeline.leadTo(replica);
    await ask(replica, "XA COMMIT 'x'");
    await pipeline.run();
    expect(pipeline.rows()).toEqual([
      [1, 100],
      [2, 77],
      [3, 3],
      [4, 4],
    ]);
  });

  it('is followed with the shape that its tables were given there while it was a replica', async () => {
    const pipeline = await topology.pipeline();
    const replica = await topology.replica();
    await ask(
      replica,
      ...(flavour === 'mariadb' ? ['SET gtid_domain_id = 9'] : []),
      'ALTER TABLE shop.items ADD COLUMN w INT',
      'INSERT INTO shop.other VALUES (1, 1)',
    );
    await ask(primary, 'UPDATE shop.items SET v = 100 WHERE id = 1');
    await inStep({ primary, replica });
    await pipeline.run();
    await promote(replica);
    await ask(replica, 'UPDATE shop.items SET w = 8 WHERE id = 2');
    pipeline.leadTo(replica);
    await pipeline.run();
    expect(pipeline.rows()).toEqual([
      [1, 100, null],
      [2, 2, 8],
      [3, 3, null],
      [4, 4, null],
    ]);
  });
});

describe('on mysql, an old primary that is left running, read-only and without anything new', () => {
  it('is left for the one that the address leads to now', async () => {
    const { primary } = all.mysql;
    const pipeline = await all.mysql.pipeline();
    const replica = await all.mysql.replica();
    const following = expectRefused(pipeline, 'SOURCE_CONNECTION_LOST', /the one that was read is read-only/, {
      until: null,
    });
    following.catch(() => undefined);
    await ask(primary, 'UPDATE shop.items SET v = 50 WHERE id = 1');
    await until(20, async () => {
      if (pipeline.rows()[0]?.[1] !== 50) throw new Error('it does not follow');
    });
    await inStep({ primary, replica });
    await promote(replica);
    await ask(replica, 'UPDATE shop.items SET v = 100 WHERE id = 1');
    await ask(primary, 'SET GLOBAL read_only = 1');
    try {
      pipeline.leadTo(replica, 'the old connections stay');
      await following;
    } finally {
      await ask(primary, 'SET GLOBAL read_only = 0');
    }
    await pipeline.run();
    expect(pipeline.rows()).toContainEqual([1, 100]);
  });
});

describe('on mariadb, domains', () => {
  it('of several writers are followed on the server that takes over, with one that only it has', async () => {
    const { primary } = all.mariadb;
    const pipeline = await all.mariadb.pipeline();
    await ask(primary, 'SET gtid_domain_id = 5', 'UPDATE shop.items SET v = 50 WHERE id = 1');
    await pipeline.run();
    const replica = await all.mariadb.replica();
    await ask(primary, 'SET gtid_domain_id = 5', 'UPDATE shop.items SET v = 51 WHERE id = 1');
    await inStep({ primary, replica });
    await promote(replica);
    await ask(replica, 'SET gtid_domain_id = 6', 'UPDATE shop.items SET v = 60 WHERE id = 2');
    await ask(replica, 'SET gtid_domain_id = 5', 'UPDATE shop.items SET v = 52 WHERE id = 1');
    pipeline.leadTo(replica);
    await pipeline.run();
    expect(pipeline.rows().slice(0, 2)).toEqual([
      [1, 52],
      [2, 60],
    ]);
  });

  it('that the other server does not have are not taken for done', async () => {
    const { primary } = all.mariadb;
    const pipeline = await all.mariadb.pipeline();
    const replica = await all.mariadb.replica();
    await ask(replica, 'STOP SLAVE SQL_THREAD');
    await ask(primary, 'SET gtid_domain_id = 7', 'UPDATE shop.items SET v = 70 WHERE id = 1');
    await pipeline.run();
    await promote(replica);
    pipeline.leadTo(replica);
    await expectRefused(pipeline, 'SOURCE_DIVERGED', /does not have the transaction 7-\d+-1,/);
  });

  it('that the server was told to forget are forgotten, and may begin anew', async () => {
    const { primary } = all.mariadb;
    const pipeline = await all.mariadb.pipeline();
    await ask(primary, 'SET gtid_domain_id = 8', 'UPDATE shop.items SET v = 80 WHERE id = 1');
    await pipeline.run();
    await purge(primary);
    await pipeline.run();
    await ask(primary, 'FLUSH BINARY LOGS DELETE_DOMAIN_ID = (8)');
    await pipeline.run();
    await ask(primary, 'SET gtid_domain_id = 8', 'UPDATE shop.items SET v = 81 WHERE id = 1');
    await pipeline.run();
    expect(pipeline.rows()).toContainEqual([1, 81]);
  });
});

/** Leaves the newest file of the log alone. */
async function purge(server: Server): Promise<void> {
  await ask(server, 'FLUSH BINARY LOGS');
  const client = await openClient(server.url);
  try {
    await until(20, async () => {
      const [logs] = await client.query<RowDataPacket[]>('SHOW BINARY LOGS');
      if (logs.length === 1) return;
      await client.query(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
      throw new Error('its log is still in use');
    });
  } finally {
    client.destroy();
  }
}
