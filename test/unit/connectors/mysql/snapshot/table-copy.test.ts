import { describe, expect, it } from 'vitest';
import type { Piece } from '../../../../../connectors/mysql/binlog/reader.ts';
import { GtidSet } from '../../../../../connectors/mysql/position/gtid-set.ts';
import type { Place, Position } from '../../../../../connectors/mysql/position/position.ts';
import type { Range } from '../../../../../connectors/mysql/snapshot/ranges.ts';
import { TableCopy } from '../../../../../connectors/mysql/snapshot/table-copy.ts';
import { column, int, table, text } from '../../../../contract/changes.ts';

const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const place = (last: number): Place => ({ file: 'binlog.000001', offset: last * 100, server: uuid });
const low = (last: number): Position => ({ by: 'gtid', set: GtidSet.parse(`${uuid}:1-${last}`), place: place(last) });
/** Transaction n lies between offsets (n - 1) * 100 and n * 100. */
const piece = (number: number): Pick<Piece, 'id' | 'at'> => ({
  id: { gtid: `${uuid}:${number}`, source: uuid, number, committedAtMs: null },
  at: { committedAtMs: 0, gtid: null, file: 'binlog.000001', offset: number * 100 - 50, serverId: 1 },
});
const range = (index: number, more: Partial<Range> = {}): Range => ({
  index,
  from: null,
  to: null,
  at: null,
  done: false,
  high: null,
  rows: 0,
  estimate: null,
  ...more,
});
const keyed = table('t', [column('id', int)], ['id']);
const keyless = table('n', [column('v', text)], []);

describe('a table in copy', () => {
  it('needs no change that its first chunk shows, and every later one (rule 3)', () => {
    const copy = new TableCopy(keyed, null);
    copy.firstLow = low(5);
    expect([4, 5, 6].map((number) => copy.holds(piece(number)))).toEqual([true, true, false]);
  });

  it('needs no change that is handed on before its first chunk, but drops none early that may be handed on behind it', () => {
    const copy = new TableCopy(keyed, null);
    expect([copy.holds(piece(9)), copy.willHold(piece(9))]).toEqual([true, false]);
    copy.firstLow = low(8);
    expect([copy.holds(piece(9)), copy.willHold(piece(8)), copy.willHold(piece(9))]).toEqual([false, true, false]);
  });

  it('needs every change after a restart of the process, for an earlier chunk may be there in part', () => {
    const copy = new TableCopy(keyed, [range(0)]);
    expect([copy.holds(piece(1)), copy.willHold(piece(1))]).toEqual([false, false]);
    copy.firstLow = low(5);
    expect([copy.holds(piece(1)), copy.willHold(piece(1))]).toEqual([false, false]);
  });

  it('gives each range to one reader, none while it is paused, and none that is done', () => {
    const copy = new TableCopy(keyed, [range(0, { done: true }), range(1), range(2)]);
    expect(copy.free()?.index).toBe(1);
    copy.taken.add(1);
    expect(copy.free()?.index).toBe(2);
    copy.pause();
    expect(copy.free()).toBeNull();
    copy.resume();
    copy.taken.add(2);
    expect(copy.free()).toBeNull();
  });

  it('stays paused until every restart is durable', () => {
    const copy = new TableCopy(keyed, [range(0)]);
    copy.pause();
    copy.pause();
    copy.resume();
    expect(copy.paused).toBe(true);
    copy.resume();
    expect(copy.paused).toBe(false);
  });

  it('is read once all its ranges are done and no chunk is on its way, up to the highest place', () => {
    const copy = new TableCopy(keyed, [range(0), range(1, { done: true, high: place(3) })]);
    expect([copy.isRead, copy.high]).toEqual([false, place(3)]);
    copy.update(range(0, { done: true, high: place(7) }));
    copy.inFlight = 1;
    expect(copy.isRead).toBe(false);
    copy.inFlight = 0;
    expect([copy.isRead, copy.high]).toEqual([true, place(7)]);
    expect(new TableCopy(keyed, null).isRead).toBe(false);
  });

  it('begins anew with a restart: other ranges, another first chunk, and no walk of before goes on', () => {
    const copy = new TableCopy(keyed, [range(0, { done: true })]);
    copy.firstLow = low(5);
    copy.taken.add(0);
    copy.restart(keyed);
    expect([copy.ranges, copy.firstLow, copy.epoch, copy.taken.size]).toEqual([null, null, 1, 0]);
    expect(copy.holds(piece(6))).toBe(true);
  });
});

describe('a table without a key in copy', () => {
  it('is read anew after a restart of the process', () => {
    expect(new TableCopy(keyless, [range(0, { done: true })]).ranges).toBeNull();
  });

  it('drops what its copy shows, applies what it cannot show, and is read again where that is not known', () => {
    const copy = new TableCopy(keyless, null);
    expect(copy.fateAtOnce(piece(9))).toBe('drop');
    copy.between = { low: low(5), high: place(7) };
    expect([5, 6, 7, 8].map((number) => copy.fateAtOnce(piece(number)))).toEqual(['drop', 'again', 'again', 'apply']);
  });
});
