import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from '../../core/signals.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { flavours, never, openClient, runSource, type Flavour } from '../support/mysql-run.ts';

/** With AFTER_SYNC a commit waits for a replica's receipt when it is in the log and not yet visible; without a replica it waits for us. */
const stall: Readonly<Record<Flavour, { readonly begin: readonly string[]; readonly end: string }>> = {
  mysql: {
    begin: [
      "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
      'SET GLOBAL rpl_semi_sync_source_wait_point = AFTER_SYNC',
      'SET GLOBAL rpl_semi_sync_source_wait_no_replica = ON',
      'SET GLOBAL rpl_semi_sync_source_timeout = 60000',
      'SET GLOBAL rpl_semi_sync_source_enabled = ON',
    ],
    end: 'SET GLOBAL rpl_semi_sync_source_enabled = OFF',
  },
  mariadb: {
    begin: [
      'SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC',
      'SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON',
      'SET GLOBAL rpl_semi_sync_master_timeout = 60000',
      'SET GLOBAL rpl_semi_sync_master_enabled = ON',
    ],
    end: 'SET GLOBAL rpl_semi_sync_master_enabled = OFF',
  },
};

describe.each(flavours)('a commit of %s that is logged and not visible', (flavour) => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;

  beforeAll(async () => {
    source = stack.use(await startServer(flavour, { fast: true, own: true, args: ['--sync-binlog=1'] }));
    client = await openClient(source.url);
    stack.defer(() => client.destroy());
    await client.query('CREATE DATABASE race');
  });
  afterAll(() => stack.disposeAsync());

  it('reaches the target, and no chunk is read behind it before it can be seen', async () => {
    await client.query('CREATE TABLE race.followed (id INT PRIMARY KEY, v VARCHAR(10))');
    await client.query('CREATE TABLE race.late (id INT PRIMARY KEY, v VARCHAR(10))');
    await client.query("INSERT INTO race.followed VALUES (1, 'old')");
    const rows = Array.from({ length: 12_000 }, (_, id) => `(${id}, 'old')`);
    await client.query(`INSERT INTO race.late VALUES ${rows.join()}`);
    const server = new MemoryServer();
    await runSource({ url: source.url, tables: ['race.followed'], server });
    const shown = (): unknown => server.rows({ database: 'race', name: 'followed' })[0]?.[1];

    for (const statement of stall[flavour].begin) await client.query(statement);
    const committed = commit(source.url, [
      "UPDATE race.followed SET v = 'new'",
      "UPDATE race.late SET v = 'new' WHERE id IN (1, 11000)",
      'DELETE FROM race.late WHERE id IN (2, 11001)',
      "INSERT INTO race.late VALUES (-1, 'more'), (12345, 'more')",
    ]);
    const running = runSource({
      url: source.url,
      tables: ['race.followed', 'race.late'],
      server,
      before: ({ kind }) => (kind === 'copy' ? allIsSent() : undefined),
    });
    while (shown() !== 'new') await Promise.race([sleep(5, never), failed(running), failed(committed)]);

    // At most the first chunk was read before the commit was handed on; time passes, and still there is no other.
    const [[visible]] = await client.query<RowDataPacket[]>('SELECT SLEEP(0.3), (SELECT v FROM race.followed) AS v');
    expect(visible?.['v']).toBe('old');
    expect(server.copied.get('race.late') ?? 0).toBeLessThanOrEqual(5000);

    await client.query(stall[flavour].end);
    await Promise.all([committed, running]);
    expect(await difference('late', server)).toEqual([]);
  });

  it('is never lost nor undone where commits are many', async () => {
    const names = ['a', 'b', 'c'];
    const stop = new AbortController();
    for (const name of names) await client.query(`CREATE TABLE race.${name} (id INT PRIMARY KEY, v INT)`);
    const writing = Promise.all(Array.from({ length: 8 }, (_, n) => write(n, names, stop.signal)));
    const runs = Array.from({ length: 12 }, (_, round) => ({
      url: source.url,
      tables: names.map((name) => `race.${name}`),
      server: new MemoryServer(),
      pipeline: `race${round}`,
      readers: 3,
    }));
    for (const run of runs) await runSource(run);
    stop.abort(new Error('enough'));
    await writing;
    for (const run of runs) {
      await runSource(run);
      for (const name of names) expect(await difference(name, run.server)).toEqual([]);
    }
  });

  it('is never lost where XA transactions commit, and one is prepared all the time', async () => {
    const names = ['x', 'y'];
    for (const name of names) await client.query(`CREATE TABLE race.${name} (id INT PRIMARY KEY, v INT)`);
    await client.query('CREATE TABLE race.idle (id INT PRIMARY KEY)');
    const tables = [...names, 'idle'].map((name) => `race.${name}`);
    for (let round = 0; round < 8; round += 1) {
      const server = new MemoryServer();
      const pipeline = `xa${round}`;
      await runSource({ url: source.url, tables: ['race.idle'], server, pipeline });
      const stop = new AbortController();
      const idle = await prepare(`idle${round}`, `INSERT INTO race.idle VALUES (${round})`);
      const writing = Promise.all(Array.from({ length: 6 }, (_, n) => writeXa(round * 6 + n, names, stop.signal)));
      try {
        // They are new to it: copied while it follows.
        await runSource({ url: source.url, tables, server, pipeline, readers: 3 });
      } finally {
        stop.abort(new Error('enough'));
        await writing;
      }
      await idle.query(`XA COMMIT 'idle${round}'`);
      idle.destroy();
      await runSource({ url: source.url, tables, server, pipeline });
      for (const name of [...names, 'idle']) expect(await difference(name, server)).toEqual([]);
    }
  });

  async function prepare(xid: string, statement: string): Promise<Connection> {
    const session = await openClient(source.url);
    for (const sql of [`XA START '${xid}'`, statement, `XA END '${xid}'`, `XA PREPARE '${xid}'`])
      await session.query(sql);
    return session;
  }

  async function writeXa(n: number, names: readonly string[], signal: AbortSignal): Promise<void> {
    const writer = await openClient(source.url);
    try {
      for (let i = 0; !signal.aborted; i += 1) {
        const table = `race.${names[i % names.length] ?? ''}`;
        const xid = `'${n}-${i}'`;
        const change = `INSERT INTO ${table} VALUES (${n * 100_000 + i}, ${i})`;
        for (const sql of [`XA START ${xid}`, change, `XA END ${xid}`, `XA PREPARE ${xid}`, `XA COMMIT ${xid}`])
          await writer.query(sql);
      }
    } finally {
      writer.destroy();
    }
  }

  async function write(n: number, names: readonly string[], signal: AbortSignal): Promise<void> {
    const writer = await openClient(source.url);
    try {
      for (let i = 0; !signal.aborted; i += 1) {
        const table = `race.${names[(i + n) % names.length] ?? ''}`;
        const id = (i % 300) * 8 + n;
        await writer.query(
          i % 3 === 0
            ? `DELETE FROM ${table} WHERE id = ${id - 40}`
            : `INSERT INTO ${table} VALUES (${id}, ${i}) ON DUPLICATE KEY UPDATE v = ${i}`,
        );
      }
    } finally {
      writer.destroy();
    }
  }

  /** Resolves once the server has sent its whole log to everybody who follows it. */
  async function allIsSent(): Promise<void> {
    for (;;) {
      const [followers] = await client.query<RowDataPacket[]>(
        "SELECT state LIKE '%has sent all binlog%' AS done FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'",
      );
      if (followers.every(({ done }) => Number(done) === 1)) return;
      await sleep(5, never);
    }
  }

  /** The rows that only one side has. */
  async function difference(name: string, server: MemoryServer): Promise<string[]> {
    const [rows] = await client.query<RowDataPacket[]>(`SELECT * FROM race.${name}`);
    const source = new Set(rows.map((row) => Object.values(row).join(':')));
    const copied = new Set(server.rows({ database: 'race', name }).map((row) => row.map(String).join(':')));
    return [...source.symmetricDifference(copied)];
  }
});

async function commit(url: string, statements: readonly string[]): Promise<void> {
  const session = await openClient(url);
  await session.query('BEGIN');
  for (const statement of statements) await session.query(statement);
  await session.query('COMMIT');
  session.destroy();
}

/** Rejects with what `running` fails with, and never resolves. */
function failed(running: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => void running.catch(reject));
}
