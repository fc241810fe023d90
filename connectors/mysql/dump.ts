import { createHash } from 'node:crypto';
import { LockstepError } from '../../core/errors.ts';
import { BinlogReader, type ReaderOptions } from './binlog/reader.ts';
import { Session, type Address } from './connect.ts';
import { formatDomains, type Position } from './position.ts';
import type { Server } from './server.ts';
import type { Wire } from './wire.ts';

const comBinlogDump = 0x12;
const comBinlogDumpGtid = 0x1e;
const heartbeatMs = 2_000;
/** No byte for this long and the connection counts as dead: several heartbeats must have been lost. */
export const silenceMs = 20_000;

export interface DumpOptions {
  readonly address: Address;
  readonly server: Server;
  readonly from: Position;
  /** Names this reader among the server's replicas; two with one name push each other out. */
  readonly identity: string;
  readonly lookup: ReaderOptions['lookup'];
  readonly onHeard: () => void;
}

/** A running binlog dump: the reader and the connection under it. */
export interface Dump {
  readonly reader: BinlogReader;
  readonly wire: Wire;
}

/** Asks the server for its log from a position on. Errors: the SOURCE_ codes of connecting; those of the log come on reading. */
export async function openDump(options: DumpOptions, signal: AbortSignal): Promise<Dump> {
  const { address, server, from } = options;
  requireSameHistory(server, from, address.where);
  const session = await Session.open(address, signal);
  await session.query(dumpSettings(options), signal);
  const wire = session.intoWire({ silenceMs, onHeard: options.onHeard });
  wire.send(dumpCommand(server, from, serverIdOf(options.identity)));
  const reader = new BinlogReader({
    wire,
    where: address.where,
    start: from.place,
    checksums: server.variables.get('binlog_checksum')?.toUpperCase() === 'CRC32',
    lookup: options.lookup,
    partBytes: 4 * 1024 * 1024,
  });
  return { reader, wire };
}

/** File and offset mean nothing on another server. Errors: SOURCE_CHANGED. */
function requireSameHistory(server: Server, from: Position, where: string): void {
  if (from.by === server.addressing && (from.by !== 'place' || from.place.server === server.id)) return;
  if (from.by === 'place' && from.place.server === server.id) return;
  throw new LockstepError(
    'SOURCE_CHANGED',
    `${where} is another server than the one this pipeline followed, and the stored position does not hold there`,
    {
      fix: 'point source.url to the old server, or turn GTIDs on and resync; positions by GTID survive a change of server',
    },
  );
}

function dumpSettings({ server, identity, from }: DumpOptions): string {
  const heartbeat = heartbeatMs * 1_000_000;
  const uuid = uuidOf(identity);
  const settings = [
    '@master_binlog_checksum = @@global.binlog_checksum',
    `@master_heartbeat_period = ${heartbeat}`,
    `@slave_uuid = '${uuid}'`,
  ];
  if (server.flavour === 'mysql')
    settings.push(
      '@source_binlog_checksum = @@global.binlog_checksum',
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

function dumpCommand(server: Server, from: Position, serverId: number): Buffer {
  const file = Buffer.from(from.by === 'place' ? from.place.file : '');
  const offset = from.by === 'place' ? from.place.offset : 4;
  if (from.by === 'gtid' && server.flavour === 'mysql') {
    const set = from.set.encode();
    const head = Buffer.alloc(1 + 2 + 4 + 4 + 8 + 4);
    head.writeUInt8(comBinlogDumpGtid, 0);
    head.writeUInt16LE(0x04, 1);
    head.writeUInt32LE(serverId, 3);
    head.writeUInt32LE(0, 7);
    head.writeBigUInt64LE(BigInt(offset), 11);
    head.writeUInt32LE(set.length, 19);
    return Buffer.concat([head, set]);
  }
  const head = Buffer.alloc(1 + 4 + 2 + 4);
  head.writeUInt8(comBinlogDump, 0);
  head.writeUInt32LE(offset, 1);
  head.writeUInt16LE(0, 5);
  head.writeUInt32LE(serverId, 7);
  return Buffer.concat([head, file]);
}

/** A server id from the upper half, where people put none. */
function serverIdOf(identity: string): number {
  return (createHash('sha256').update(identity).digest().readUInt32LE(0) | 0x8000_0000) >>> 0;
}

function uuidOf(identity: string): string {
  const hex = createHash('sha256').update(identity).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
