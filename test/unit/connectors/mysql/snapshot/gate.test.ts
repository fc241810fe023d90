import { describe, expect, it } from 'vitest';
import { GtidSet } from '../../../../../connectors/mysql/position/gtid-set.ts';
import type { Position } from '../../../../../connectors/mysql/position/position.ts';
import { Gate, type HandedOn } from '../../../../../connectors/mysql/snapshot/gate.ts';

const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const byGtid = (last: number): Position => ({
  by: 'gtid',
  set: GtidSet.parse(`${uuid}:1-${last}`),
  place: { file: 'binlog.000001', offset: last * 100, server: uuid },
});
const byPlace = (last: number): Position => ({ by: 'place', place: byGtid(last).place });
/** Transaction n lies between offsets (n - 1) * 100 and n * 100. */
const transaction = (number: number): NonNullable<HandedOn['underWay']> => ({
  id: { gtid: `${uuid}:${number}`, source: uuid, number, committedAtMs: null },
  at: { committedAtMs: 0, gtid: null, file: 'binlog.000001', offset: number * 100 - 50, serverId: 1 },
});

describe.each([
  ['GTID set', byGtid],
  ['place', byPlace],
] as const)('the gate, by %s', (_, position) => {
  it('lets everything pass while no chunk is on its way', () => {
    expect(new Gate().passes(transaction(7))).toBe(true);
  });

  it('holds the stream at the low position of every chunk that is not durable (rule 1)', () => {
    const gate = new Gate();
    const [first, second] = [position(5), position(7)];
    expect(gate.hold(first, { position: position(3), underWay: null })).toBe(true);
    expect(gate.hold(second, { position: position(3), underWay: null })).toBe(true);
    expect([5, 6, 8].map((number) => gate.passes(transaction(number)))).toEqual([true, false, false]);
    gate.release(first);
    expect([5, 6, 8].map((number) => gate.passes(transaction(number)))).toEqual([true, true, false]);
    gate.release(second);
    expect(gate.passes(transaction(8))).toBe(true);
  });

  it('takes no chunk that may lack what the stream has handed on (rule 0)', () => {
    const gate = new Gate();
    expect(gate.hold(position(5), { position: position(6), underWay: null })).toBe(false);
    expect(gate.hold(position(5), { position: position(5), underWay: transaction(6) })).toBe(false);
    expect(gate.passes(transaction(9))).toBe(true);
    expect(gate.hold(position(6), { position: position(5), underWay: transaction(6) })).toBe(true);
  });
});
