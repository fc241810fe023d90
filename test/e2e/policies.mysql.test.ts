import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { openClient, runSource } from '../support/mysql-run.ts';
import { configFile, lockstep, type Ended } from './cli.ts';
import { inDatabase, onPostgres } from './scene.ts';

describe.each(['mysql', 'mariadb'] as const)('schema changes of %s', (flavour) => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let postgres: Server;
  let mongodb: Server;

  beforeAll(async () => {
    const start = async (kind: 'mysql' | 'mariadb' | 'postgres' | 'mongodb'): Promise<Server> =>
      stack.use(await startServer(kind, { own: true, fast: true }));
    [source, postgres, mongodb] = await Promise.all([start(flavour), start('postgres'), start('mongodb')]);
  });
  afterAll(async () => await stack.disposeAsync());

  /** Copies `name.t (id, v, n)`, changes the source, and runs again. */
  async function after(name: string, policies: string, ...statements: readonly string[]): Promise<Ended> {
    await onPostgres(postgres.url, `CREATE DATABASE ${name}`);
    await using client = await openClient(source.url);
    await client.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await client.query(`USE ${name}`);
    await client.query('CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10) NOT NULL, n INT)');
    await client.query("INSERT INTO t VALUES (1, 'a', 1)");
    const file = configOf(name, policies);
    expect((await run(file)).code).toBe(0);
    for (const statement of statements) await client.query(statement);
    return await run(file);
  }

  function configOf(name: string, policies: string): string {
    return configFile(
      [
        `name: ${name}`,
        `source: { url: '${source.url}', tables: ['${name}.*'], schemaChanges: ${policies} }`,
        'targets:',
        `  warehouse: { url: '${inDatabase(postgres.url, name)}' }`,
        `  catalog: { url: '${inDatabase(mongodb.url, name)}' }`,
      ].join('\n'),
    );
  }

  const run = async (file: string): Promise<Ended> => await lockstep(['run', file, '--until', 'caught-up']);
  const rows = async (name: string, table = 't'): Promise<unknown[]> =>
    await onPostgres(inDatabase(postgres.url, name), `SELECT * FROM ${name}.${table} ORDER BY 1`);

  it('that are ignored leave dropped columns and tables in the target, and go on', async () => {
    const policies = '{ drop-column: ignore, drop-table: ignore, truncate-table: ignore, create-table: ignore }';
    const statements = [
      'ALTER TABLE t DROP v',
      'INSERT INTO t VALUES (2, 2)',
      'TRUNCATE t',
      'INSERT INTO t VALUES (3, 3)',
    ];
    const more = ['CREATE TABLE u (id INT PRIMARY KEY)', 'INSERT INTO u VALUES (1)', 'DROP TABLE t'];
    expect((await after('ignored', policies, ...statements, ...more)).code).toBe(0);
    expect(await rows('ignored')).toEqual([
      { id: 1, v: 'a', n: 1 },
      { id: 2, v: null, n: 2 },
      { id: 3, v: null, n: 3 },
    ]);
    expect(await rows('ignored', 'u')).toEqual([]);
    await using client = await openClient(source.url);
    await client.query('INSERT INTO ignored.u VALUES (2)');
    expect((await run(configOf('ignored', policies))).code, 'also after a restart').toBe(0);
    expect(await rows('ignored', 'u')).toEqual([]);
  });

  it('that are ignored leave a column as it is, as long as it holds what comes', async () => {
    const statements = [
      'ALTER TABLE t MODIFY n BIGINT, MODIFY v VARCHAR(5) NOT NULL',
      "INSERT INTO t VALUES (2, 'b', 5)",
    ];
    const { code, stderr } = await after('kept', '{ change-column: ignore }', ...statements);
    expect(code).toBe(1);
    expect(stderr).toContain('column n is integer and cannot hold every bigint');
  });

  it.each([
    ['add-column', 'ALTER TABLE t ADD x INT'],
    ['drop-column', 'ALTER TABLE t DROP v'],
    ['rename-column', 'ALTER TABLE t RENAME COLUMN v TO w'],
    ['change-column', 'ALTER TABLE t MODIFY n BIGINT'],
    ['change-key', 'ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, v)'],
    ['truncate-table', 'TRUNCATE TABLE t'],
    ['change-partition', 'ALTER TABLE t TRUNCATE PARTITION ALL'],
    ['drop-table', 'DROP TABLE t'],
    ['rename-table', 'RENAME TABLE t TO u'],
    ['create-table', 'CREATE TABLE u (id INT PRIMARY KEY)'],
  ])('stop at %s where they are told to, and go on once they may', async (kind, statement) => {
    const database = kind.replace('-', '_');
    const run = { url: source.url, tables: [`${database}.*`], server: new MemoryServer(), pipeline: database };
    await using client = await openClient(source.url);
    await client.query(`CREATE DATABASE ${database}`);
    await client.query(`USE ${database}`);
    await client.query(
      'CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10) NOT NULL, n INT) PARTITION BY HASH (id) PARTITIONS 2',
    );
    await runSource(run);
    await client.query(statement);
    await expect(runSource({ ...run, schemaChanges: { [kind]: 'stop' } })).rejects.toEqual(
      expect.objectContaining({
        code: 'SOURCE_SCHEMA_CHANGE',
        message: expect.stringContaining(`stops at ${kind}: `),
        fix: expect.stringContaining(`source.schemaChanges.${kind}`),
      }),
    );
    await runSource(run);
  });

  it('are foreseen in each target without being made', async () => {
    await after('foreseen', '{}');
    const file = configOf('foreseen', '{ drop-table: stop, drop-column: ignore }');
    const plan = async (ddl: string): Promise<{ code: number | null; targets: readonly Record<string, unknown>[] }> => {
      const { code, stdout } = await lockstep(['plan', file, '--json', '--ddl', ddl]);
      return { code, ...(JSON.parse(stdout) as { targets: readonly Record<string, unknown>[] }) };
    };
    const renamed = await plan('ALTER TABLE t RENAME COLUMN v TO w, MODIFY n BIGINT, ADD x INT DEFAULT 7');
    expect([renamed.code, renamed.targets.map(({ does }) => does)]).toEqual([
      0,
      [
        [
          'ALTER TABLE "foreseen"."t" RENAME COLUMN "v" TO "w"',
          expect.stringMatching(
            /^ALTER TABLE "foreseen"."t" ALTER COLUMN "n" TYPE bigint .*ADD COLUMN "x" integer DEFAULT 7$/,
          ),
        ],
        ['foreseen.t: rename the field v to w', 'foreseen.t: add the field x'],
      ],
    ]);
    const dropped = await plan('DROP TABLE foreseen.t');
    expect([dropped.code, dropped.targets.map(({ stops }) => stops)]).toEqual([
      4,
      Array.from({ length: 2 }, () => expect.objectContaining({ code: 'SOURCE_SCHEMA_CHANGE' })),
    ]);
    const ignored = await plan('ALTER TABLE t DROP v');
    expect(ignored.targets[0]).toMatchObject({ notes: ['foreseen.t: dropped columns stay in the target'] });
    const nothing = await plan("GRANT SELECT ON foreseen.* TO 'x'");
    expect(nothing.targets[0]).toMatchObject({ does: [], notes: [expect.stringContaining('nothing')] });
    const computed = await plan('ALTER TABLE t ADD g INT AS (n + 1)');
    expect(computed.targets[0]).toMatchObject({ notes: [expect.stringContaining('foreseen.t is copied again')] });
    expect(await rows('foreseen')).toEqual([{ id: 1, v: 'a', n: 1 }]);
  });
});
