import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './process.ts';

/** Where installed servers and templates of empty data directories are kept. Safe to delete when nothing is starting. */
export function cacheDirectory(): string {
  return process.env['LOCKSTEP_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lockstep');
}

/**
 * Runs `work` while no other process of this machine does so under the same name. The system gives the lock back when
 * its holder dies, so there is never a stale one: it is a lock that SQLite takes on a file.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  await mkdir(cacheDirectory(), { recursive: true });
  const lock = new DatabaseSync(join(cacheDirectory(), `${name}.lock`));
  try {
    while (!locked(lock)) await sleep(100);
    return await work();
  } finally {
    lock.close();
  }
}

function locked(lock: DatabaseSync): boolean {
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return true;
  } catch (failure) {
    const SQLITE_BUSY = 5;
    if (failure instanceof Error && 'errcode' in failure && failure.errcode === SQLITE_BUSY) return false;
    throw failure;
  }
}

/**
 * The directory `name` in the cache, filled by `fill` the first time. It is filled elsewhere and moved into place whole,
 * by one process at a time: whatever is killed half-way is never taken for an installed server.
 */
export async function cached(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const final = join(cacheDirectory(), name);
  if (await exists(final)) return final;
  return await withLock(name, async () => {
    if (await exists(final)) return final;
    await removeUnfinished(name);
    const partial = await mkdtemp(`${final}${UNFINISHED}`); // what a killed installer left running writes elsewhere
    await fill(partial);
    await rename(partial, final);
    return final;
  });
}

const UNFINISHED = '.partial-';

async function removeUnfinished(name: string): Promise<void> {
  for (const entry of await readdir(cacheDirectory()))
    if (entry.startsWith(name + UNFINISHED)) await rm(join(cacheDirectory(), entry), { recursive: true, force: true });
}

/** Tells people on stderr that something slow happens and, afterwards, how long it took. */
export async function announced<T>(what: string, seconds: number, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  process.stderr.write(`installing ${what} (first time only, ~${seconds} s)\n`);
  const result = await work();
  process.stderr.write(`installed ${what} in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  return result;
}

/** Copies a directory with owners, modes and times. */
export async function copyDirectory(from: string, to: string): Promise<void> {
  await run(['cp', '-a', from, to]);
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
