import { readFileSync } from 'node:fs';
import type { TableSchema } from '../../core/table.ts';
import type { Flavour } from '../support/mysql-run.ts';

/** A dump as a server sent it: packets in order, and the schemas of the tables in it. */
export interface RecordedLog {
  readonly packets: readonly Buffer[];
  readonly tables: readonly TableSchema[];
}

const folder = new URL('corpus/', import.meta.url);

export const logFile = (flavour: Flavour): URL => new URL(`${flavour}.binlog`, folder);
export const tablesFile = (flavour: Flavour): URL => new URL(`${flavour}.json`, folder);

/** A recorded log lies as its packets, each behind its length in four bytes. */
export function readLog(flavour: Flavour): RecordedLog {
  const bytes = readFileSync(logFile(flavour));
  const packets: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at);
    packets.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { packets, tables: JSON.parse(readFileSync(tablesFile(flavour), 'utf8')) as TableSchema[] };
}

export function formatLog(packets: readonly Buffer[]): Buffer {
  return Buffer.concat(
    packets.flatMap((packet) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(packet.length);
      return [length, packet];
    }),
  );
}
