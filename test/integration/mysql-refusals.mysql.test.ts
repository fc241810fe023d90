import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAddress, Session } from '../../connectors/mysql/connection/session.ts';
import type { Batch } from '../../core/contracts.ts';
import { LockstepError, type Code } from '../../core/errors.ts';
import { Progress } from '../../core/progress.ts';
import { sleep } from '../../core/signals.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { MemoryServer, MemoryTarget } from '../support/memory-target.ts';
import { flavours, never, openClient, runSource, type SourceRun } from '../support/mysql-run.ts';
import { Proxy } from '../support/proxy.ts';

let pipelines = 0;

describe.each(flavours)('a source on %s', (flavour) => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;
  let run: SourceRun;

  beforeAll(async () => {
    source = stack.use(await startServer(flavour, { fast: true, own: true }));
    client = await openClient(source.url);
    stack.defer(() => client.destroy());
    await client.query('CREATE DATABASE shop');
    await client.query('CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(50))');
    await client.query("INSERT INTO shop.items VALUES (1, 'one'), (2, 'two')");
    run = { url: source.url, tables: ['shop.items'], server: new MemoryServer() };
  });
  afterAll(() => stack.disposeAsync());

  const fresh = (more: Partial<SourceRun> = {}): SourceRun => ({
    ...run,
    server: new MemoryServer(),
    pipeline: `p${(pipelines += 1)}`,
    ...more,
  });

  it('says that the password is wrong', async () => {
    await expectRefusal(runSource(fresh({ url: source.url.replace(':pw@', ':wrong@') })), 'SOURCE_AUTH');
  });

  it('says that the URL is none', async () => {
    await expectRefusal((async () => runSource(fresh({ url: 'db1:3306' })))(), 'CONFIG_INVALID');
  });

  it('says that nobody listens', async () => {
    await expectRefusal(runSource(fresh({ url: 'mysql://root:pw@127.0.0.1:1' })), 'SOURCE_UNREACHABLE');
  });

  it('says that the host is unknown', async () => {
    const failure = await failureOf(runSource(fresh({ url: 'mysql://root:pw@no-such-host.invalid:3306' })));
    expect(['SOURCE_HOST_UNKNOWN', 'SOURCE_UNREACHABLE']).toContain(failure.code);
    expect(failure.message).toContain('no-such-host.invalid');
  });

  it('says that no table matches', async () => {
    await expectRefusal(runSource(fresh({ tables: ['shop.nothing'] })), 'SOURCE_NO_TABLES');
  });

  const client_ = flavour === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR';
  it.each([
    ['no right to read the tables', [`GRANT REPLICATION SLAVE, ${client_} ON *.* TO poor`], 'SOURCE_NO_TABLES'],
    [
      'no right to read one table',
      [`GRANT REPLICATION SLAVE, ${client_} ON *.* TO poor`, 'GRANT INSERT ON shop.items TO poor'],
      'SOURCE_GRANT',
    ],
    ['no right to follow the log', [`GRANT SELECT, ${client_} ON *.* TO poor`], 'SOURCE_GRANT'],
    ['no right to see the log’s end', ['GRANT SELECT, REPLICATION SLAVE ON *.* TO poor'], 'SOURCE_GRANT'],
  ] as const)('says that the account has %s', async (_, grants, code) => {
    await client.query("CREATE USER poor IDENTIFIED BY 'pw'");
    try {
      for (const grant of grants) await client.query(grant);
      await expectRefusal(runSource(fresh({ url: source.url.replace('root:', 'poor:') })), code);
    } finally {
      await client.query('DROP USER poor');
    }
  });

  it.each([
    ['binlog_format', 'STATEMENT', 'ROW', 'SOURCE_BINLOG_FORMAT'],
    ['binlog_row_image', 'MINIMAL', 'FULL', 'SOURCE_ROW_IMAGE'],
  ] as const)('refuses a server with %s = %s', async (name, wrong, right, code) => {
    await client.query(`SET GLOBAL ${name} = '${wrong}'`);
    try {
      await expectRefusal(runSource(fresh()), code);
    } finally {
      await client.query(`SET GLOBAL ${name} = '${right}'`);
    }
  });

  it.each([
    ['binlog_format', 'STATEMENT', 'SOURCE_BINLOG_FORMAT'],
    ['binlog_row_image', 'MINIMAL', 'SOURCE_ROW_IMAGE'],
  ] as const)(
    'stops with the place where a session wrote with %s = %s, for itself or for all',
    async (name, value, code) => {
      const failure = await whileFollowing(fresh(), async () => {
        const session = await openClient(source.url, `${name} = '${value}'`);
        await session.query(`UPDATE shop.items SET name = 'changed by ${name}' WHERE id = 1`);
        session.destroy();
      });
      expectFix(failure, code);
      expect(failure.message).toMatch(/ at binlog\.\d+:\d+: /);
      const right = name === 'binlog_format' ? 'ROW' : 'FULL';
      const other = await whileFollowing(fresh(), async () => {
        await client.query(`SET GLOBAL ${name} = '${value}'`);
        const session = await openClient(source.url);
        await session.query("UPDATE shop.items SET name = 'changed by all' WHERE id = 1");
        session.destroy();
        await client.query(`SET GLOBAL ${name} = '${right}'`);
      });
      expectFix(other, code);
      expect(failure.message).not.toContain('changed by');
    },
  );

  it('says that the log it needs is gone', async () => {
    const server = new MemoryServer();
    await runSource({ ...run, server });
    await client.query("INSERT INTO shop.items VALUES (50, 'gone') ON DUPLICATE KEY UPDATE name = 'again'");
    await client.query('FLUSH BINARY LOGS');
    await purgeLogs(client);
    await expectRefusal(runSource({ ...run, server }), 'SOURCE_HISTORY_LOST');
  });

  it('stops at an event whose bytes were changed on the way', async () => {
    await using proxy = await Proxy.open(source.url);
    const failure = await whileFollowing(fresh({ url: proxy.url }), async () => {
      proxy.flip(Buffer.from('flip this'));
      await client.query("UPDATE shop.items SET name = 'flip this' WHERE id = 2");
    });
    expectFix(failure, 'SOURCE_EVENT_CORRUPT');
    expect(failure.message).not.toContain('flip this');
  });

  it('says that the connection was cut, and goes on in the next run', async () => {
    await using proxy = await Proxy.open(source.url);
    const cut = fresh({ url: proxy.url });
    const failure = await whileFollowing(cut, () => proxy.cut());
    expect([failure.code, failure.verdict]).toEqual(['SOURCE_CONNECTION_LOST', 'retry']);
    await client.query("REPLACE INTO shop.items VALUES (60, 'after')");
    await runSource(cut);
    expect(cut.server.rows({ database: 'shop', name: 'items' })).toContainEqual([60, 'after']);
  });

  it('says so to every question on a connection that is gone', async () => {
    await using proxy = await Proxy.open(source.url);
    const session = await Session.open(parseAddress(proxy.url), never);
    proxy.cut();
    for (let asked = 0; asked < 2; asked += 1) {
      const { code, verdict } = await failureOf(session.query('SELECT 1', never));
      expect([code, verdict]).toEqual(['SOURCE_CONNECTION_LOST', 'retry']);
    }
  });

  it('outlives a restart of the server', async () => {
    const restarted = fresh();
    const failure = await whileFollowing(restarted, () => source.restart());
    expect([failure.code, failure.verdict]).toEqual(['SOURCE_CONNECTION_LOST', 'retry']);
    client.destroy();
    client = await openClient(source.url);
    await client.query("REPLACE INTO shop.items VALUES (70, 'restarted')");
    await runSource(restarted);
    expect(restarted.server.rows({ database: 'shop', name: 'items' })).toContainEqual([70, 'restarted']);
  });

  it('hands a large transaction over in parts, and rows of more than 16 MB', async () => {
    await client.query('CREATE TABLE shop.large (id INT PRIMARY KEY, body LONGBLOB)');
    const batches: Batch[] = [];
    const large = fresh({ tables: ['shop.large'], before: (_, batch) => void batches.push(batch) });
    await runSource(large);
    await client.query('BEGIN');
    for (let id = 0; id < 10; id += 1)
      await client.query(`INSERT INTO shop.large VALUES (${id}, REPEAT('x', 1000000))`);
    await client.query("INSERT INTO shop.large VALUES (10, CONCAT(REPEAT('y', 17000000), 'end'))");
    await client.query('COMMIT');
    await runSource(large);
    expect(batches.filter(({ checkpoint }) => checkpoint === null).length).toBeGreaterThan(1);
    const copied = fresh({ tables: ['shop.large'] });
    await runSource(copied);
    for (const { server } of [large, copied]) {
      const rows = server.rows({ database: 'shop', name: 'large' });
      expect(rows).toHaveLength(11);
      expect(
        Buffer.from(bodyOf(rows.find(([id]) => id === 10)))
          .subarray(-5)
          .toString(),
      ).toBe('yyend');
    }
    await client.query('DROP TABLE shop.large');
  });
});

