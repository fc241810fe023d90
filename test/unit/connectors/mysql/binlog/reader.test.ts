import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { event } from '../../../../../connectors/mysql/binlog/event-types.ts';
import { BinlogReader, type Piece, type ReaderOptions } from '../../../../../connectors/mysql/binlog/reader.ts';
import type { Row } from '../../../../../core/contracts.ts';
import { framed, pair } from '../socket-pair.ts';
import {
  committedAtMs,
  endOf,
  formatDescription,
  gtid,
  heartbeat,
  mariadbGtid,
  packets,
  query,
  rotate,
  rows,
  schema,
  tableMap,
  uuid,
  xid,
  type LogEvent,
} from './hand-made-log.ts';

const never = new AbortController().signal;
const start = { file: 'binlog.000001', offset: 4, server: 'u' };
const begin = query('BEGIN');
const map = tableMap(9);
const transaction = (number: number, ...events: readonly LogEvent[]): LogEvent[] => [
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
async function read(bytes: Buffer, options: Partial<ReaderOptions> = {}): Promise<Told> {
  await using ends = await pair();
  const reader = new BinlogReader({
    wire: ends.wire,
    where: 'test',
    start,
    checksums: true,
    lookup: (database, table) => (database === 'shop' && table === 't' ? schema : null),
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

const refusal = (code: string, ...texts: readonly string[]): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(texts.join('.*')) });

const images = ({ changes }: Pick<Piece, 'changes'>): unknown[] =>
  changes.map((change) => ('after' in change && 'before' in change ? [change.kind, change.before, change.after] : []));

describe('a transaction of the log', () => {
  it('comes whole, with its rows in order, its GTID, its time and its place', async () => {
    const events = transaction(
      23,
      map,
      rows('insert', 9, [
        [1, 'a'],
        [2, null],
      ]),
      rows('update', 9, [
        [1, 'a'],
        [-1, 'ž'],
      ]),
      rows('delete', 9, [[2, null]]),
    );
    const { pieces } = await read(packets(events));
    expect(pieces).toHaveLength(1);
    const [piece] = pieces;
    expect(piece && images(piece)).toEqual([
      ['insert', null, [1, 'a']],
      ['insert', null, [2, null]],
      ['update', [1, 'a'], [-1, 'ž']],
      ['delete', [2, null], null],
    ]);
    expect(piece?.id).toEqual({ gtid: `${uuid}:23`, source: uuid, number: 23, committedAtMs });
    expect(piece?.at).toEqual({
      committedAtMs,
      gtid: `${uuid}:23`,
      file: 'binlog.000001',
      offset: endOf([gtid(23)]),
      serverId: 7,
    });
    expect(piece?.end).toEqual({ ...start, offset: endOf(events) });
  });

  it('of MariaDB comes the same, with the domain for its source', async () => {
    const { pieces } = await read(packets([mariadbGtid(5), map, rows('insert', 9, [[1, 'a']], 1), xid]));
    expect(pieces.map((piece) => [piece.id.gtid, piece.id.source, piece.id.number, images(piece)])).toEqual([
      ['0-7-5', '0', 5, [['insert', null, [1, 'a']]]],
    ]);
  });

  it('holds exactly the rows that were logged', async () => {
    const row = fc.tuple(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.option(fc.string({ unit: 'grapheme' })));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(row, { minLength: 1, maxLength: 20 }), { maxLength: 5 }), async (inserts) => {
        const { pieces } = await read(packets(transaction(1, map, ...inserts.map((some) => rows('insert', 9, some)))));
        expect(pieces.flatMap((piece) => piece.changes.map((change) => 'after' in change && change.after))).toEqual(
          inserts.flat(),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('that is large comes in parts, of which only the last has an end', async () => {
    const inserts = Array.from({ length: 10 }, (_, i) => rows('insert', 9, [[i, 'x'.repeat(100)]]));
    const { pieces } = await read(packets(transaction(1, map, ...inserts)), { partBytes: 300 });
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.flatMap(images)).toHaveLength(10);
    expect(pieces.map((piece) => piece.end !== null)).toEqual(pieces.map((_, i) => i === pieces.length - 1));
  });

  it('without rows of ours moves the position on', async () => {
    const events = transaction(4, tableMap(8, 'other'), rows('insert', 8, [[1, 'a']]));
    const { pieces } = await read(packets(events));
    expect(pieces.map(({ changes, end, id }) => [changes, end?.offset, id.number])).toEqual([[[], endOf(events), 4]]);
  });

  it('is the same with and without checksums, as the log itself says', async () => {
    const events = [formatDescription(false), ...transaction(1, map, rows('insert', 9, [[1, 'a']]))];
    const { pieces } = await read(packets(events, false), { checksums: true });
    expect(pieces.flatMap(images)).toEqual([['insert', null, [1, 'a']]]);
    const summed = [formatDescription(true), ...transaction(1, map, rows('insert', 9, [[1, 'a']]))];
    expect((await read(packets(summed), { checksums: false })).pieces.flatMap(images)).toHaveLength(1);
  });

  it('ends at COMMIT, and goes on behind a savepoint', async () => {
    const events = [gtid(1), begin, map, rows('insert', 9, [[1, 'a']]), query('SAVEPOINT `s`')];
    const { pieces } = await read(packets([...events, rows('insert', 9, [[2, 'b']]), query('COMMIT')]));
    expect(pieces.map((piece) => images(piece).length)).toEqual([2]);
  });

  it('goes on behind a statement in it that is nothing to us', async () => {
    const drop = query('DROP /*!40005 TEMPORARY */ TABLE IF EXISTS `x`');
    const body = [map, rows('insert', 9, [[1, 'a']]), drop, rows('insert', 9, [[2, 'b']]), xid];
    for (const first of [[gtid(1), begin], [mariadbGtid(1)]]) {
      const { pieces } = await read(packets([...first, ...body]));
      expect(pieces.map((piece) => images(piece).length)).toEqual([2]);
    }
  });
});

describe('a statement of the log', () => {
  it('that may change a table comes alone, and what follows it waits to be asked for', async () => {
    const events = [gtid(1), query('ALTER TABLE t ADD c INT'), ...transaction(2, map, rows('insert', 9, [[1, 'a']]))];
    const { pieces } = await read(packets(events));
    expect(pieces.map(({ ddl, end, changes }) => [ddl?.statement, end !== null, changes.length])).toEqual([
      ['ALTER TABLE t ADD c INT', true, 0],
      [undefined, true, 1],
    ]);
    await using ends = await pair();
    const reader = new BinlogReader({
      wire: ends.wire,
      where: 'test',
      start,
      checksums: true,
      lookup: () => schema,
      partBytes: 1_000_000,
    });
    ends.server.write(packets(events));
    let first: Piece[] = [];
    while (first.length === 0) {
      await ends.wire.arrived(never);
      first = reader.take(1_000_000);
    }
    expect(first).toHaveLength(1);
  });

  it.each([
    ['MySQL', [gtid(1), begin, query('CREATE TABLE `t` (`id` int, `v` varchar(200)) START TRANSACTION')]],
    ['MariaDB', [mariadbGtid(1), query('CREATE TABLE `t` (`id` int, `v` varchar(200))')]],
  ])('that creates a table and fills it is one transaction, on %s', async (_, first) => {
    const { pieces } = await read(packets([...first, map, rows('insert', 9, [[1, 'a']]), xid]));
    expect(pieces.map(({ ddl, end, changes }) => [ddl !== null, end !== null, changes.length])).toEqual([
      [true, false, 0],
      [false, true, 1],
    ]);
  });

  it('of MariaDB that stands alone needs no COMMIT', async () => {
    const { pieces } = await read(
      packets([mariadbGtid(1, true), query('TRUNCATE t'), mariadbGtid(2, true), query('')]),
    );
    expect(pieces.map(({ ddl, end, id }) => [ddl?.statement, end !== null, id.number])).toEqual([
      ['TRUNCATE t', true, 1],
      [undefined, true, 2],
    ]);
  });

  it.each([
    ['INSERT INTO t VALUES (1)', 'SOURCE_BINLOG_FORMAT'],
    ['ROLLBACK', 'SOURCE_EVENT_UNSUPPORTED'],
    ["XA START X'61',X'',1", 'SOURCE_EVENT_UNSUPPORTED'],
    ['FROBNICATE t', 'SOURCE_EVENT_UNSUPPORTED'],
  ])('%s stops the reader with %s', async (statement, code) => {
    await expect(read(packets([gtid(1), begin, query(statement)]))).rejects.toEqual(refusal(code, 'binlog.000001:'));
  });
});

describe('the place in the log', () => {
  it('follows rotations and heartbeats, but no heartbeat inside a transaction', async () => {
    const beats = [rotate('binlog.000002', 4), heartbeat('binlog.000002', 500)];
    expect((await read(packets(beats))).reader.place).toEqual({ ...start, file: 'binlog.000002', offset: 500 });
    const inside = [gtid(1), begin, heartbeat('binlog.000009', 9000)];
    const { reader } = await read(packets(inside));
    expect([reader.place.file, reader.insideTransaction]).toEqual(['binlog.000001', true]);
  });
});

describe('the reader refuses', () => {
  const insert = rows('insert', 9, [[1, 'a']]);

  it('an event whose checksum is wrong', async () => {
    const bytes = packets(transaction(1, map, insert));
    bytes[bytes.length - 60] = (bytes[bytes.length - 60] ?? 0) ^ 1;
    await expect(read(bytes)).rejects.toEqual(refusal('SOURCE_EVENT_CORRUPT', 'checksum'));
  });

  it('rows that nothing announced, and rows outside a transaction', async () => {
    await expect(read(packets(transaction(1, insert)))).rejects.toEqual(refusal('SOURCE_EVENT_CORRUPT', 'TABLE_MAP'));
    await expect(read(packets([map, insert]))).rejects.toEqual(refusal('SOURCE_EVENT_CORRUPT', 'outside'));
  });

  it('a row that was logged without all its columns', async () => {
    const partial = rows('insert', 9, [[1]], 2, 1);
    await expect(read(packets(transaction(1, map, partial)))).rejects.toEqual(refusal('SOURCE_ROW_IMAGE', 'shop.t'));
  });

  it('an event that it does not know, unless the server says that it may be ignored', async () => {
    const unknown = { type: 99, body: Buffer.alloc(4) };
    await expect(read(packets([unknown]))).rejects.toEqual(refusal('SOURCE_EVENT_UNSUPPORTED', 'type 99'));
    const ignorable = { ...unknown, flags: 0x80 };
    expect((await read(packets([ignorable, ...transaction(1)]))).pieces).toHaveLength(1);
  });

  it.each([
    [event.xaPrepare, 'SOURCE_EVENT_UNSUPPORTED', 'XA'],
    [event.transactionPayload, 'SOURCE_EVENT_UNSUPPORTED', 'compressed'],
    [event.partialUpdateRows, 'SOURCE_EVENT_UNSUPPORTED', 'PARTIAL'],
    [event.gtidTagged, 'SOURCE_EVENT_UNSUPPORTED', 'TAGGED'],
    [169, 'SOURCE_EVENT_UNSUPPORTED', 'compressed'],
    [event.incident, 'SOURCE_INCIDENT', 'incident'],
  ])('events of type %i, with what it is', async (type, code, text) => {
    await expect(read(packets([{ type, body: Buffer.alloc(8) }]))).rejects.toEqual(refusal(code, text));
  });

  it('to go on where the server ends the log, by the reason', async () => {
    const error = (errno: number): Buffer =>
      framed(Buffer.concat([Buffer.of(0xff, errno & 0xff, errno >> 8), Buffer.from('#HY000gone')]));
    await expect(read(error(1236))).rejects.toEqual(refusal('SOURCE_HISTORY_LOST', 'gone', '1236'));
    await expect(read(error(1053))).rejects.toEqual(refusal('SOURCE_CONNECTION_LOST', 'gone'));
    await expect(read(framed(Buffer.of(0xfe, 0, 0, 0, 0)))).rejects.toEqual(refusal('SOURCE_CONNECTION_LOST'));
  });
});

describe('rows of a table that has another shape by now', () => {
  it('come as the reason why they cannot be read', async () => {
    const other: Row[] = [[1, 'a']];
    const events = transaction(1, tableMap(9, 't', ['id', 'w']), rows('insert', 9, other));
    const { pieces } = await read(packets(events));
    expect(pieces.map(({ changes, unread }) => [changes, [...unread.keys()]])).toEqual([[[], ['shop.t']]]);
    expect(pieces[0]?.unread.get('shop.t')).toEqual(refusal('SOURCE_SCHEMA', 'id, w', 'id, v'));
  });
});
