import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCatalog } from '../../connectors/mysql/catalog/catalog.ts';
import { parseAddress, Session } from '../../connectors/mysql/connection/session.ts';
import { readServer } from '../../connectors/mysql/connection/server.ts';
import { keyOf } from '../../connectors/mysql/schema/steps.ts';
import { valueAt } from '../../core/row.ts';
import type { Column, TableSchema } from '../../core/table.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { parityTables } from '../parity/tables.ts';
import { flavours, never, openClient, runSource, type Flavour, type SourceRun } from '../support/mysql-run.ts';

/** Statements that change `t`, one after the other, each with a row behind it. */
const statements: readonly string[] = [
  'ALTER TABLE t ADD COLUMN a INT NOT NULL DEFAULT 5',
  'ALTER TABLE t ADD (b VARCHAR(20), c BIGINT UNSIGNED NOT NULL DEFAULT 0), ALGORITHM=INPLACE',
  "ALTER TABLE t ADD d ENUM('x','y''z') CHARACTER SET latin1 NULL DEFAULT 'x' FIRST, ADD e DECIMAL(10,3) AFTER id",
  'ALTER TABLE t MODIFY a BIGINT NOT NULL',
  'ALTER TABLE t MODIFY COLUMN a SMALLINT UNSIGNED NULL AFTER b',
  'ALTER TABLE t CHANGE b bb VARCHAR(50) CHARACTER SET latin2 NOT NULL COMMENT "it\'s, a comment"',
  'ALTER TABLE t RENAME COLUMN bb TO b, RENAME COLUMN a TO aa',
  'ALTER TABLE t RENAME COLUMN aa TO c, RENAME COLUMN c TO aa',
  "ALTER TABLE t MODIFY d ENUM('w','x','y''z','ž') CHARACTER SET utf8mb4",
  'ALTER TABLE t DROP COLUMN e, DROP b',
  'ALTER TABLE t DROP COLUMN c, ADD COLUMN c VARBINARY(9)',
  'ALTER TABLE t ADD s TEXT, ADD CHECK (aa > -5), ADD INDEX by_aa (aa), COMMENT = "ADD nothing INT"',
  'ALTER TABLE t CONVERT TO CHARACTER SET utf8mb3',
  '/*!40000 ALTER TABLE t DROP INDEX by_aa */, ADD g INT /* g */, ADD h INT',
  'alter table `t` /* why */ modify `s` longtext -- and so on\n, alter column aa set default 7',
  'ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, aa)',
  'ALTER TABLE t DROP PRIMARY KEY, ADD UNIQUE KEY u (id)',
  'DROP INDEX u ON t',
  'ALTER TABLE t ADD CONSTRAINT PRIMARY KEY USING BTREE (id)',
  'ALTER TABLE t MODIFY id BIGINT AUTO_INCREMENT',
  'ALTER TABLE t ADD ts TIMESTAMP(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), ADD f FLOAT, ADD dd DOUBLE PRECISION',
  'ALTER TABLE t ADD bits BIT(9), ADD y YEAR, ADD flag BOOLEAN NOT NULL DEFAULT FALSE, ADD n NATIONAL VARCHAR(5), ADD dt DATETIME',
  'ALTER TABLE t ALGORITHM = COPY, ORDER BY id',
  'ALTER TABLE t AUTO_INCREMENT = 1000, ROW_FORMAT = DYNAMIC ENGINE InnoDB DEFAULT CHARSET latin1',
  'ALTER TABLE t ADD l VARCHAR(10), ADD j JSON, ADD c2 CHAR(3) COLLATE utf8mb4_bin, ADD st SET("a","b c")',
  'ALTER TABLE t ADD p POINT, ADD bl MEDIUMBLOB, ADD i INTEGER(7) UNSIGNED ZEROFILL',
  'CREATE OR REPLACE VIEW v AS SELECT id FROM t',
  'CREATE INDEX i ON t (aa)',
  'ANALYZE TABLE t',
  'TRUNCATE TABLE t',
  'DROP TABLE t',
  "CREATE TABLE t (id INT NOT NULL, w VARCHAR(30) CHARACTER SET utf16 DEFAULT 'it''s', `p,q` INT, g INT GENERATED ALWAYS AS (id + 1) VIRTUAL, h INT AS (id * 2) STORED, UNIQUE KEY (id), KEY (w(5)), PRIMARY KEY (`p,q`, id)) CHARSET=cp1250",
  'ALTER TABLE t RENAME TO t2',
  'CREATE TABLE t LIKE t2',
  'DROP TABLE t2, t',
  'CREATE TABLE t (PRIMARY KEY (id)) SELECT 1 AS id, CAST("a" AS CHAR(3)) AS txt, CAST(1 AS DECIMAL(5,2)) AS dc',
  'CREATE TABLE ghost (id INT PRIMARY KEY, extra TEXT)',
  'RENAME TABLE t TO t_old, ghost TO t',
];

/** Which character set the new columns get is said nowhere but beside the rows, where the server logs it. */
const open = new Set([
  'alter table `t` /* why */ modify `s` longtext -- and so on\n, alter column aa set default 7',
  'ALTER TABLE t ADD l VARCHAR(10), ADD j JSON, ADD c2 CHAR(3) COLLATE utf8mb4_bin, ADD st SET("a","b c")',
]);

