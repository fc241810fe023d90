import { BinlogReader, type Piece, type ReaderOptions } from '../../../../../connectors/mysql/binlog/reader.ts';
import { pair } from '../connection/socket-pair.ts';
import { gtid, query, schema, tableMap, xid, type LogEvent } from './hand-made-log.ts';

export const never = new AbortController().signal;
export const start = { file: 'binlog.000001', offset: 4, server: 'u' };
export const begin = query('BEGIN');
export const map = tableMap(9);
export const transaction = (number: number, ...events: readonly LogEvent[]): LogEvent[] => [
  gtid(number),
  begin,
  ...events,
  xid,
];

interface Told {
  readonly pieces: Piece[];
  readonly reader: BinlogReader;
}

/** What the reader makes of these bytes and the end of the connection behind them. */
export async function read(bytes: Buffer, options: Partial<ReaderOptions> = {}): Promise<Told> {
  await using ends = await pair();
  const reader = new BinlogReader({
    wire: ends.wire,
    where: 'test',
    start,
    again: null,
    captured: () => ['shop.t'],
    lookup: ({ origin }) => (origin === 'shop.t' ? schema : null),
    partBytes: 1_000_000,
    ...options,
  });
  ends.server.end(bytes);
  const pieces: Piece[] = [];
  for (;;) {
    const taken = reader.take(1_000_000);
    pieces.push(...taken);
    if (taken.length > 0) continue;
    const more = await ends.wire.arrived(never).then(
      () => true,
      () => false,
    );
    if (!more) return { pieces, reader };
  }
}
