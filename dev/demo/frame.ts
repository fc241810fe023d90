import type { RunStatus } from '../product.ts';
import { copiedShare } from './consistent.ts';
import { bar, duration, grouped } from './words.ts';
import type { WriterReport } from './writer-report.ts';

/** Everything that the live view shows. */
export interface Scene {
  readonly title: string;
  readonly elapsedMs: number;
  /** Null before and after the writer. */
  readonly writer: (WriterReport & { readonly perSecond: number }) | null;
  readonly runs: readonly RunScene[];
  /** Rows that were in each table when the writer began. */
  readonly rows: ReadonlyMap<string, number>;
  /** What happens now, in a sentence. */
  readonly now: string;
}

export interface RunScene {
  readonly name: string;
  readonly status: RunStatus;
  readonly perSecond: number;
}

/** The live view as lines that fit into `width` columns. */
export function frame(scene: Scene, width: number): string[] {
  const clock = `${String(Math.floor(scene.elapsedMs / 60_000))}:${String(Math.floor(scene.elapsedMs / 1000) % 60).padStart(2, '0')}`;
  const lines = [`${scene.title.padEnd(width - clock.length - 1)} ${clock}`, '', ...numbers(scene), ''];
  lines.push(...tables(scene, width), '', scene.now);
  return lines.map((line) => line.slice(0, width));
}

function numbers(scene: Scene): string[] {
  const { writer } = scene;
  const rows = scene.runs.map(({ name, status, perSecond }) => [
    name,
    status.phase,
    status.lagMs === null ? '' : `lag ${duration(status.lagMs)}`,
    `${grouped(perSecond)} rows/s`,
    `${grouped(status.applied)} rows`,
  ]);
  if (writer !== null) {
    const { perSecond, transactions, retried } = writer;
    rows.unshift([
      'writer',
      'writing',
      `${grouped(perSecond)} tx/s`,
      `${grouped(transactions)} tx`,
      `${grouped(retried)} deadlocks`,
    ]);
  }
  const widths = [10, 10, 14, 16, 16];
  return rows.map((row) =>
    row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' '),
  );
}

const NAME_WIDTH = 12;
const COUNT_WIDTH = 8;
/** Two spaces before a bar, ` 100 %` behind it. */
const AROUND_BAR = 8;

function tables(scene: Scene, width: number): string[] {
  const room = width - NAME_WIDTH - COUNT_WIDTH;
  const barWidth = Math.max(4, Math.min(30, Math.floor(room / Math.max(1, scene.runs.length)) - AROUND_BAR));
  const names = scene.runs.map(({ name }) => `  ${name.padEnd(barWidth + AROUND_BAR - 2)}`).join('');
  const runs = new Map(scene.runs.map(({ name, status }) => [name, status]));
  const lines = [`${''.padEnd(NAME_WIDTH)}${'rows'.padStart(COUNT_WIDTH)}${names}`];
  for (const [name, rows] of scene.rows) {
    const bars = scene.runs.map((run) => {
      const share = copiedShare(runs, run.name, name, rows);
      return `  ${bar(share, barWidth)} ${String(Math.floor(share * 100)).padStart(3)} %`;
    });
    lines.push(`${name.padEnd(NAME_WIDTH)}${grouped(rows).padStart(COUNT_WIDTH)}${bars.join('')}`);
  }
  return lines;
}