describe('a source on MySQL without GTIDs', () => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;

  beforeAll(async () => {
    source = stack.use(
      await startServer('mysql', { fast: true, args: ['--gtid-mode=OFF', '--enforce-gtid-consistency=OFF'] }),
    );
    client = await openClient(source.url);
    stack.defer(() => client.destroy());
    await client.query('CREATE DATABASE shop');
    await client.query('CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(50))');
    await client.query("INSERT INTO shop.items VALUES (1, 'one')");
  });
  afterAll(() => stack.disposeAsync());

  it('is refused where nothing tells what is visible', async () => {
    const run = { url: source.url, tables: ['shop.*'], server: new MemoryServer() };
    await expectRefusal(runSource(run), 'SOURCE_SNAPSHOT_POSITION');
  });

  it('is copied and followed with a marker, which it writes and does not capture', async () => {
    const server = new MemoryServer();
    const run = { url: source.url, tables: ['*.*'], server, marker: 'lockstep.marker' };
    await runSource(run);
    await client.query("INSERT INTO shop.items VALUES (2, 'two')");
    await runSource(run);
    expect(server.rows({ database: 'shop', name: 'items' })).toHaveLength(2);
    expect([...server.tokens('test').keys()].filter((name) => name.startsWith('table/'))).toEqual([
      'table/shop.items/',
    ]);
  });

  it('is not followed on another server', async () => {
    const server = new MemoryServer();
    const run = { url: source.url, tables: ['shop.*'], server, marker: 'lockstep.marker' };
    await runSource(run);
    const target = new MemoryTarget({ server, pipeline: 'test' });
    const token = (await target.load('stream')).get('stream') ?? '';
    const elsewhere = token.replace(/"server":"[^"]+"/, '"server":"00000000-0000-0000-0000-000000000000"');
    const checkpoint = { set: new Map([['stream', elsewhere]]), drop: [] };
    const batch = { changes: [], checkpoint, bytes: 0, copying: new Set<string>(), barrier: null };
    await target.apply({ name: 'stream', kind: 'stream' }, batch, never);
    await expectRefusal(runSource(run), 'SOURCE_CHANGED');
  });

  it('says within its deadline that a connection fell silent', async () => {
    await using proxy = await Proxy.open(source.url);
    const began = Date.now();
    const run = { url: proxy.url, tables: ['shop.*'], server: new MemoryServer(), marker: 'lockstep.marker' };
    const failure = await whileFollowing(run, () => proxy.fallSilent());
    expect([failure.code, failure.verdict]).toEqual(['SOURCE_SILENT', 'retry']);
    expect(Date.now() - began).toBeLessThan(45_000);
  });
});

