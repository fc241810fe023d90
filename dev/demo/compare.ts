import { compareTable, type TableResult } from '../../verify/compare.ts';
import { isEqual, openSourceReader, openTargetReader } from '../../verify/all.ts';
import type { SourceReader, TargetReader } from '../../verify/row.ts';
import type { PipelineConfig } from '../product.ts';
import type { TargetOutcome } from './outcome.ts';
import { SHOP_DATABASE } from './shop.ts';
import type { Watch } from './watch.ts';

export interface Comparison {
  readonly source: string;
  readonly config: PipelineConfig;
  /** The id of the last row that was written, in `events`. */
  readonly lastEvent: number;
  readonly stoppedAtMs: number;
  readonly watch: Watch;
  readonly signal: AbortSignal;
}

/** How long a target may take to hold everything once the writer has stopped. */
const CATCH_UP_WITHIN_MS = 30_000;

/** Waits until each target holds what was written last and compares it, again until it is equal or the time is up. */
export async function compareTargets(comparison: Comparison): Promise<TargetOutcome[]> {
  const { source: url, config, signal } = comparison;
  const opened = new AsyncDisposableStack();
  try {
    const source = opened.use(await openSourceReader(url, signal));
    const outcomes: TargetOutcome[] = [];
    for (const [name, targetUrl] of Object.entries(config.targets)) {
      const target = opened.use(await openTargetReader(targetUrl, signal));
      outcomes.push(await compareTarget(name, source, target, comparison));
    }
    return outcomes;
  } finally {
    await opened.disposeAsync();
  }
}

async function compareTarget(
  name: string,
  source: SourceReader,
  target: TargetReader,
  comparison: Comparison,
): Promise<TargetOutcome> {
  const { watch, signal, stoppedAtMs } = comparison;
  const deadlineMs = stoppedAtMs + CATCH_UP_WITHIN_MS;
  const caughtUpMs = await catchUp(name, source, target, comparison, deadlineMs);
  const startedMs = performance.now();
  let done = false;
  const comparing = compareUntilEqual(source, target, deadlineMs, signal).finally(() => (done = true));
  await watch.until(
    () => `the writer has stopped; comparing ${name} with the source, value by value`,
    () => done,
  );
  const tables = await comparing;
  return { name, equal: isEqual(tables), caughtUpMs, compareMs: Math.round(performance.now() - startedMs), tables };
}

/** With several lanes another one can be behind the one that brought the last row. */
async function compareUntilEqual(
  source: SourceReader,
  target: TargetReader,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<readonly TableResult[]> {
  for (;;) {
    const tables = await compareShop(source, target, signal);
    if (isEqual(tables) || performance.now() > deadlineMs) return tables;
  }
}

async function compareShop(source: SourceReader, target: TargetReader, signal: AbortSignal): Promise<TableResult[]> {
  const results: TableResult[] = [];
  for (const table of await source.tables([`${SHOP_DATABASE}.*`], signal))
    results.push(await compareTable(source, target, table, signal));
  return results;
}

/** Gives the time from the writer's end to the moment its last row was there; null when that did not come. */
async function catchUp(
  name: string,
  source: SourceReader,
  target: TargetReader,
  { lastEvent, stoppedAtMs, watch, signal }: Comparison,
  deadlineMs: number,
): Promise<number | null> {
  const [events] = await source.tables([`${SHOP_DATABASE}.events`], signal);
  if (events === undefined) throw new Error('the shop has lost its events');
  let atMs: number | null = null;
  await watch.until(
    () => `the writer has stopped; ${name} catches up`,
    async () => {
      const [found] = await target.lookup(events, [[String(lastEvent)]], signal);
      if (found !== undefined) atMs = Math.round(performance.now() - stoppedAtMs);
      return found !== undefined || performance.now() > deadlineMs;
    },
  );
  return atMs;
}
