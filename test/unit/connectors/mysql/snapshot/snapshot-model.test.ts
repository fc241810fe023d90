import { describe, expect, it } from 'vitest';
import { simulate, type Broken } from './snapshot-model.ts';

const seeds = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('the rules of the snapshot', () => {
  it('end with an equal target in every random run', () => {
    const failures = seeds(6000).flatMap((seed) => {
      const failure = simulate(seed);
      return failure === null ? [] : [`seed ${seed}: ${failure}`];
    });
    expect(failures).toEqual([]);
  });

  it.each<readonly [string, Broken]>([
    ['a chunk is read only when all that was handed on is visible', { visible: true }],
    ['the stream never passes the low position of a chunk that is not durable', { gate: true }],
    ['a low position lists only what is visible', { lowPosition: true }],
    ['before the first chunk a change is dropped only as it is handed on', { earlyDrop: true }],
    ['a part of a transaction that was handed on counts as handed on', { underWay: true }],
    ['after a restart nothing is dropped, for a part of a chunk may be there', { restored: true }],
    ['a chunk is never older than the first one', { earlierLow: true }],
  ])('need that %s', (_, broken) => {
    const failures = seeds(3000).filter((seed) => simulate(seed, broken) !== null);
    expect(failures.length).toBeGreaterThan(0);
  });
});
