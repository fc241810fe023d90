import { LockstepError } from '../../../core/errors.ts';
import { askValue, type Asker } from './session.ts';
import { GtidSet } from '../position/gtid-set.ts';
import { readRecoveredXid } from '../binlog/xa.ts';
import { atBeginning, comparePlaces, parseDomains, type Place, type Position } from '../position/position.ts';

/** What we need to know of the server before reading; asked once per connection. */
export interface Server {
  readonly flavour: 'mysql' | 'mariadb';
  readonly version: string;
  /** How the stream is addressed: by GTID set, by MariaDB's domains, or by file and offset. */
  readonly addressing: Position['by'];
  /** MySQL: the server's UUID. MariaDB: its server id, with its `server_uid` where it has one, for a clone may have been given the same id. */
  readonly id: string;
  readonly fullMetadata: boolean;
  readonly variables: ReadonlyMap<string, string>;
}

const asked = [
  'version',
  'log_bin',
  'binlog_format',
  'binlog_row_image',
  'binlog_row_metadata',
  'binlog_checksum',
  'gtid_mode',
  'server_uuid',
  'server_id',
  'log_bin_compress',
  'lower_case_table_names',
  'innodb_native_foreign_keys',
  'hostname',
  'read_only',
  'log_slave_updates',
  'log_replica_updates',
  'server_uid',
];

export async function readServer(session: Asker, signal: AbortSignal): Promise<Server> {
  const variables = await readVariables(session, asked, signal);
  const version = variables.get('version') ?? '';
  const mariadb = /mariadb/i.test(version);
  const byGtid = variables.get('gtid_mode')?.toUpperCase() === 'ON';
  return {
    flavour: mariadb ? 'mariadb' : 'mysql',
    version,
    addressing: mariadb ? 'domain' : byGtid ? 'gtid' : 'place',
    id: idOf(variables),
    fullMetadata: variables.get('binlog_row_metadata')?.toUpperCase() === 'FULL',
    variables,
  };
}

export function isReadOnly({ variables }: Server): boolean {
  return /^(ON|1)$/i.test(variables.get('read_only') ?? '');
}

/** Refuses a connection that leads to another server than the one that was asked before, as it may while a name or a proxy is switched over. Errors: SOURCE_CONNECTION_LOST. */
export async function requireSameServer(session: Asker, server: Server, signal: AbortSignal): Promise<void> {
  if (idOf(await readVariables(session, identifying, signal)) === server.id) return;
  throw new LockstepError('SOURCE_CONNECTION_LOST', `${session.where} has come to lead to another server`);
}

const identifying = ['server_uuid', 'server_id', 'server_uid'];

function idOf(variables: ReadonlyMap<string, string>): string {
  const parts = [variables.get('server_id'), variables.get('server_uid')];
  return variables.get('server_uuid') ?? parts.filter((part) => part !== undefined).join('/');
}

