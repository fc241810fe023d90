import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GtidSet } from '../../../../../connectors/mysql/position/gtid-set.ts';

const uuids = ['3e11fa47-71ca-11e1-9e33-c80aa9429562', '00000000-0000-0000-0000-000000000001'];
const sources = [...uuids, `${uuids[0] ?? ''}:tag_1`];
const gtid = fc.tuple(fc.constantFrom(...sources), fc.integer({ min: 1, max: 40 }));
const gtids = fc.array(gtid, { maxLength: 60 });

const name = ([source, number]: readonly [string, number]): string => `${source}#${number}`;
const setOf = (members: readonly (readonly [string, number])[]): GtidSet => {
  const set = new GtidSet();
  for (const [source, number] of members) set.add(source, number);
  return set;
};

describe('a GTID set', () => {
  it('has what was added and nothing else', () => {
    fc.assert(
      fc.property(gtids, gtid, (members, asked) => {
        const naive = new Set(members.map(name));
        expect(setOf(members).has(...asked)).toBe(naive.has(name(asked)));
        for (const member of members) expect(setOf(members).has(...member)).toBe(true);
      }),
    );
  });

  it('covers its subsets and no other set', () => {
    fc.assert(
      fc.property(gtids, gtids, (a, b) => {
        const naive = new Set(a.map(name));
        expect(setOf(a).covers(setOf(b))).toBe(b.every((member) => naive.has(name(member))));
      }),
    );
  });

  it('without another one has what that one does not have', () => {
    fc.assert(
      fc.property(gtids, gtids, (a, b) => {
        const naive = new Set(b.map(name));
        const left = setOf(a.filter((member) => !naive.has(name(member))));
        const rest = setOf(a).without(setOf(b));
        expect([rest.covers(left), left.covers(rest), rest.size]).toEqual([true, true, left.size]);
      }),
    );
  });

  it('is the same after printing and parsing, in whichever order it was filled', () => {
    fc.assert(
      fc.property(gtids, (members) => {
        const set = setOf(members);
        const again = GtidSet.parse(set.toString());
        expect(again.toString()).toBe(set.toString());
        expect(again.covers(set) && set.covers(again)).toBe(true);
        const reversed = setOf(members.toReversed());
        expect(reversed.covers(set) && set.covers(reversed)).toBe(true);
      }),
    );
  });

  it('does not change with its copy', () => {
    fc.assert(
      fc.property(gtids, gtid, (members, more) => {
        const set = setOf(members);
        const before = set.toString();
        set.copy().add(...more);
        expect(set.toString()).toBe(before);
      }),
    );
  });

  it('reads what the server writes', () => {
    const [a, b] = uuids;
    const set = GtidSet.parse(`${a?.toUpperCase()}:1-3:5:7-9,\n${b}:1:tag_1:2-4`);
    expect(set.toString()).toBe(`${a}:1-3:5:7-9,${b}:1,${b}:tag_1:2-4`);
    expect(GtidSet.parse('').toString()).toBe('');
  });

  it('joins runs that touch', () => {
    expect(GtidSet.parse(`${uuids[0]}:1-3:4:5-6:8`).toString()).toBe(`${uuids[0]}:1-6:8`);
  });

  it('refuses what is no GTID set', () => {
    expect(() => GtidSet.parse(`${uuids[0]}:1-`)).toThrow(expect.objectContaining({ code: 'BUG' }));
  });

  it('is encoded as the server wants it: the end of a run is outside', () => {
    const encoded = GtidSet.parse(`${uuids[1]}:1-3:7`).encode();
    expect(encoded.toString('hex')).toBe(
      '0100000000000000' +
        '00000000000000000000000000000001' +
        '0200000000000000' +
        '01000000000000000400000000000000' +
        '07000000000000000800000000000000',
    );
  });

  it('is encoded with its tags as the server itself writes it into PREVIOUS_GTIDS', () => {
    const source = '50e15ea0-e590-11f1-b0ed-02fc00000001';
    const encoded = GtidSet.parse(`${source}:1-7:other_tag_1:1:tagx:1`).encode();
    const bytes = '50e15ea0e59011f1b0ed02fc00000001';
    expect(encoded.toString('hex')).toBe(
      '0103000000000001' +
        `${bytes}00010000000000000001000000000000000800000000000000` +
        `${bytes}166f746865725f7461675f31010000000000000001000000000000000200000000000000` +
        `${bytes}0874616778010000000000000001000000000000000200000000000000`,
    );
  });

  it('knows how many it holds', () => {
    fc.assert(
      fc.property(gtids, (members) => {
        expect(setOf(members).size).toBe(new Set(members.map(name)).size);
      }),
    );
  });
});
