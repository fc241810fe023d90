import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { compareAll, isEqual } from '../../verify/all.ts';
import type { TableResult } from '../../verify/compare.ts';

/** Fails unless the target holds exactly what the source holds in the tables (`database.table` with `*`). Gives the rows compared. */
export async function expectEqual(sourceUrl: string, targetUrl: string, tables: readonly string[]): Promise<number> {
  const signal = AbortSignal.timeout(60_000);
  return judge(await compareAll(sourceUrl, targetUrl, tables, signal, { values: true }));
}

/** As `expectEqual`, but the target may take `withinMs` to get there: for a pipeline that runs while the source stands still. */
export async function expectSoonEqual(
  sourceUrl: string,
  targetUrl: string,
  tables: readonly string[],
  withinMs = 30_000,
): Promise<number> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const results = await attempt(sourceUrl, targetUrl, tables);
    if (results !== null && isEqual(results)) return judge(results);
    if (performance.now() > deadlineMs) return await expectEqual(sourceUrl, targetUrl, tables);
    await sleep(200);
  }
}

/** Null while the target has not all tables yet. */
async function attempt(
  sourceUrl: string,
  targetUrl: string,
  tables: readonly string[],
): Promise<readonly TableResult[] | null> {
  try {
    return await compareAll(sourceUrl, targetUrl, tables, AbortSignal.timeout(60_000));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'TARGET_SCHEMA') return null;
    throw error;
  }
}

function judge(results: readonly TableResult[]): number {
  const differing = results.filter((result) => !isEqual([result]));
  expect(differing).toEqual([]);
  return results.reduce((sum, { rows }) => sum + rows, 0);
}