const only: Readonly<Record<Flavour, readonly string[]>> = {
  mysql: [
    'ALTER TABLE t ADD COLUMN instant INT, ALGORITHM=INSTANT',
    'ALTER TABLE t ADD COLUMN hidden INT INVISIBLE, ALTER COLUMN instant SET INVISIBLE, LOCK=DEFAULT',
    'ALTER TABLE t ADD v VECTOR(3), ADD u VARCHAR(36) DEFAULT "ab"',
  ],
  mariadb: [
    'ALTER TABLE IF EXISTS t WAIT 5 ADD COLUMN IF NOT EXISTS m INT, DROP COLUMN IF EXISTS nothing',
    'ALTER ONLINE TABLE t NOWAIT ADD u UUID, ADD ip INET6, ADD ip4 INET4 DEFAULT "10.0.0.1"',
    'ALTER TABLE t MODIFY COLUMN IF EXISTS m BIGINT, RENAME COLUMN IF EXISTS nothing TO something',
    'CREATE OR REPLACE TABLE t (id INT PRIMARY KEY, j JSON, k LONGTEXT COLLATE utf8mb4_uca1400_ai_ci)',
  ],
};

describe.each(flavours)('a backlog of %s', (flavour) => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  beforeAll(async () => {
    source = stack.use(await startServer(flavour, { fast: true, own: true }));
  });
  afterAll(() => stack.disposeAsync());

  const levels = flavour === 'mysql' ? ['FULL', 'MINIMAL'] : ['FULL', 'MINIMAL', 'NO_LOG'];

  it.each(levels)('gives every row the shape that its table had when it was written, metadata %s', async (level) => {
    const { url } = source;
    const database = `shop_${level.toLowerCase()}`;
    const run = { url, tables: [`${database}.*`], server: new MemoryServer(), pipeline: database };
    await using client = await openClient(url);
    await client.query(`SET GLOBAL binlog_row_metadata = '${level}'`);
    await client.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
    await client.query(`USE ${database}`);
    await client.query('CREATE TABLE t (id INT PRIMARY KEY)');
    await runSource(run);
    const expected: [string, unknown][] = [];
    const written = [...statements, ...only[flavour]].filter((statement) => level !== 'NO_LOG' || !open.has(statement));
    for (const [i, statement] of written.entries()) {
      await client.query(statement);
      const table = await tableNow(url, database);
      if (table === null) continue;
      const id = 10 + i;
      const values = table.columns.map(({ name }) => (name === 'id' ? id : 'DEFAULT'));
      const names = table.columns.map(({ name }) => `\`${name}\``);
      await client.query(`INSERT IGNORE INTO t (${names.join()}) VALUES (${values.join()})`);
      expected.push([`${String(id)} ${statement}`, shapeOf(table)]);
    }
    const found: [string, unknown][] = [];
    const before: SourceRun['before'] = (_, { changes }) => {
      for (const change of changes) {
        if (change.kind !== 'insert' || change.table.name !== 't') continue;
        const id = Number(
          valueAt(
            change.after,
            change.table.columns.findIndex(({ name }) => name === 'id'),
          ),
        );
        const statement = expected.find(([text]) => text.startsWith(`${String(id)} `))?.[0];
        if (statement !== undefined) found.push([statement, shapeOf(change.table)]);
      }
    };
    await runSource({ ...run, before });
    for (const [i, one] of expected.entries()) expect(found[i]).toEqual(one);
    expect(found).toHaveLength(expected.length);
  });

  it.each(levels)('describes columns of every type as the catalog does, metadata %s', async (level) => {
    const { url } = source;
    const database = `types_${level.toLowerCase()}`;
    const all = parityTables(flavour, 1).filter(({ random, settings }) => random !== true && settings === undefined);
    const run = { url, tables: [`${database}.*`], server: new MemoryServer(), pipeline: database };
    await using client = await openClient(url);
    await client.query(`SET GLOBAL binlog_row_metadata = '${level}'`);
    await client.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
    for (const { name, columns } of all) {
      const definitions = columns.map(({ sql }, i) => `c${String(i)} ${sql}`);
      await client.query(`CREATE TABLE ${database}.${name} (id INT PRIMARY KEY, ${definitions.join()})`);
    }
    await runSource(run);
    for (const { name } of all) await client.query(`INSERT INTO ${database}.${name} (id) VALUES (1)`);
    const described: unknown[] = [];
    let inserted = 0;
    const before: SourceRun['before'] = (_, { changes }) => {
      for (const change of changes) {
        if (change.kind === 'schema') described.push([change.before?.columns, change.after?.columns]);
        else inserted += 1;
      }
    };
    await runSource({ ...run, before });
    expect([described, inserted]).toEqual([[], all.length]);
  });
});

async function tableNow(url: string, database: string): Promise<TableSchema | null> {
  const session = await Session.open(parseAddress(url), never);
  try {
    const server = await readServer(session, never);
    const [found] = await readCatalog(session, server, (db, table) => db === database && table === 't', never);
    return found?.schema ?? null;
  } finally {
    session.destroy();
  }
}

/** Everything that decides how a row is read and what becomes of it. */
function shapeOf(table: TableSchema): unknown {
  return { key: keyOf(table), columns: table.columns.map(columnShape) };
}

function columnShape({ name, type, nullable, charset, generated, autoIncrement }: Column): unknown {
  // Labels are text already; of which character set only FULL says.
  const labelled = type.kind === 'enum' || type.kind === 'set';
  return { name, type, nullable, charset: labelled ? null : charset, generated, autoIncrement };
}
