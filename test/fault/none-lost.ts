import { expect } from 'vitest';
import { compareAll } from '../../verify/all.ts';
import { caughtUp, type Counts, type Scene } from '../e2e/scene.ts';
import { seed } from '../support/seed.ts';

/**
 * Lets the pipeline come to its end, and compares every table value by value, those without a key as bags of rows. Prints one line: what the
 * source has and the target does not, or not so, is lost; what only the target has is doubled. The source must stand still. Gives what the last run counted.
 */
export async function expectNoneLostOrDoubled(scene: Scene, fault: string): Promise<Readonly<Record<string, Counts>>> {
  const counts = await caughtUp(scene, 'may heal');
  const results = await compareAll(scene.source, scene.target, scene.tables, AbortSignal.timeout(60_000));
  const sum = (of: (result: (typeof results)[number]) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const [rows, lost, doubled] = [sum((r) => r.rows), sum((r) => r.missing + r.mismatched), sum((r) => r.extra)];
  process.stdout.write(`${scene.name}, ${fault}, ${rows} rows, seed ${seed}: lost=${lost} doubled=${doubled}\n`);
  expect({ lost, doubled, tables: results.filter((r) => r.missing + r.mismatched + r.extra > 0) }).toEqual({
    lost: 0,
    doubled: 0,
    tables: [],
  });
  expect(rows).toBeGreaterThan(0);
  return counts;
}
