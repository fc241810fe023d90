import { crc32 } from 'node:zlib';
import { BinlogReader } from '../../connectors/mysql/binlog/reader.ts';
import type { Packet } from '../../connectors/mysql/connection/wire.ts';
import { Bytes } from '../../core/bytes.ts';
import type { Change } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { PackedRow, valuesOf } from '../../core/row.ts';
import { isRowChange } from '../../core/transform.ts';
import { seeded, type Random } from '../../dev/random.ts';
import { flavours } from '../support/mysql-run.ts';
import { readLog, type RecordedLog } from './corpus.ts';
import { mutated } from './mutate.ts';

/** What one mutated log may cost. */
export const limits = { ms: 2_000, bytes: 512 * 1024 * 1024 } as const;

export interface Outcome {
  /** The error's code, or `read` for a log that was read to its end. */
  readonly outcome: string;
  readonly rows: number;
  /** Of all values that were handed on. */
  readonly digest: number;
}

const logs: readonly RecordedLog[] = flavours.map(readLog);

/**
 * Reads one mutated log, twice: what stands behind an event's end in memory must change nothing. Throws what the reader must never throw;
 * that it takes too long or too much is for the caller to see.
 */
export async function fuzzOnce(seed: number): Promise<Outcome> {
  const random = seeded(seed);
  const { packets, tables } = random.pick(logs as [RecordedLog, ...RecordedLog[]]);
  const log = { packets: mutated(packets, random), tables };
  const [one, other] = [await readAll(log, seeded(seed), 0xee), await readAll(log, seeded(seed), 0x01)];
  if (one.outcome !== other.outcome || one.digest !== other.digest)
    throw new Error(`what was read depends on bytes behind an event: ${JSON.stringify([one, other])}`);
  return one;
}

/** Reads a log as it is. */
export async function readWhole(log: RecordedLog): Promise<Outcome> {
  return await readAll(log, seeded(1), 0);
}

async function readAll({ packets, tables }: RecordedLog, random: Random, around: number): Promise<Outcome> {
  const wire = recordedWire(packets, around);
  const reader = new BinlogReader({
    wire,
    where: 'corpus',
    start: { file: 'binlog.000001', offset: 4, server: 'corpus' },
    again: null,
    lookup: ({ origin }) => tables.find((table) => table.origin === origin) ?? null,
    captured: () => tables.map(({ origin }) => origin),
    partBytes: random.pick([100, 4 * 1024 * 1024]),
  });
  let rows = 0;
  let digest = 0;
  try {
    for (;;) {
      const pieces = reader.take(random.pick([1, 1000, 1024 * 1024]));
      for (const { changes } of pieces) {
        rows += changes.length;
        digest = changes.reduce(digested, digest);
      }
      if (pieces.length > 0) continue;
      if (wire.isEmpty && !reader.insideTransaction) return { outcome: 'read', rows, digest };
      await reader.arrived(AbortSignal.timeout(limits.ms));
    }
  } catch (error) {
    return { outcome: requireOurs(error), rows, digest };
  } finally {
    reader.close();
  }
}

function digested(digest: number, change: Change): number {
  if (!isRowChange(change)) return crc32(change.kind, digest);
  const print = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);
  const images = [change.before, change.after].map((row) => row && valuesOf(row));
  for (const row of [change.before, change.after]) if (row instanceof PackedRow) requireSameText(row);
  return crc32(JSON.stringify([change.kind, images], print), digest);
}

/** What a column prints is what it decodes. */
function requireSameText(row: PackedRow): void {
  for (let i = 0; i < row.columns.length; i += 1) {
    const out = new Bytes(16);
    if (row.isNull(i) || !row.print(i, out)) continue;
    const printed = out.buffer.toString('utf8', 0, out.length);
    const decoded = row.value(i);
    const same = typeof decoded === 'string' ? printed === decoded : Object.is(Number(printed), Number(decoded));
    if (!same) throw new Error(`column ${i} prints ${printed} and decodes ${String(decoded)}`);
  }
}

type RecordedWire = ConstructorParameters<typeof BinlogReader>[0]['wire'] & { readonly isEmpty: boolean };

/** A dump that ends with the connection; each packet stands between bytes that are none of it. */
function recordedWire(packets: readonly Buffer[], around: number): RecordedWire {
  const packet: Packet = { bytes: Buffer.alloc(0), start: 0, end: 0 };
  let at = 0;
  return {
    packet,
    get isEmpty() {
      return at >= packets.length;
    },
    next() {
      const bytes = packets[at];
      if (bytes === undefined) return false;
      at += 1;
      const other = Buffer.alloc(64, around);
      packet.bytes = Buffer.concat([other, bytes, other]);
      packet.start = other.length;
      packet.end = other.length + bytes.length;
      return true;
    },
    arrived: () => Promise.reject(new LockstepError('SOURCE_CONNECTION_LOST', 'corpus closed the connection')),
  };
}

const expected = new Set([
  'SOURCE_EVENT_CORRUPT',
  'SOURCE_EVENT_UNSUPPORTED',
  'SOURCE_CONNECTION_LOST',
  'SOURCE_HISTORY_LOST',
  'SOURCE_BINLOG_FORMAT',
  'SOURCE_ROW_IMAGE',
  'SOURCE_INCIDENT',
  'SOURCE_SCHEMA',
  'SOURCE_TYPE_UNSUPPORTED',
]);

/** The code of an error that says what happened, where, and what to do. */
function requireOurs(error: unknown): string {
  if (!(error instanceof LockstepError) || !expected.has(error.code)) throw error;
  if (error.verdict === 'retry') return error.code;
  if (error.code === 'SOURCE_HISTORY_LOST') return error.code;
  if (error.fix === '' || !/\.\d+:\d+: /s.test(error.message))
    throw new Error(`an error that does not say where or what to do: ${error.message}`, { cause: error });
  return error.code;
}
