import type { TableSchema } from '../../core/table.ts';
import { isEqual, openSourceReader, openTargetReader } from '../../verify/all.ts';
import { compareTable, type TableResult } from '../../verify/compare.ts';
import type { SourceReader, TargetReader } from '../../verify/row.ts';
import type { TargetOutcome } from './outcome.ts';
import { SHOP_DATABASE } from './shop.ts';
import type { Watch } from './watch.ts';

export interface Comparison {
  readonly source: string;
  /** URLs by name. */
  readonly targets: Readonly<Record<string, string>>;
  /** The id of the last row that was written, in `events`. */
  readonly lastEvent: number;
  readonly stoppedAtMs: number;
  readonly watch: Watch;
  readonly signal: AbortSignal;
}

interface Compared {
  readonly name: string;
  readonly reader: TargetReader;
  /** From the writer's end until its last row was here; null as long as it is not. */
  caughtUpMs: number | null;
}

/** How long a target may take to hold everything once the writer has stopped. */
const CATCH_UP_WITHIN_MS = 30_000;

/** Waits until each target holds what was written last and compares it, again until it is equal or the time is up. */
export async function compareTargets(comparison: Comparison): Promise<TargetOutcome[]> {
  const { source: url, targets, stoppedAtMs, signal } = comparison;
  const deadlineMs = stoppedAtMs + CATCH_UP_WITHIN_MS;
  const opened = new AsyncDisposableStack();
  try {
    const source = opened.use(await openSourceReader(url, signal));
    const shop = await source.tables([`${SHOP_DATABASE}.*`], signal);
    const compared: Compared[] = [];
    for (const [name, targetUrl] of Object.entries(targets)) {
      compared.push({ name, reader: opened.use(await openTargetReader(targetUrl, signal)), caughtUpMs: null });
    }
    await catchUp(compared, shop, comparison, deadlineMs);
    const outcomes: TargetOutcome[] = [];
    for (const target of compared) outcomes.push(await compareTarget(target, source, shop, comparison, deadlineMs));
    return outcomes;
  } finally {
    await opened.disposeAsync();
  }
}

async function catchUp(
  targets: readonly Compared[],
  shop: readonly TableSchema[],
  { lastEvent, stoppedAtMs, watch, signal }: Comparison,
  deadlineMs: number,
): Promise<void> {
  const events = shop.find(({ name }) => name === 'events');
  if (events === undefined) throw new Error('the shop has lost its events');
  await watch.until(
    () => 'the writer has stopped; the targets catch up',
    async () => {
      for (const target of targets.filter(({ caughtUpMs }) => caughtUpMs === null)) {
        const found = await target.reader.lookup(events, [[String(lastEvent)]], signal);
        if (found.length > 0) target.caughtUpMs = Math.round(performance.now() - stoppedAtMs);
      }
      return targets.every(({ caughtUpMs }) => caughtUpMs !== null) || performance.now() > deadlineMs;
    },
  );
}

async function compareTarget(
  { name, reader, caughtUpMs }: Compared,
  source: SourceReader,
  shop: readonly TableSchema[],
  { watch, signal }: Comparison,
  deadlineMs: number,
): Promise<TargetOutcome> {
  const startedMs = performance.now();
  const done: TableResult[] = [];
  let finished = false;
  const comparing = compareUntilEqual(source, reader, shop, done, deadlineMs, signal).finally(() => (finished = true));
  await Promise.all([
    comparing,
    watch.until(
      () => `comparing ${name} with the source, value by value: ${shop[done.length]?.name ?? 'done'}`,
      () => finished,
    ),
  ]);
  return { name, equal: isEqual(done), caughtUpMs, compareMs: Math.round(performance.now() - startedMs), tables: done };
}

/** Fills `done`. With several lanes another one can be behind the one that brought the last row. */
async function compareUntilEqual(
  source: SourceReader,
  target: TargetReader,
  shop: readonly TableSchema[],
  done: TableResult[],
  deadlineMs: number,
  signal: AbortSignal,
): Promise<void> {
  do {
    done.length = 0;
    for (const table of shop) done.push(await compareTable(source, target, table, signal));
  } while (!isEqual(done) && performance.now() < deadlineMs);
}
