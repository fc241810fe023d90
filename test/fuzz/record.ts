/** Records the corpus anew from both servers: `node test/fuzz/record.ts`. */
import { mkdir, writeFile } from 'node:fs/promises';
import type { Connection } from 'mysql2/promise';
import { readCatalog } from '../../connectors/mysql/catalog/catalog.ts';
import { parseAddress, Session } from '../../connectors/mysql/connection/session.ts';
import { openDump } from '../../connectors/mysql/binlog/dump.ts';
import { GtidSet } from '../../connectors/mysql/position/gtid-set.ts';
import type { Position } from '../../connectors/mysql/position/position.ts';
import { readLogEnd, readServer } from '../../connectors/mysql/connection/server.ts';
import { startServer } from '../../dev/servers/index.ts';
import { sqlOf } from '../parity/column.ts';
import { parityTables } from '../parity/tables.ts';
import { runAll } from '../support/following.ts';
import { flavours, never, openClient, type Flavour } from '../support/mysql-run.ts';
import { formatLog, logFile, tablesFile } from './corpus.ts';

const longest = 120;

async function fill(client: Connection, flavour: Flavour): Promise<void> {
  const tables = parityTables(flavour, 1).filter(({ random, settings }) => random !== true && settings === undefined);
  const columns = tables.flatMap(({ columns }) => columns);
  const definitions = columns.map(({ sql }, i) => `c${i} ${sql}`).join();
  await client.query(`CREATE TABLE cells (id INT PRIMARY KEY, ${definitions}) ROW_FORMAT=DYNAMIC`);
  const written = columns.flatMap(({ computed, edges }, i) => (computed === true ? [] : [{ name: `c${i}`, edges }]));
  for (let id = 0; id < 6; id += 1) {
    const values = written.map(({ edges }) => {
      const short = edges.map(sqlOf).filter((edge) => edge.length < longest && !/repeat/i.test(edge));
      return short[id % Math.max(1, short.length)] ?? 'NULL';
    });
    await client.query(
      `INSERT INTO cells (id, ${written.map(({ name }) => name).join()}) VALUES (${id}, ${values.join()})`,
    );
  }
  await client.query('UPDATE cells SET c0 = NULL WHERE id < 3');
  await client.query('DELETE FROM cells WHERE id = 4');
}

const both = [
  'CREATE TABLE items (id INT PRIMARY KEY, v VARCHAR(3000), n BIGINT UNSIGNED)',
  'ALTER TABLE items ADD COLUMN later INT',
  "INSERT INTO items VALUES (1, 'one', 1, 1), (2, 'two', NULL, 2)",
  'BEGIN',
  "INSERT INTO items VALUES (3, 'ž', 18446744073709551615, 3)",
  'SAVEPOINT s',
  'UPDATE items SET n = n - 1 WHERE n > 0',
  'COMMIT',
  "XA START 'a', 'b', 3",
  "INSERT INTO items VALUES (4, 'xa', 4, 4)",
  "XA END 'a', 'b', 3",
  "XA PREPARE 'a', 'b', 3",
  "XA COMMIT 'a', 'b', 3",
  "XA START 'r'",
  "INSERT INTO items VALUES (5, 'xa', 5, 5)",
  "XA END 'r'",
  "XA PREPARE 'r'",
  "XA ROLLBACK 'r'",
  'FLUSH BINARY LOGS',
  'TRUNCATE items',
];

const only: Readonly<Record<Flavour, readonly string[]>> = {
  mysql: [
    'CREATE TABLE docs (id INT PRIMARY KEY, a JSON, b JSON)',
    `INSERT INTO docs VALUES (1, '{"a": [1, 2, {"b": "c"}], "k y": 1.5, "long": "long enough to make differences pay"}', '[1]')`,
    "SET binlog_row_value_options = 'PARTIAL_JSON'",
    `UPDATE docs SET a = JSON_SET(a, '$.a[2].b', 'd', '$."k y"', 2, '$.new', true), b = JSON_REMOVE(b, '$[0]')`,
    `UPDATE docs SET a = JSON_REPLACE(a, '$.a[last]', CAST('{"x": [null]}' AS JSON))`,
    'SET binlog_transaction_compression = ON',
    "INSERT INTO items VALUES (6, REPEAT('compressed ', 200), 6, 6)",
    'UPDATE docs SET a = JSON_REMOVE(a, "$.long")',
    'SET binlog_transaction_compression = OFF',
    "SET gtid_next = 'AUTOMATIC:a_tag'",
    "INSERT INTO items VALUES (7, 'tagged', 7, 7)",
    "SET gtid_next = 'AUTOMATIC'",
    "INSERT INTO items VALUES (8, 'last', 8, 8)",
  ],
  mariadb: [
    'SET GLOBAL log_bin_compress = ON',
    'SET GLOBAL log_bin_compress_min_len = 10',
    "INSERT INTO items VALUES (6, REPEAT('compressed ', 200), 6, 6)",
    "UPDATE items SET v = REPEAT('again ', 300)",
    'DELETE FROM items',
    'CREATE TABLE a_table_with_a_name_that_is_long_enough_to_be_compressed (id INT)',
    'CREATE TEMPORARY TABLE passing (id INT)',
    'BEGIN',
    'INSERT INTO items (id) VALUES (9)',
    'DROP TEMPORARY TABLE passing',
    'ROLLBACK',
    'INSERT INTO items (id) VALUES (8)',
  ],
};

async function record(flavour: Flavour): Promise<void> {
  const args = flavour === 'mysql' ? ['--binlog-rows-query-log-events=ON'] : ['--binlog-annotate-row-events=ON'];
  await using source = await startServer(flavour, { fast: true, args });
  const client = await openClient(source.url, "sql_mode = '', default_storage_engine = InnoDB");
  await runAll(client, ['CREATE DATABASE shop CHARACTER SET utf8mb4', 'USE shop']);
  await fill(client, flavour);
  await runAll(client, [...both, ...only[flavour]]);
  client.destroy();
  const address = parseAddress(source.url);
  const session = await Session.open(address, never);
  const server = await readServer(session, never);
  const end = await readLogEnd(session, server, never);
  const tables = await readCatalog(session, server, (database) => database === 'shop', never);
  session.destroy();
  const place = { file: 'binlog.000001', offset: 4, server: server.id };
  const from: Position =
    flavour === 'mysql' ? { by: 'gtid', set: new GtidSet(), place } : { by: 'domain', domains: new Map(), place };
  const { wire } = await openDump(
    { address, server, from, identity: 'corpus', lookup: () => null, captured: () => [], onHeard: () => undefined },
    never,
  );
  const packets: Buffer[] = [];
  const passed = (packet: Buffer): boolean => packet.readUInt32LE(14) === end.offset && packets.length > 50;
  while (!packets.some(passed)) {
    while (wire.next()) packets.push(Buffer.from(wire.packet.bytes.subarray(wire.packet.start, wire.packet.end)));
    await wire.arrived(never);
  }
  wire.destroy();
  await writeFile(logFile(flavour), formatLog(packets));
  await writeFile(
    tablesFile(flavour),
    `${JSON.stringify(
      tables.map(({ schema }) => schema),
      null,
      1,
    )}\n`,
  );
  process.stdout.write(`${flavour}: ${packets.length} packets\n`);
}

await mkdir(new URL('.', logFile('mysql')), { recursive: true });
for (const flavour of flavours) await record(flavour);
