import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXECUTABLE, productEnvironment } from '../../dev/executable.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The product as its users have it: a process of its own. */
export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
}

/** Those that a test which failed has left running end with it. */
const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export function startLockstep(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(EXECUTABLE, args, {
    env: { ...productEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  child.once('close', () => children.delete(child));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { process: child, ended, stdout: () => stdout, stderr: () => stderr };
}

export async function lockstep(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return await startLockstep(args, env).ended;
}

/** Writes a configuration file into a folder of its own. */
export function configFile(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'lockstep-')), 'shop.yaml');
  writeFileSync(file, text);
  return file;
}

/** Waits until a condition holds; fails after 30 s, or as long as is said, with what is said then. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  otherwise: () => string,
  withinMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(otherwise());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
