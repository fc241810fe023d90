import { expect, test } from 'vitest';
import { percentilesOf } from '../../../bench/latency/percentiles.ts';

test('percentiles are values that were measured, by the nearest rank', () => {
  const shuffled = Float64Array.from({ length: 1000 }, (_, i) => ((i * 7919) % 1000) + 1);
  expect(percentilesOf(shuffled)).toEqual({ p50: 500, p90: 900, p99: 990, p999: 999, max: 1000 });
});

test('one value is every percentile', () => {
  expect(percentilesOf(Float64Array.of(3))).toEqual({ p50: 3, p90: 3, p99: 3, p999: 3, max: 3 });
});
