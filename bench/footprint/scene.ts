import { BENCH_DATABASE } from '../data.ts';
import { WITHOUT_SEED } from '../large.ts';
import type { Figure } from '../report.ts';
import { titlesOf, type Stage } from '../stage.ts';

export const TABLES = [`${BENCH_DATABASE}.*`, WITHOUT_SEED];
/** Small rows with a key, without one, and a few huge ones. */
export const PINGS = 'pings';
export const BAG = 'bag';
export const BLOBS = 'blobs';
export const LARGE = 'large';

/** Changes of the backlog, as `drain` has them, where the large transaction is not smaller. */
const BACKLOG = 200_000;

export function backlogOf(rows: number): number {
  return Math.min(rows, BACKLOG);
}

/** Keeps what was measured of one part. */
export async function keep(stage: Stage, part: string, run: number, figures: readonly Figure[]): Promise<void> {
  const { options, source, sink, report } = stage;
  const measured = Object.fromEntries(figures.map(({ name, value }) => [name, value]));
  const variant = `${part}, ${options.source} to ${options.target}`;
  const result = { bench: options.bench, variant, servers: titlesOf([source, sink]), run, measured };
  await report.add(result, figures);
}
