import { readdir, readFile } from 'node:fs/promises';

/** What a process has used since it started. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** The kernel counts in ticks of 1/100 s on every Linux that Node runs on. */
const TICKS = 100;

/** Of the process alone; null once it has ended, and where there is no /proc. */
export async function usageOf(pid: number): Promise<Usage | null> {
  const stat = await readStat(pid);
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '');
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  if (stat === null || peak === undefined) return null;
  return { cpuSeconds: stat.own / TICKS, peakBytes: Number(peak) * 1024 };
}

/** CPU seconds of a process, of everything it started, and of what of that has ended and been waited for. */
export async function cpuOfTree(pid: number): Promise<number> {
  const stats = new Map<number, Stat>();
  for (const entry of await readdir('/proc').catch(() => [])) {
    const stat = /^\d+$/.test(entry) ? await readStat(Number(entry)) : null;
    if (stat !== null) stats.set(Number(entry), stat);
  }
  const tree = [pid];
  for (const parent of tree) for (const [child, stat] of stats) if (stat.parent === parent) tree.push(child);
  return (
    tree.reduce((sum, member) => sum + (stats.get(member)?.own ?? 0) + (stats.get(member)?.reaped ?? 0), 0) / TICKS
  );
}

interface Stat {
  readonly parent: number;
  /** In ticks. */
  readonly own: number;
  /** Of children that have ended, in ticks. */
  readonly reaped: number;
}

/** Source of the fields: proc_pid_stat(5). A process may be gone between being listed and being read. */
async function readStat(pid: number): Promise<Stat | null> {
  const line = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => null);
  if (line === null) return null;
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return { parent: field(4), own: field(14) + field(15), reaped: field(16) + field(17) };
}
