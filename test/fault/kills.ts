import { expect } from 'vitest';
import type { Random } from '../../dev/random.ts';
import { startLockstep, until, type Running } from '../e2e/cli.ts';
import { type Entries, type Scene } from '../e2e/scene.ts';
import { seed } from '../support/seed.ts';

/** How often a process is killed in each phase: in the copy, the stream, a schema change, publishing and consuming, 20 times in all. */
export const KILLS = Number(process.env['LOCKSTEP_TEST_KILLS'] ?? 4);

/** For tests that start many processes, one after the other: on a busy machine that takes its time. In ms. */
export const LIMIT_MS = 60_000 * Math.max(5, KILLS);

/** Rows of one table that a target holds for good: what its range entries say. */
export function durableRows(entries: ReadonlyMap<string, string>, origin: string): number {
  let rows = 0;
  for (const [name, token] of entries) {
    if (name.startsWith(`range/${origin}/`)) rows += Number(/"rows":(\d+)/.exec(token)?.[1] ?? 0);
  }
  return rows;
}

/** Whether the target counts the table's copy as consistent. */
export function isCopied(entries: ReadonlyMap<string, string>, origin: string): boolean {
  return /"following"/.test(entries.get(`table/${origin}/`) ?? '');
}

/** Watches that the copy never goes back: no table is waiting again, no range holds fewer rows than before. */
export function forwardOnly(tables: readonly string[]): (entries: ReadonlyMap<string, string>) => void {
  const before = new Map<string, number>();
  return (entries) => {
    for (const origin of tables) {
      const now = isCopied(entries, origin) ? Number.POSITIVE_INFINITY : durableRows(entries, origin);
      expect(now, `${origin} went back, seed ${seed}`).toBeGreaterThanOrEqual(before.get(origin) ?? 0);
      before.set(origin, now);
    }
  };
}

/** Starts the pipeline, kills it with SIGKILL at a moment after `when` holds that chance decides, and waits until it is gone. */
export async function killedOnce(
  scene: Scene,
  entries: Entries,
  when: (entries: ReadonlyMap<string, string>) => boolean | Promise<boolean>,
  random: Random,
): Promise<void> {
  const running = startLockstep(['run', scene.file]);
  try {
    await until(
      async () => await when(await entries.read()),
      () => `not there, seed ${seed}: ${said(running)}`,
    );
    await new Promise((resolve) => setTimeout(resolve, random.int(200)));
    expect(running.process.exitCode, said(running)).toBeNull();
  } finally {
    running.process.kill('SIGKILL');
    await running.ended;
  }
}

export function said(running: Running): string {
  return running.stdout() + running.stderr();
}
