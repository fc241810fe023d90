import type { TableSchema } from '../../../core/table.ts';
import { createHash } from 'node:crypto';
import { startOf } from '../position/again.ts';
import { headerBytes, sizeInHeader } from './event.ts';
import { BinlogReader, type ReaderOptions } from './reader.ts';
import { patience, Session, type Address } from '../connection/session.ts';
import { formatDomains, nextFile, type Place, type Position } from '../position/position.ts';
import { requireSameServer, type Server } from '../connection/server.ts';
import type { Wire } from '../connection/wire.ts';

const comBinlogDump = 0x12;
const comBinlogDumpGtid = 0x1e;
/** Flags of MySQL's dump commands; MariaDB has others. */
const nonBlocking = 0x01;
const useHeartbeatV2 = 0x02;
const throughGtid = 0x04;
/** Where nothing is logged, MariaDB says only by a heartbeat that what came was all. */
const heartbeatMs = 500;
/** No byte for this long and the connection counts as dead: several heartbeats must have been lost. */
export const silenceMs = 20_000;

export interface DumpOptions {
  readonly address: Address;
  readonly server: Server;
  readonly from: Position;
  /** Names this reader among the server's replicas; two with one name push each other out. */
  readonly identity: string;
  readonly lookup: ReaderOptions['lookup'];
  readonly captured: ReaderOptions['captured'];
  readonly leads?: (table: TableSchema) => boolean;
  readonly onHeard: () => void;
}

/** A running binlog dump: the reader and the connection under it. */
export interface Dump {
  readonly reader: BinlogReader;
  readonly wire: Wire;
}

/** Asks the server for its log from a position on. Errors: the SOURCE_ codes of connecting; those of the log come on reading. */
export async function openDump(options: DumpOptions, signal: AbortSignal): Promise<Dump> {
  const { address, server, identity, onHeard, lookup, captured, leads = () => false } = options;
  const { from, again } = startOf(options.from, server.id);
  const wire = await startDump({ address, server, identity, onHeard }, from, 'follow', signal);
  const reader = new BinlogReader({
    wire,
    where: address.where,
    start: from.place,
    again,
    lookup,
    captured,
    leads,
    partBytes: 4 * 1024 * 1024,
  });
  return { reader, wire };
}

/** A packet of the dump is a byte and an event, whose header says how long it is. */
function packetBytes(bytes: Buffer, at: number): number {
  return at + 1 + headerBytes > bytes.length ? 0 : 1 + sizeInHeader(bytes, at + 1);
}

/** A connection on which the server sends its log from a position on. With `to-its-end` it ends the connection there. Errors: the SOURCE_ codes of connecting. */
export async function startDump(
  { address, server, identity, onHeard }: Pick<DumpOptions, 'address' | 'server' | 'identity' | 'onHeard'>,
  from: Position,
  how: 'follow' | 'to-its-end',
  signal: AbortSignal,
): Promise<Wire> {
  const session = await Session.open(address, signal);
  try {
    await requireSameServer(session, server, signal);
    await session.query(dumpSettings(server, identity, from), signal);
  } catch (error) {
    session.destroy();
    throw error;
  }
  const wire = session.intoWire({ silenceMs, onHeard, sizeOf: packetBytes });
  wire.send(dumpCommand(server, from, serverIdOf(identity), how));
  return wire;
}

/** That we know checksums does not mean that a file has them: each says so itself, whatever the server's setting was then or is now. */
function dumpSettings(server: Server, identity: string, from: Position): string {
  const heartbeat = heartbeatMs * 1_000_000;
  const uuid = uuidOf(identity);
  const settings = [
    "@master_binlog_checksum = 'CRC32'",
    `@master_heartbeat_period = ${heartbeat}`,
    `@slave_uuid = '${uuid}'`,
    patience,
  ];
  if (server.flavour === 'mysql')
    settings.push(
      "@source_binlog_checksum = 'CRC32'",
      `@source_heartbeat_period = ${heartbeat}`,
      `@replica_uuid = '${uuid}'`,
    );
  if (server.flavour === 'mariadb') settings.push('@mariadb_slave_capability = 4');
  if (from.by === 'domain')
    settings.push(
      `@slave_connect_state = '${formatDomains(from.domains)}'`,
      '@slave_gtid_strict_mode = 0',
      '@slave_gtid_ignore_duplicates = 0',
    );
  return `SET ${settings.join(', ')}`;
}

function dumpCommand(server: Server, from: Position, serverId: number, how: 'follow' | 'to-its-end'): Buffer {
  const ends = how === 'follow' ? 0 : nonBlocking;
  const { file, offset } = from.by === 'place' ? sendable(from.place) : { file: '', offset: 4 };
  if (from.by === 'gtid' && server.flavour === 'mysql') {
    const set = from.set.encode();
    const head = Buffer.alloc(1 + 2 + 4 + 4 + 8 + 4);
    head.writeUInt8(comBinlogDumpGtid, 0);
    head.writeUInt16LE(throughGtid | useHeartbeatV2 | ends, 1);
    head.writeUInt32LE(serverId, 3);
    head.writeUInt32LE(0, 7);
    head.writeBigUInt64LE(BigInt(offset), 11);
    head.writeUInt32LE(set.length, 19);
    return Buffer.concat([head, set]);
  }
  const head = Buffer.alloc(1 + 4 + 2 + 4);
  head.writeUInt8(comBinlogDump, 0);
  head.writeUInt32LE(offset, 1);
  head.writeUInt16LE(server.flavour === 'mysql' ? useHeartbeatV2 | ends : ends, 5);
  head.writeUInt32LE(serverId, 7);
  return Buffer.concat([head, Buffer.from(file)]);
}

/**
 * The command has 32 bits for the offset. A file grows beyond max_binlog_size, which is at most 1 GB, by its last transaction alone, so
 * behind 4 GB nothing follows but in the next file.
 */
function sendable(place: Place): Pick<Place, 'file' | 'offset'> {
  return place.offset < 2 ** 32 ? place : { file: nextFile(place.file), offset: 4 };
}

/** A server id from the upper half, where people put none. */
function serverIdOf(identity: string): number {
  return (createHash('sha256').update(identity).digest().readUInt32LE(0) | 0x8000_0000) >>> 0;
}

function uuidOf(identity: string): string {
  const hex = createHash('sha256').update(identity).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
