import { expect, test } from 'vitest';
import { flatnessOf, type Sample } from '../../../bench/soak/samples.ts';

const MINUTES = 30;

/** Half an hour of samples, one every ten seconds. */
function samples(of: (seconds: number) => Partial<Sample>): Sample[] {
  return Array.from({ length: MINUTES * 6 }, (_, i) => ({
    seconds: (i + 1) * 10,
    appliedPerSecond: 1000,
    lagP50Ms: 2,
    lagP99Ms: 10,
    lagMaxMs: 20,
    memoryBytes: 180e6,
    backlog: 0,
    ...of((i + 1) * 10),
  }));
}

test('what stays as it is, is flat', () => {
  expect(flatnessOf(samples(() => ({})))).toEqual({ memoryRiseBytes: 0, lagRiseMs: 0, flat: true });
});

test('a hundred bytes kept of each change are not flat', () => {
  const { flat, memoryRiseBytes } = flatnessOf(
    samples((seconds) => ({ memoryBytes: 180e6 + seconds * 1000 * 100 + (seconds % 70) * 4e5 })),
  );
  expect(flat).toBe(false);
  expect(memoryRiseBytes / 1e6).toBeCloseTo(149, -1);
});

test('a thousandth of the load that stays behind is not flat', () => {
  expect(flatnessOf(samples((seconds) => ({ lagP50Ms: 2 + seconds })))).toMatchObject({ flat: false });
});

test('memory that grows while it warms up, and lag beside large transactions, are flat', () => {
  const soaked = samples((seconds) => ({
    memoryBytes: 180e6 - Math.max(0, 300 - seconds) * 1e5,
    lagP50Ms: seconds % 300 === 0 ? 2000 : 2,
  }));
  expect(flatnessOf(soaked)).toMatchObject({ flat: true });
});

test('too few samples are no proof', () => {
  expect(() => flatnessOf(samples(() => ({})).slice(0, 2))).toThrow('too short');
});
