import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../../dev/product.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { expectSoonEqual } from '../support/equal.ts';
import { LiveWriter } from '../support/live-writer.ts';
import { openClient } from '../support/mysql-run.ts';
import { inDatabase } from './scene.ts';

type Tool = (client: Connection) => Promise<void>;

const columns = '`id`, `v`, `d`';

/** What gh-ost writes: a table beside, filled in chunks, kept up from the log, then swapped in. */
const ghost: Tool = async (client) => {
  await client.query(
    "create /* gh-ost */ table `_t_ghc` (id bigint unsigned auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256 comment='gh-ost'",
  );
  await client.query('create /* gh-ost */ table `_t_gho` like `t`');
  await client.query(
    'alter /* gh-ost */ table `_t_gho` ADD COLUMN x INT NOT NULL DEFAULT 3, MODIFY d BIGINT NULL DEFAULT 0',
  );
  await client.query(
    "insert into `_t_ghc` (id, hint, value) values (NULLIF(1, 0), 'state', 'GhostTableMigrated') on duplicate key update last_update = NOW(), value = VALUES(value)",
  );
  for (let from = 0; from < 500; from += 100)
    await client.query(
      `insert /* gh-ost */ ignore into \`_t_gho\` (${columns}) (select ${columns} from \`t\` force index (\`PRIMARY\`) where (id > ${from}) and (id <= ${from + 100}) lock in share mode)`,
    );
  await client.query(`replace /* gh-ost */ into \`_t_gho\` (${columns}) select ${columns} from \`t\``);
  await client.query('delete /* gh-ost */ from `_t_gho` where id not in (select id from `t`)');
  await client.query(
    "create /* gh-ost */ table `_t_del` (id int auto_increment primary key) engine=InnoDB comment='ghost-cut-over-sentry'",
  );
  await client.query('drop /* gh-ost */ table if exists `_t_del`');
  await client.query('rename /* gh-ost */ table `t` to `_t_del`, `_t_gho` to `t`');
  await client.query('drop /* gh-ost */ table if exists `_t_ghc`');
  await client.query('drop /* gh-ost */ table if exists `_t_del`');
};

/** What pt-online-schema-change writes: a table beside, kept up by triggers. */
const percona: Tool = async (client) => {
  await client.query(
    "CREATE TABLE `_t_new` (\n  `id` int NOT NULL,\n  `v` varchar(20) DEFAULT 'v',\n  `d` bigint DEFAULT 0,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
  );
  await client.query("ALTER TABLE `_t_new` CHANGE v v VARCHAR(60) DEFAULT 'w', ADD INDEX (v)");
  await client.query(
    'CREATE TRIGGER `pt_osc_del` AFTER DELETE ON `t` FOR EACH ROW BEGIN DECLARE CONTINUE HANDLER FOR 1146 begin end; DELETE IGNORE FROM `_t_new` WHERE `_t_new`.`id` <=> OLD.`id`; END',
  );
  await client.query(
    `CREATE TRIGGER \`pt_osc_upd\` AFTER UPDATE ON \`t\` FOR EACH ROW BEGIN DELETE IGNORE FROM \`_t_new\` WHERE !(OLD.\`id\` <=> NEW.\`id\`) AND \`_t_new\`.\`id\` <=> OLD.\`id\`; REPLACE INTO \`_t_new\` (${columns}) VALUES (NEW.id, NEW.v, NEW.d); END`,
  );
  await client.query(
    `CREATE TRIGGER \`pt_osc_ins\` AFTER INSERT ON \`t\` FOR EACH ROW REPLACE INTO \`_t_new\` (${columns}) VALUES (NEW.id, NEW.v, NEW.d)`,
  );
  await client.query(
    `INSERT LOW_PRIORITY IGNORE INTO \`_t_new\` (${columns}) SELECT ${columns} FROM \`t\` LOCK IN SHARE MODE /*pt-online-schema-change*/`,
  );
  await client.query('RENAME TABLE `t` TO `_t_old`, `_t_new` TO `t`');
  await client.query('DROP TABLE IF EXISTS `_t_old`');
  for (const trigger of ['del', 'upd', 'ins']) await client.query(`DROP TRIGGER IF EXISTS \`pt_osc_${trigger}\``);
};

const tools: readonly (readonly [string, Tool])[] = [
  ['gh-ost', ghost],
  ['pt-online-schema-change', percona],
];

describe.each(['mysql', 'mariadb'] as const)('a table of %s that is exchanged while others write', (flavour) => {
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

  it.each(
    tools.flatMap(([name, tool]) => [
      [name, 'is captured', '*', tool] as const,
      [name, 'is not captured', 't', tool] as const,
    ]),
  )('%s, whose table beside %s, leaves the targets equal', async (name, _, pattern, tool) => {
    const database = `${name.startsWith('gh') ? 'gh' : 'pt'}_${pattern === '*' ? 'all' : 'one'}`;
    const tables = [`${database}.${pattern}`];
    await using client = await openClient(source.url);
    await client.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
    await client.query(`USE ${database}`);
    await client.query('CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20) DEFAULT "v", d INT DEFAULT 0)');
    await client.query(`INSERT INTO t (id) VALUES ${Array.from({ length: 500 }, (_, i) => `(${i + 1})`).join()}`);
    const targets = { warehouse: postgres.url, catalog: inDatabase(mongodb.url, database) };
    const config = { name: database, source: source.url, tables, kafka: null, registry: null, targets, listen: null };
    await using product = await Product.start(config);
    for (const url of Object.values(targets)) expect(await expectSoonEqual(source.url, url, tables)).toBe(500);
    {
      await using writer = new LiveWriter(source.url, `${database}.t`, 'd = d + 1');
      await tool(client);
      const goal = writer.written + 50;
      while (writer.written < goal) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const url of Object.values(targets))
      expect(await expectSoonEqual(source.url, url, tables)).toBeGreaterThan(500);
    expect([product.exit, await product.errors()]).toEqual([null, '']);
  });
});
