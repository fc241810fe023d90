import type { Failure } from '../../core/progress.ts';

/** 1,420,113 */
export function count(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** 2.0 M, 212k, 84: for estimates and rates. */
export function rough(n: number): string {
  if (n >= 999_950_000) return `${(n / 1e9).toFixed(1)} G`;
  if (n >= 999_500) return `${(n / 1e6).toFixed(1)} M`;
  return n >= 10_000 ? `${Math.round(n / 1000)}k` : count(n);
}

/** 4 ms, 1.2 s, 3 min 20 s, 2 h 5 min */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function plural(n: number, word: string, words = `${word}s`): string {
  return `${count(n)} ${n === 1 ? word : words}`;
}

/** ██████░░░░ */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** Columns padded to the widest of each; the last is left as it is. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) if (i < row.length - 1) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell))
      .join('  ')
      .trimEnd(),
  );
}

/** An error as people see it: code and message, and under it what to do. */
export function failureLines({ code, message, fix, nextTryAtMs }: Failure, nowMs: number): string[] {
  const next = nextTryAtMs === null ? '' : `   next try in ${duration(Math.max(0, nextTryAtMs - nowMs))}`;
  const [first = '', ...rest] = message.split('\n');
  const lines = [`error ${code}   ${first}${next}`, ...rest.map((line) => `      ${line}`)];
  return fix === '' ? lines : [...lines, `fix   ${fix}`];
}