it.each(flavours)('a %s without a binary log is refused', async (flavour) => {
  await using source = await startServer(flavour, { fast: true, args: ['--skip-log-bin'] });
  const client = await openClient(source.url);
  await client.query('CREATE DATABASE shop');
  await client.query('CREATE TABLE shop.items (id INT PRIMARY KEY)');
  client.destroy();
  const run = { url: source.url, tables: ['shop.*'], server: new MemoryServer() };
  await expectRefusal(runSource(run), 'SOURCE_BINLOG_OFF');
});

async function failureOf(running: Promise<unknown>): Promise<LockstepError> {
  try {
    await running;
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
  throw new Error('it went well');
}

async function expectRefusal(running: Promise<unknown>, code: Code): Promise<void> {
  expectFix(await failureOf(running), code);
}

function expectFix(failure: LockstepError, code: Code): void {
  expect(`${failure.code} ${failure.message}`).toContain(`${code} `);
  expect(failure.fix).not.toBe('');
  expect(`${failure.message} ${failure.fix}`).not.toContain(':pw@');
}

/** Does something once the run has copied everything and follows; gives what the run failed with then. */
async function whileFollowing(run: SourceRun, act: () => Promise<void> | void): Promise<LockstepError> {
  const progress = new Progress();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(50_000)]);
  const failed = failureOf(runSource({ ...run, until: null, progress, signal }));
  failed.catch(() => undefined);
  while (progress.phase !== 'following') await Promise.race([sleep(10, never), failed]);
  try {
    await act();
    return await failed;
  } finally {
    stop.abort(new Error('the test has ended'));
  }
}

/** Removes all logs but the last; one that a connection of an earlier test still reads stays until the server has noticed its end. */
async function purgeLogs(client: Connection): Promise<void> {
  for (;;) {
    const [logs] = await client.query<RowDataPacket[]>('SHOW BINARY LOGS');
    if (logs.length === 1) return;
    await client.query(`PURGE BINARY LOGS TO '${String(logs.at(-1)?.['Log_name'])}'`);
    await sleep(50, AbortSignal.timeout(20_000));
  }
}

function bodyOf(row: readonly unknown[] | undefined): Uint8Array {
  const body = row?.[1];
  return body instanceof Uint8Array ? body : new Uint8Array();
}
