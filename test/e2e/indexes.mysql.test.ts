import { MongoClient } from 'mongodb';
import type { Connection } from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { flavours, openClient } from '../support/mysql-run.ts';
import { lockstep, startLockstep, until } from './cli.ts';
import { caughtUp, expectEqual, newScene, onPostgres, openEntries, type Ends, type Scene } from './scene.ts';

const columns = `id INT PRIMARY KEY, email VARCHAR(100) NOT NULL, name VARCHAR(50), born DATE, note TEXT, bin VARBINARY(40), place POINT NOT NULL,
  wide VARCHAR(760), UNIQUE KEY by_email (email), KEY by_name (name, born DESC), KEY by_note (note(20)), KEY by_bin (bin(8)), KEY by_wide (wide),
  FULLTEXT KEY words (note), SPATIAL KEY places (place), KEY just_id (id)`;

describe.each(flavours)('the secondary indexes of %s', (flavour) => {
  const servers = new AsyncDisposableStack();
  let source: Server;
  let postgres: Server;
  let mongodb: Server;
  let client: Connection;

  beforeAll(async () => {
    [source, postgres, mongodb] = await Promise.all([
      startServer(flavour, { fast: true, own: true }),
      startServer('postgres', { fast: true, own: true }),
      startServer('mongodb', { fast: true, own: true }),
    ]);
    for (const server of [source, postgres, mongodb]) servers.use(server);
    client = await openClient(source.url);
    servers.defer(() => client.destroy());
  });
  afterAll(async () => await servers.disposeAsync());

  /** A table of 20 people in a database of its own, and a pipeline for it. */
  async function pipeline(name: string, target: Server, ends: Partial<Ends> = {}): Promise<Scene> {
    await client.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await client.query(`CREATE TABLE ${name}.people (${columns})`);
    const people = Array.from({ length: 20 }, (_, id) => person(id));
    await client.query(`INSERT INTO ${name}.people VALUES ${people.join(', ')}`);
    return await newScene(name, { source: source.url, target, ...ends });
  }

  const person = (id: number): string =>
    `(${id}, '${id}@example.org', 'n${id % 7}', '2000-01-01', 'a note', 'bin', POINT(1, 2), 'w')`;

  const indexesOf = async ({ target, name }: Scene): Promise<Record<string, string>> => {
    const sql = `SELECT i.relname AS name, pg_get_indexdef(i.oid) AS text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
      WHERE i.relnamespace = '${name}'::regnamespace AND x.indisvalid ORDER BY 1`;
    const rows = await onPostgres<{ name: string; text: string }>(target, sql);
    return Object.fromEntries(
      rows.map(({ name, text }) => [name.replace(/_[0-9a-f]{8}$/, ''), text.replace(/ INDEX .* USING /, ' ')]),
    );
  };

  const all = {
    people_pkey: 'CREATE UNIQUE btree (id)',
    people_by_email: 'CREATE btree (email)',
    people_by_name: 'CREATE btree (name NULLS FIRST, born DESC NULLS LAST)',
    people_by_note: 'CREATE btree ("left"(note, 20) NULLS FIRST)',
    people_by_bin: 'CREATE btree ("substring"(bin, 1, 8) NULLS FIRST)',
  };

  test('are made in PostgreSQL once the copy is done, and those that cannot be are named', async () => {
    const scene = await pipeline('plain', postgres);
    const { code, stdout, stderr } = await lockstep(['run', scene.file, '--until', 'caught-up', '--json']);
    expect(code, stderr).toBe(0);
    expect(await indexesOf(scene)).toEqual(all);
    const { targets } = JSON.parse(stdout) as { targets: { warehouse: { tables: Record<string, object> } } };
    expect(targets.warehouse.tables['plain.people']).toMatchObject({
      indexes: {
        made: 4,
        wanted: 4,
        lost: [
          { name: 'by_wide', reason: expect.stringMatching(/3044 bytes/) as string },
          { name: 'places', reason: expect.stringMatching(/PostGIS/) as string },
          { name: 'words', reason: expect.stringMatching(/FULLTEXT/) as string },
        ],
      },
    });
    expect(stderr).toMatch(/indexed plain\.people {3}4 indexes[^]*warn {2}index by_wide of plain\.people: /);
  });

  test('are made in MongoDB', async () => {
    const scene = await pipeline('documents', mongodb);
    for (let n = 0; n < 6; n += 1)
      await client.query(`CREATE TABLE documents.t${n} (id INT PRIMARY KEY, v INT, KEY by_v (v))`);
    await caughtUp(scene);
    const mongo = await MongoClient.connect(scene.target);
    servers.defer(async () => await mongo.close());
    const found = await mongo.db().collection('people').indexes();
    expect(found.map(({ name, key }) => [name, key])).toEqual([
      ['_id_', { _id: 1 }],
      ['by_bin', { bin: 1 }],
      ['by_email', { email: 1 }],
      ['by_name', { name: 1, born: -1 }],
      ['by_note', { note: 1 }],
      ['by_wide', { wide: 1 }],
    ]);
    for (let n = 0; n < 6; n += 1) expect(await mongo.db().collection(`t${n}`).indexes()).toHaveLength(2);
  });

  test('are made after all where the process was killed meanwhile, and the stream goes on before', async () => {
    const scene = await pipeline('killed', postgres);
    await using entries = await openEntries(scene);
    await onPostgres(
      scene.target,
      `CREATE SCHEMA killed; CREATE TABLE killed.people (id int PRIMARY KEY, email varchar(100) NOT NULL,
      name varchar(50), born date, note text, bin bytea, place bytea NOT NULL, wide varchar(760))`,
    );
    const reader = new Client(scene.target);
    await reader.connect();
    // A transaction that has written to the table keeps every index of it from becoming valid.
    await reader.query('BEGIN; LOCK TABLE killed.people IN ROW EXCLUSIVE MODE');
    const running = startLockstep(['run', scene.file]);
    const begun = async (): Promise<boolean> => {
      const sql = "SELECT 1 FROM pg_class WHERE relname LIKE 'people_by_bin%'";
      return (await onPostgres(scene.target, sql)).length > 0;
    };
    await until(begun, () => running.stderr());
    await client.query(`INSERT INTO killed.people VALUES ${person(100)}`);
    await until(
      async () => (await entries.rows('people')) === 21,
      () => running.stderr(),
    );
    expect([...(await entries.read()).keys()].filter((name) => name.startsWith('index/'))).toHaveLength(1);
    running.process.kill('SIGKILL');
    await running.ended;
    const { stdout } = await lockstep(['status', scene.file]);
    expect(stdout).toMatch(/killed\.people {2}following, indexes to be made/);
    await reader.end();
    await caughtUp(scene);
    expect(await indexesOf(scene)).toEqual(all);
    expect([...(await entries.read()).keys()].filter((name) => name.startsWith('index/'))).toEqual([]);
  });

  // What follows is of the target and of the loop, and the same for both.
  if (flavour === 'mariadb') return;

  test('one that somebody drops later stays away, until the table is copied anew', async () => {
    const scene = await pipeline('dropped', postgres);
    await caughtUp(scene);
    await onPostgres(
      scene.target,
      `DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX dropped.' || indexname FROM pg_indexes WHERE indexname LIKE 'people_by_name%' AND schemaname = 'dropped'); END $$`,
    );
    await client.query(`INSERT INTO dropped.people VALUES ${person(100)}`);
    await caughtUp(scene);
    const { people_by_name: dropped, ...others } = all;
    expect(await indexesOf(scene)).toEqual(others);
    expect((await lockstep(['table', 'resync', scene.file, 'dropped.people', '--where', 'id = 3'])).code).toBe(0);
    await caughtUp(scene);
    expect(await indexesOf(scene)).toEqual(others);
    expect((await lockstep(['table', 'resync', scene.file, 'dropped.people'])).code).toBe(0);
    await caughtUp(scene);
    expect(await indexesOf(scene)).toEqual({ ...others, people_by_name: dropped });
  });

  test('are none where the configuration says so', async () => {
    const scene = await pipeline('without', postgres, { settings: 'indexes: false' });
    await caughtUp(scene);
    expect(Object.keys(await indexesOf(scene))).toEqual(['people_pkey']);
  });

  test('follow their columns through transforms', async () => {
    const transforms =
      "transforms: [{ rename: { tables: { people: persons }, columns: { 'people.name': called } } }, { exclude: { columns: ['*.note'] } }]";
    const scene = await pipeline('renamed', postgres, { settings: transforms });
    const planned = await lockstep(['plan', scene.file]);
    expect(planned.stdout).toMatch(
      /index {2}by_name {2}→ {2}CREATE INDEX "persons_by_name_[0-9a-f]{8}" ON "renamed"."persons" \("called" /,
    );
    expect(planned.stdout).toMatch(/index {2}by_note {2}is not made: a transform leaves one of its columns out/);
    await caughtUp(scene);
    expect(await indexesOf(scene)).toMatchObject({
      persons_by_email: 'CREATE btree (email)',
      persons_by_name: 'CREATE btree (called NULLS FIRST, born DESC NULLS LAST)',
    });
  });

  test('come with the statements of the source, and stay', async () => {
    const scene = await pipeline('statements', postgres);
    await caughtUp(scene);
    await client.query('CREATE INDEX later ON statements.people (wide(10))');
    await client.query(
      'ALTER TABLE statements.people DROP KEY words, MODIFY note BLOB, ADD more INT, ADD KEY by_more (more)',
    );
    await client.query('CREATE TABLE statements._people_gho LIKE statements.people');
    await client.query('INSERT INTO statements._people_gho SELECT * FROM statements.people');
    await client.query(
      'RENAME TABLE statements.people TO statements._people_del, statements._people_gho TO statements.people',
    );
    await client.query('DROP TABLE statements._people_del');
    await caughtUp(scene);
    await expectEqual(scene);
    expect(Object.values(await indexesOf(scene)).toSorted()).toEqual([
      'CREATE UNIQUE btree (id)',
      'CREATE btree ("left"((wide)::text, 10) NULLS FIRST)',
      'CREATE btree ("substring"(bin, 1, 8) NULLS FIRST)',
      'CREATE btree ("substring"(note, 1, 20) NULLS FIRST)',
      'CREATE btree (email)',
      'CREATE btree (more NULLS FIRST)',
      'CREATE btree (name NULLS FIRST, born DESC NULLS LAST)',
    ]);
  });
});

test('an index over an expression is named, and not made', async () => {
  await using source = await startServer('mysql', { fast: true, own: true });
  await using postgres = await startServer('postgres', { fast: true, own: true });
  const client = await openClient(source.url);
  await client.query('CREATE DATABASE functional');
  await client.query('CREATE TABLE functional.t (id INT PRIMARY KEY, v VARCHAR(20), KEY low ((LOWER(v)), id))');
  client.destroy();
  const scene = await newScene('functional', { source: source.url, target: postgres });
  const { stdout } = await lockstep(['run', scene.file, '--until', 'caught-up']);
  expect(stdout).toMatch(/warn {2}index low of functional\.t: it is over an expression/);
});
