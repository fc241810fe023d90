import type { Figure } from '../report.ts';

/** In milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** By the nearest rank, of at least one value. */
export function percentilesOf(values: Float64Array): Percentiles {
  const sorted = values.toSorted();
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: rank(0.5), p90: rank(0.9), p99: rank(0.99), p999: rank(0.999), max: rank(1) };
}

const RANKS = ['p50', 'p90', 'p99', 'p999', 'max'] as const;

export function figuresOf(
  name: string,
  percentiles: Percentiles,
  ranks: readonly (keyof Percentiles)[] = RANKS,
): Figure[] {
  return ranks.map((rank) => ({
    name: `ms ${name} ${rank === 'p999' ? 'p99.9' : rank}`,
    value: percentiles[rank],
    digits: 2,
  }));
}
