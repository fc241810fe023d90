import { expect } from 'vitest';
import { usageOf } from '../../dev/usage.ts';
import type { Running } from '../e2e/cli.ts';
import { said } from './kills.ts';

const MEBIBYTE = 1024 * 1024;

/** What G6 promises for the resident memory of a process whose `memory` is so many MiB, in bytes. */
export function bound(memory: number): number {
  return (200 + memory) * MEBIBYTE;
}

/** Watches a process to its end, which must be a good one, and gives the most memory that it had resident, in bytes. */
export async function peakOf(running: Running): Promise<number> {
  const pid = running.process.pid ?? 0;
  let peak = 0;
  for (let usage = await usageOf(pid); usage !== null; usage = await usageOf(pid)) {
    peak = Math.max(peak, usage.peakBytes);
    await Promise.race([running.ended, new Promise((resolve) => setTimeout(resolve, 10))]);
  }
  await running.ended;
  expect(running.process.exitCode, said(running)).toBe(0);
  expect(peak, 'it was seen').toBeGreaterThan(0);
  return peak;
}
