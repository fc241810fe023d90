import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { event } from '../../../../../connectors/mysql/binlog/event-types.ts';
import { BinlogReader, type Piece } from '../../../../../connectors/mysql/binlog/reader.ts';
import type { Values } from '../../../../../core/contracts.ts';
import { plain } from '../../../../support/plain.ts';
import { pair } from '../connection/socket-pair.ts';
import {
  committedAtMs,
  endOf,
  formatDescription,
  gtid,
  heartbeat,
  heartbeatV2,
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
import { begin, map, read, start, transaction, never } from './read-log.ts';

const refusal = (code: string, ...texts: readonly string[]): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(texts.join('.*')) });

const images = ({ changes }: Pick<Piece, 'changes'>): unknown[] =>
  changes
    .map(plain)
    .map((change) => ('after' in change && 'before' in change ? [change.kind, change.before, change.after] : []));

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
        expect(
          pieces.flatMap((piece) => piece.changes.map(plain).map((change) => 'after' in change && change.after)),
        ).toEqual(inserts.flat());
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
    const { pieces } = await read(packets(events, false));
    expect(pieces.flatMap(images)).toEqual([['insert', null, [1, 'a']]]);
    const summed = [formatDescription(true), ...transaction(1, map, rows('insert', 9, [[1, 'a']]))];
    expect((await read(packets(summed))).pieces.flatMap(images)).toHaveLength(1);
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
      again: null,
      captured: () => ['shop.t'],
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

  it('that only names a query is none', async () => {
    const statement = "CREATE TABLE `select` (`SELECT` INT COMMENT 'SELECT it''s', b INT DEFAULT '\\'')";
    expect((await read(packets([gtid(1), query(statement)]))).pieces).toHaveLength(1);
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
    ['CREATE TABLE `t` (`a` INT) AS SELECT 1', 'SOURCE_BINLOG_FORMAT'],
    ['SELECT `shop`.`writes`(1)', 'SOURCE_BINLOG_FORMAT'],
    ['XA RECOVER', 'SOURCE_EVENT_UNSUPPORTED'],
    ['FROBNICATE t', 'SOURCE_EVENT_UNSUPPORTED'],
  ])('%s stops the reader with %s', async (statement, code) => {
    await expect(read(packets([gtid(1), begin, query(statement)]))).rejects.toEqual(refusal(code, 'binlog.000001:'));
  });
});

describe('the place in the log', () => {
  it('follows rotations and heartbeats, but no heartbeat inside a transaction', async () => {
    const beats = [rotate('binlog.000002', 4), heartbeat('binlog.000002', 500)];
    expect((await read(packets(beats))).reader.place).toEqual({ ...start, file: 'binlog.000002', offset: 500 });
    for (const beat of [heartbeat('binlog.000009', 9000), heartbeatV2('binlog.000009', 9000)]) {
      const { reader } = await read(packets([gtid(1), begin, beat]));
      expect([reader.place.file, reader.insideTransaction]).toEqual(['binlog.000001', true]);
    }
  });

  it('goes on beyond 4 GB, of which events tell 32 bits', async () => {
    const before = 2 ** 32 - 150;
    const events = transaction(1, map, rows('insert', 9, [[1, 'a']]));
    const later = events.map((one, i) => ({ ...one, logPos: before + endOf(events.slice(0, i + 1)) - 4 }));
    const { pieces } = await read(packets(later), { start: { ...start, offset: before } });
    expect(pieces[0]?.end?.offset).toBe(before + endOf(events) - 4);
    expect(before + endOf(events)).toBeGreaterThan(2 ** 32);
    const far = 5 * 2 ** 32 + 77;
    const { reader } = await read(packets([heartbeatV2('binlog.000001', far), heartbeat('binlog.000001', 99)]));
    expect(reader.place.offset).toBe(far + 22);
  });

  it('does not count what the server made up', async () => {
    const made = { ...heartbeat('x', 0), type: event.mariadbGtidList, flags: 0x20, logPos: 9999 };
    const { reader } = await read(packets([rotate('binlog.000002', 4), made]));
    expect(reader.place).toEqual({ ...start, file: 'binlog.000002', offset: 4 });
  });

  it('stays where the stream was while what was handed on is read again', async () => {
    const until = { ...start, offset: 5000 };
    const again = { isAgain: () => true, isOver: false, until };
    const { pieces, reader } = await read(packets(transaction(1, map, rows('insert', 9, [[1, 'a']]))), { again });
    expect([pieces, reader.place]).toEqual([[], until]);
  });
});

describe('what was rolled back', () => {
  const insert = (id: number): LogEvent => rows('insert', 9, [[id, 'x'.repeat(100)]]);
  const nested = [
    insert(1),
    query('SAVEPOINT `a``b`'),
    insert(2),
    query('SAVEPOINT c'),
    insert(3),
    query('ROLLBACK TO `A``B`'),
    insert(4),
  ];

  it('is not in the transaction', async () => {
    const ids = ({ changes }: Pick<Piece, 'changes'>): unknown[] =>
      changes.map(plain).map((one) => one.kind === 'insert' && one.after[0]);
    const { pieces } = await read(packets([...transaction(1, map, ...nested), ...transaction(2, map, insert(5))]));
    expect(pieces.map(ids)).toEqual([[1, 4], [5]]);
    const whole = [gtid(1), begin, map, insert(1), query('ROLLBACK'), ...transaction(2, map, insert(5))];
    const { pieces: two } = await read(packets(whole));
    expect(two.map((piece) => [ids(piece), piece.end !== null])).toEqual([
      [[], true],
      [[5], true],
    ]);
  });

  it('stops the reader where a part of it was handed on', async () => {
    for (const back of [query('ROLLBACK'), query('ROLLBACK TO `a``b`')]) {
      const events = [gtid(1), begin, map, ...nested.slice(0, 3), insert(6), insert(7), back];
      await expect(read(packets(events), { partBytes: 250 })).rejects.toEqual(
        refusal('SOURCE_EVENT_UNSUPPORTED', 'binlog.000001:', 'rolled back'),
      );
    }
  });

  it('is what stands before a file that the server began after a crash', async () => {
    const events = [gtid(1), begin, map, insert(1), formatDescription(true), ...transaction(1, map, insert(2))];
    const { pieces } = await read(packets(events));
    expect(pieces.map((piece) => piece.changes.length)).toEqual([1]);
  });
});

describe('rows of a table that has another shape by now', () => {
  it('come as the reason why they cannot be read', async () => {
    const other: Values[] = [[1, 'a']];
    const events = transaction(1, tableMap(9, 't', ['id', 'w']), rows('insert', 9, other));
    const { pieces } = await read(packets(events));
    expect(pieces.map(({ changes, unread }) => [changes, [...unread.keys()]])).toEqual([[[], ['shop.t']]]);
    expect(pieces[0]?.unread.get('shop.t')).toEqual(refusal('SOURCE_SCHEMA', 'binlog.000001:', 'id, w', 'id, v'));
  });
});
