import { readdir, readFile } from 'node:fs/promises';
import { statOf } from './servers/process.ts';

/** What a process has used since it started. */
export interface Usage {
  readonly cpuSeconds: number;
  /** Of its resident memory, now and at most. */
  readonly residentBytes: number;
  readonly peakBytes: number;
}

/** The kernel counts in ticks of 1/100 s on every Linux that Node runs on. */
const TICKS = 100;

/** Of the process alone; null once it has ended, and where there is no /proc. */
export async function usageOf(pid: number): Promise<Usage | null> {
  const stat = await readStat(pid);
  const memory = await readMemory(pid);
  if (stat === null || memory === null) return null;
  return { cpuSeconds: stat.own / TICKS, residentBytes: memory.resident, peakBytes: memory.peak };
}

/** CPU seconds of a process, of everything it started, and of what of that has ended and been waited for. */
export async function cpuOfTree(pid: number): Promise<number> {
  const tree = await treeOf(pid);
  return [...tree.values()].reduce((sum, { own, reaped }) => sum + own + reaped, 0) / TICKS;
}

/**
 * Resident memory of a process and everything it started, in bytes: what is each process's own, and once what they share, which is taken to be
 * what the process with the most of it has.
 */
export async function memoryOfTree(pid: number): Promise<number> {
  const tree = await treeOf(pid);
  const members = await Promise.all([...tree.keys()].map(readMemory));
  const present = members.filter((memory) => memory !== null);
  const shared = Math.max(0, ...present.map(({ resident, own }) => resident - own));
  return present.reduce((sum, { own }) => sum + own, shared);
}

/** The kernel tells children by the thread that started them: looking through all processes would cost several times as much. */
async function treeOf(pid: number): Promise<ReadonlyMap<number, Stat>> {
  const tree = new Map<number, Stat>();
  const found = [pid];
  for (const member of found) {
    const stat = await readStat(member);
    if (stat === null) continue;
    tree.set(member, stat);
    const threads = `/proc/${String(member)}/task`;
    for (const thread of await readdir(threads).catch(() => [])) {
      const children = await readFile(`${threads}/${thread}/children`, 'utf8').catch(() => '');
      found.push(...children.split(' ').filter(Boolean).map(Number));
    }
  }
  return tree;
}

interface Memory {
  readonly resident: number;
  readonly peak: number;
  /** The part of `resident` that is this process's alone. */
  readonly own: number;
}

/** In bytes; null once the process has ended. Source of the fields: proc_pid_status(5). */
async function readMemory(pid: number): Promise<Memory | null> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  const memory = { resident: field('VmRSS'), peak: field('VmHWM'), own: field('RssAnon') };
  return Object.values(memory).some(Number.isNaN) ? null : memory;
}

interface Stat {
  /** In ticks. */
  readonly own: number;
  /** Of children that have ended, in ticks. */
  readonly reaped: number;
}

/** A process may be gone between being listed and being read. */
async function readStat(pid: number): Promise<Stat | null> {
  const fields = await statOf(pid);
  if (fields === null) return null;
  const field = (number: number): number => Number(fields[number - 3]);
  return { own: field(14) + field(15), reaped: field(16) + field(17) };
}