async function readVariables(
  session: Asker,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const list = names.map((name) => `'${name}'`).join(',');
  const rows = await session.query(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${list})`, signal);
  return new Map(rows.map((row) => [(row['variable_name'] ?? '').toLowerCase(), row['value'] ?? '']));
}

/** Refuses a server whose binlog cannot be followed. Errors: SOURCE_BINLOG_OFF, SOURCE_BINLOG_FORMAT, SOURCE_ROW_IMAGE. */
export function requireReadable(server: Server, where: string): void {
  const is = (name: string): string => server.variables.get(name)?.toUpperCase() ?? '';
  if (!['ON', '1'].includes(is('log_bin'))) {
    throw new LockstepError('SOURCE_BINLOG_OFF', `${where} writes no binary log`, {
      fix: 'start the server with log_bin (and binlog_format=ROW)',
    });
  }
  if (is('binlog_format') !== 'ROW' && is('binlog_format') !== '') {
    throw new LockstepError(
      'SOURCE_BINLOG_FORMAT',
      `${where} has binlog_format=${is('binlog_format')}, so changes are statements and not rows`,
      {
        fix: "SET GLOBAL binlog_format = 'ROW';  sessions that are already open keep the old one until they reconnect",
      },
    );
  }
  if (is('binlog_row_image') !== 'FULL' && is('binlog_row_image') !== '') {
    throw new LockstepError(
      'SOURCE_ROW_IMAGE',
      `${where} has binlog_row_image=${is('binlog_row_image')}, so the old values of a change are missing`,
      {
        fix: "SET GLOBAL binlog_row_image = 'FULL';  sessions that are already open keep the old one until they reconnect",
      },
    );
  }
}

/** Whether the server logs now what foreign keys do, as MySQL does from 9.6 on. Of what is in the log already, each event tells. */
export function logsForeignKeys({ flavour, version, variables }: Server): boolean {
  return flavour === 'mysql' && newerThan(version, 9, 6) && variables.get('innodb_native_foreign_keys') !== 'ON';
}

/** The end of the binary log: it lists at least what is visible. Needs REPLICATION CLIENT (MariaDB: BINLOG MONITOR). */
export async function readLogEnd(session: Asker, server: Server, signal: AbortSignal): Promise<Place> {
  const statement =
    server.flavour === 'mysql' && newerThan(server.version, 8, 2) ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS';
  const [row] = await session.query(statement, signal);
  if (row === undefined)
    throw new LockstepError('SOURCE_BINLOG_OFF', `${session.where} writes no binary log`, {
      fix: 'start the server with log_bin',
    });
  return { file: row['file'] ?? '', offset: Number(row['position']), server: server.id };
}

/** True for `major.minor` and later. */
export function newerThan(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}

/**
 * A position that lists only what is visible: everything up to it can be read by a transaction that starts now.
 * MySQL with GTIDs: the executed set (a transaction joins it after the engine's commit). MariaDB: where the engine's last commit
 * stands in the log; not to be asked inside a consistent snapshot. MySQL without GTIDs: the log's end, once a later marker write has committed,
 * for commits become visible in the log's order. Errors: SOURCE_SNAPSHOT_POSITION.
 */
export async function readVisiblePosition(
  session: Asker,
  server: Server,
  marker: string | null,
  signal: AbortSignal,
): Promise<Position> {
  if (server.addressing === 'domain') return readCommittedPosition(session, server, signal);
  if (server.addressing === 'gtid') {
    const set = GtidSet.parse((await askValue(session, 'SELECT @@global.gtid_executed', signal)) ?? '');
    return { by: 'gtid', set, place: await readLogEnd(session, server, signal) };
  }
  if (marker === null) {
    throw new LockstepError(
      'SOURCE_SNAPSHOT_POSITION',
      `${session.where} has no GTIDs, so a lock-free snapshot cannot tell which transactions it has seen`,
      {
        fix: 'turn GTIDs on (online: gtid_mode OFF_PERMISSIVE, ON_PERMISSIVE, then ON), or set source.copy.marker to a table that Lockstep may create and write, e.g. lockstep.marker',
      },
    );
  }
  const place = await readLogEnd(session, server, signal);
  await writeMarker(session, marker, signal);
  return { by: 'place', place };
}

async function writeMarker(session: Asker, marker: string, signal: AbortSignal): Promise<void> {
  const [database = '', table = ''] = marker.split('.');
  const name = `${quote(database)}.${quote(table)}`;
  try {
    await session.query(
      `INSERT INTO ${name} (id, written_at) VALUES (1, NOW(6)) ON DUPLICATE KEY UPDATE written_at = NOW(6)`,
      signal,
    );
  } catch (error) {
    const missing = error instanceof LockstepError ? error.code : null;
    if (missing === 'SOURCE_NO_TABLES') await session.query(`CREATE DATABASE IF NOT EXISTS ${quote(database)}`, signal);
    else if (missing !== 'SOURCE_SCHEMA') throw error;
    await session.query(
      `CREATE TABLE IF NOT EXISTS ${name} (id INT PRIMARY KEY, written_at DATETIME(6) NOT NULL)`,
      signal,
    );
    await writeMarker(session, marker, signal);
  }
}

/**
 * MariaDB: the log's place up to which the engine has committed. The server keeps it in variables that all sessions share while they
 * are printed, so what another session asked at the same time may come instead. Before our own snapshot is open that is never too
 * late a place; inside one it can be. A file and an offset of two sessions may be mixed, so the earlier of two answers is taken.
 * Source: MariaDB sql/log.cc, TC_LOG_BINLOG::set_status_variables.
 */
async function readCommittedPosition(session: Asker, server: Server, signal: AbortSignal): Promise<Position> {
  const [first, second] = [
    await readCommittedPlace(session, server, signal),
    await readCommittedPlace(session, server, signal),
  ];
  const place = comparePlaces(first, second) <= 0 ? first : second;
  const domains = await askValue(session, 'SELECT BINLOG_GTID_POS(?, ?)', signal, [place.file, place.offset]);
  return { by: 'domain', domains: parseDomains(domains ?? ''), place };
}

/**
 * By GTIDs, a position that lists at least what is visible, for when its place means nothing any more; null where the server has none. MySQL: what commits
 * has its GTID among the owned ones until it is among the executed. MariaDB: what is in the log.
 */
export async function readShown(session: Asker, server: Server, signal: AbortSignal): Promise<Position | null> {
  if (server.addressing === 'domain') {
    const domains = await askValue(session, 'SELECT @@global.gtid_binlog_pos', signal);
    return { by: 'domain', domains: parseDomains(domains ?? ''), place: atBeginning(server.id) };
  }
  if (server.addressing === 'place') return null;
  const owned = await askValue(session, 'SELECT @@global.gtid_owned', signal);
  const executed = await askValue(session, 'SELECT @@global.gtid_executed', signal);
  const set = GtidSet.parse(`${executed ?? ''},${(owned ?? '').replaceAll(/#\d+/g, '')}`);
  return { by: 'gtid', set, place: atBeginning(server.id) };
}

/**
 * The XA transactions that are prepared on a MariaDB, as the log names them. One that commits stays among them until its rows are visible, while
 * the place of the last commit lists it already. Needs no right.
 */
export async function readPreparedXa(session: Asker, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const rows = await session.query("XA RECOVER FORMAT='SQL'", signal);
  return new Set(rows.map((row) => readRecoveredXid(row['data'] ?? '', Number(row['formatid']))));
}

async function readCommittedPlace(session: Asker, server: Server, signal: AbortSignal): Promise<Place> {
  const rows = await session.query("SHOW STATUS LIKE 'Binlog_snapshot_%'", signal);
  const values = new Map(rows.map((row) => [(row['variable_name'] ?? '').toLowerCase(), row['value'] ?? '']));
  return {
    file: values.get('binlog_snapshot_file') ?? '',
    offset: Number(values.get('binlog_snapshot_position')),
    server: server.id,
  };
}

/** Opens a transaction whose reads all see one state. Needs no lock and no right beyond SELECT. */
export async function beginConsistentSnapshot(session: Asker, signal: AbortSignal): Promise<void> {
  await session.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ', signal);
  await session.query('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY', signal);
}

export function quote(identifier: string): string {
  return `\`${identifier.replaceAll('`', '``')}\``;
}
