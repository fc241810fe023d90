import type { RunStatus } from '../product.ts';
import { SHOP_DATABASE } from './shop.ts';

/** The run that publishes to Kafka is called so. */
const PUBLISHER = 'kafka';
/** A consumer that is this near has the copy behind it, whatever compaction has taken out of the topics. In ms. */
const NEAR_MS = 1000;

export type Runs = ReadonlyMap<string, RunStatus>;

/** How much of a table's copy a run has, from 0 to 1. The writer changes the number of rows, so the end is told by the state. */
export function copiedShare(runs: Runs, run: string, table: string, rows: number): number {
  const origin = `${SHOP_DATABASE}.${table}`;
  const known = runs.get(run)?.tables.get(origin);
  if (known === undefined) return 0;
  if (known.state === 'following') return 1;
  // A consumer does not see where a copy ends; it has what was published.
  const published = run === PUBLISHER ? undefined : runs.get(PUBLISHER)?.tables.get(origin);
  if (published?.state === 'following' && known.copied >= published.copied) return 1;
  return Math.min(0.99, known.copied / Math.max(1, rows));
}

/** True when all runs follow and every table's copy is behind them. */
export function isConsistent(runs: Runs, tables: Iterable<string>): boolean {
  if ([...runs.values()].some(({ phase }) => phase !== 'following')) return false;
  const publisher = runs.get(PUBLISHER);
  const names = [...tables];
  return [...runs].every(([run, { lagMs }]) => {
    if (names.every((table) => copiedShare(runs, run, table, 1) === 1)) return true;
    const published = publisher !== undefined && names.every((table) => copiedShare(runs, PUBLISHER, table, 1) === 1);
    return run !== PUBLISHER && published && lagMs !== null && lagMs < NEAR_MS;
  });
}
