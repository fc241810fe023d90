import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GtidSet } from '../../../../../connectors/mysql/position/gtid-set.ts';
import {
  comparePlaces,
  describePosition,
  formatPosition,
  parsePosition,
  type Position,
} from '../../../../../connectors/mysql/position/position.ts';
import { Seen } from '../../../../../connectors/mysql/position/seen.ts';

const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const at = (file: string, offset: number, server = uuid): Position['place'] => ({ file, offset, server });
const number = fc.integer({ min: 0, max: 2 ** 40 });
const place = fc.record({
  file: fc.constantFrom('binlog.000001', 'my-bin.1000000'),
  offset: number,
  server: fc.string(),
});
const positions: fc.Arbitrary<Position> = fc.oneof(
  place.map((place): Position => ({ by: 'place', place })),
  fc.tuple(place, fc.array(fc.integer({ min: 1, max: 99 }))).map(([place, numbers]): Position => {
    const set = new GtidSet();
    for (const n of numbers) set.add(uuid, n);
    const last = numbers.length === 0 ? {} : { last: `${uuid}:${numbers.at(-1) ?? 0}` };
    const mixed = numbers.length > 5 ? { mixed: { until: place, source: uuid } } : {};
    return { by: 'gtid', set, place, ...last, ...mixed };
  }),
  fc
    .tuple(place, fc.dictionary(fc.constantFrom('0', '1', '7'), fc.record({ server: number, sequence: number })))
    .map(([place, entries]): Position => {
      const domains = new Map(Object.entries(entries).map(([domain, last]) => [Number(domain), last]));
      return { by: 'domain', domains, place, ...(domains.size === 2 ? { seen: Seen.from(domains) } : {}) };
    }),
);

describe('a position', () => {
  it('is the same after it was stored', () => {
    fc.assert(
      fc.property(positions, (position) => {
        const token = formatPosition(position);
        expect(parsePosition(token).by).toBe(position.by);
        expect(formatPosition(parsePosition(token))).toBe(token);
      }),
    );
  });

  it('is refused when it is not ours', () => {
    for (const token of ['null', '3', '{}', '{"file":"a","offset":"4","server":""}'])
      expect(() => parsePosition(token)).toThrow(expect.objectContaining({ code: 'BUG' }));
  });

  it('is ordered by the number of its file and not by its name', () => {
    expect(comparePlaces(at('binlog.999999', 4), at('binlog.1000000', 4))).toBeLessThan(0);
    expect(comparePlaces(at('binlog.000002', 4), at('binlog.000001', 900))).toBeGreaterThan(0);
    expect(comparePlaces(at('binlog.000002', 4), at('binlog.000002', 5))).toBeLessThan(0);
    expect(comparePlaces(at('binlog.000002', 4), at('binlog.000002', 4))).toBe(0);
  });

  it('is told to people in short', () => {
    expect(describePosition({ by: 'place', place: at('binlog.000001', 4) })).toBe('binlog.000001:4');
    expect(describePosition({ by: 'gtid', set: GtidSet.parse(`${uuid}:1-5`), place: at('b.1', 4) })).toBe(
      `${uuid}:1-5 (b.1:4)`,
    );
    expect(
      describePosition({ by: 'domain', domains: new Map([[0, { server: 1, sequence: 9 }]]), place: at('b.1', 4) }),
    ).toBe('0-1-9 (b.1:4)');
  });
});
