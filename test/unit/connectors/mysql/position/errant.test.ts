import { describe, expect, it } from 'vitest';
import { behind } from '../../../../../connectors/mysql/position/behind.ts';
import { isErrant } from '../../../../../connectors/mysql/position/errant.ts';
import { GtidSet } from '../../../../../connectors/mysql/position/gtid-set.ts';
import {
  formatPosition,
  momentAt,
  parsePosition,
  type Position,
} from '../../../../../connectors/mysql/position/position.ts';
import { parseWriters, Seen } from '../../../../../connectors/mysql/position/seen.ts';

const old = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const heir = '00000000-0000-0000-0000-000000000001';
const place = (offset: number) => ({ file: 'b.000001', offset, server: heir });

/** A transaction of a source that begins at an offset of the heir's log. */
const piece = (source: string, number: number, offset: number) => ({
  id: { gtid: `${source}:${number}`, source, number, committedAtMs: null },
  at: momentAt(place(offset)),
  xa: null,
  again: false,
  isCatchingUp: false,
});

describe('a position on a server that took over', () => {
  const start: Position = {
    by: 'gtid',
    set: GtidSet.parse(`${old}:1-9`),
    place: place(0),
    last: `${old}:9`,
    mixed: { until: place(500), source: old },
  };

  it('has errant before it what another source wrote there before the last that was handed on', () => {
    expect(isErrant(start, piece(heir, 1, 400))).toBe(true);
    expect(isErrant(start, piece(heir, 1, 500))).toBe(false);
    expect(isErrant(start, piece(old, 10, 400)), 'parallel workers commit in another order').toBe(false);
    expect(isErrant(start, { ...piece(heir, 1, 400), again: true })).toBe(false);
  });

  it('knows so after a restart in that stretch, and no more behind it', () => {
    const inside = parsePosition(formatPosition(behind(start, piece(heir, 1, 300), place(350))));
    expect(isErrant(inside, piece(heir, 2, 400))).toBe(true);
    const outside = parsePosition(formatPosition(behind(inside, piece(old, 10, 500), place(600))));
    expect(isErrant(outside, piece(heir, 2, 400))).toBe(false);
  });
});

describe('what the stream has seen of MariaDB’s writers', () => {
  it('tells what a log holds of that time and it has missed', () => {
    const domains = new Map([[0, { server: 1, sequence: 10 }]]);
    const seen = Seen.from(domains);
    seen.add('0', 1, 11);
    seen.add('0', 2, 12);
    const at = new Map([[0, { sequence: 12 }]]);
    const missed = (logged: string): string[] => Seen.parse(seen.toString()).missedOf(parseWriters(logged), at);
    expect(missed('0-1-11,0-2-12')).toEqual([]);
    expect(missed('0-1-11,0-2-12,0-3-11'), 'written beside it').toEqual(['0-3-11']);
    expect(missed('0-1-11,0-2-12,0-3-9'), 'from before it began').toEqual([]);
    expect(missed('0-1-11,0-2-12,0-3-13'), 'still to come').toEqual([]);
    expect(missed('0-1-11,0-2-12,5-3-1'), 'a domain that is read from its beginning').toEqual([]);
  });
});
