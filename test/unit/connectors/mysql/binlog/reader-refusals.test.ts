import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { event } from '../../../../../connectors/mysql/binlog/event-types.ts';
import { BinlogReader } from '../../../../../connectors/mysql/binlog/reader.ts';
import { framed, pair } from '../connection/socket-pair.ts';
import { endOf, gtid, packets, query, rows, schema, xidOf } from './hand-made-log.ts';
import { begin, map, read, start, transaction, never } from './read-log.ts';

const refusal = (code: string, ...texts: readonly string[]): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(texts.join('.*')) });

describe('the reader refuses', () => {
  const insert = rows('insert', 9, [[1, 'a']]);

  it('an event whose checksum is wrong', async () => {
    const bytes = packets(transaction(1, map, insert));
    bytes[bytes.length - 60] = (bytes[bytes.length - 60] ?? 0) ^ 1;
    await expect(read(bytes)).rejects.toEqual(refusal('SOURCE_EVENT_CORRUPT', 'checksum'));
  });

  it('nothing that comes before the event that is wrong', async () => {
    const events = [
      ...transaction(1, map, insert),
      ...transaction(2, map, insert),
      { type: 99, body: Buffer.alloc(4) },
    ];
    await using ends = await pair();
    const reader = new BinlogReader({
      wire: ends.wire,
      where: 'test',
      start,
      again: null,
      captured: () => [],
      lookup: () => schema,
      partBytes: 1_000_000,
    });
    ends.server.end(packets(events));
    await once(ends.server, 'finish');
    await ends.wire.arrived(never);
    expect(reader.take(1_000_000).map(({ id }) => id.number)).toEqual([1, 2]);
    for (let i = 0; i < 2; i += 1)
      expect(() => reader.take(1_000_000)).toThrow(
        expect.objectContaining({ message: expect.stringContaining(`binlog.000001:${endOf(events.slice(0, -1))}: `) }),
      );
  });

  it('an event that is shorter or longer than it says', async () => {
    const bytes = packets([gtid(1), begin]);
    const cut = framed(bytes.subarray(4, bytes.readUIntLE(0, 3)));
    await expect(read(cut)).rejects.toEqual(refusal('SOURCE_EVENT_CORRUPT', 'bytes that says'));
    await expect(read(framed(Buffer.alloc(10)))).rejects.toEqual(
      refusal('SOURCE_EVENT_CORRUPT', 'an event of 9 bytes'),
    );
  });

  it('a table of columns that are not known, if its rows are wanted', async () => {
    const future = { ...map, body: Buffer.from(map.body) };
    future.body[map.body.indexOf(Buffer.of(2, 3, 15)) + 2] = 200;
    await expect(read(packets(transaction(1, future)))).rejects.toEqual(
      refusal('SOURCE_TYPE_UNSUPPORTED', 'binlog.000001:', 'shop.t', 'type 200'),
    );
    expect((await read(packets(transaction(1, future)), { lookup: () => null })).pieces).toHaveLength(1);
  });

  it('the commit of a transaction that nobody saw prepared, for every table it may have changed', async () => {
    const { pieces } = await read(packets([gtid(1), query(`XA COMMIT ${xidOf('q')}`)]));
    expect(pieces.map(({ unread }) => [...unread.keys()])).toEqual([['shop.t']]);
    expect(pieces[0]?.unread.get('shop.t')).toEqual(
      refusal('SOURCE_EVENT_UNSUPPORTED', 'binlog.000001:', 'prepared before'),
    );
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
    [event.beginLoadQuery, 'SOURCE_BINLOG_FORMAT', 'statement'],
    [event.xaPrepare, 'SOURCE_EVENT_CORRUPT', 'too early'],
    [event.transactionPayload, 'SOURCE_EVENT_CORRUPT', 'compressed'],
    [event.partialUpdateRows, 'SOURCE_EVENT_CORRUPT', 'too early'],
    [event.gtidTagged, 'SOURCE_EVENT_UNSUPPORTED', 'tagged GTID'],
    [event.writeRowsCompressed, 'SOURCE_EVENT_CORRUPT', 'too early'],
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
