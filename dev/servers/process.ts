import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A user of this system, by number. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly user?: SystemUser;
}

/** Runs a command to its end and gives its standard output. Throws with the last lines it said when it fails. */
export async function run(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const { input = '', user, cwd } = options;
  const [file, ...args] = command;
  const child = spawn(file, args, { ...(cwd === undefined ? {} : { cwd }), ...user, stdio: 'pipe' });
  const output: Buffer[] = [];
  const everything: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => void (output.push(piece), everything.push(piece)));
  child.stderr.on('data', (piece: Buffer) => void everything.push(piece));
  child.stdin.on('error', () => {}); // it ended without reading: its exit code tells
  child.stdin.end(input);
  const code = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(String(code ?? signal)));
  });
  if (code === '0') return Buffer.concat(output).toString();
  const said = lastLines(Buffer.concat(everything).toString(), 15).replaceAll(/\/\/[^/@\s]+@/g, '//***@'); // no passwords
  throw new Error(`${command.join(' ')} ended with ${code}:\n${said}`);
}

/** Whether a command can be run and ends well. */
export async function succeeds(command: readonly [string, ...string[]]): Promise<boolean> {
  return await run(command).then(
    () => true,
    () => false,
  );
}

/** The path of the first of these programs that is here: on PATH, or in one of the directories given. */
export async function findProgram(
  names: readonly string[],
  directories: readonly string[] = [],
): Promise<string | null> {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  for (const name of names) {
    for (const directory of [...path, ...directories]) {
      const file = join(directory, name);
      const found = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return file;
    }
  }
  return null;
}

/** The numbers of a named user; null when the system does not know the name. */
export async function systemUser(name: string): Promise<SystemUser | null> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n');
  const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
  return fields === undefined ? null : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * A TCP port of 127.0.0.1 that nobody listens on. It lies below the range from which the system takes the ports of
 * outgoing connections, so that no client can be sitting on it when a killed server comes back. No other call gives the
 * same port while this process lives, in whatever process: we listen on it ourselves, on another loopback address.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(15_000, 32_000);
    if ((await listen('127.0.0.2', port)) === 'EADDRINUSE') continue; // macOS does not have the address: no reservation
    const probe = await listen('127.0.0.1', port);
    if (typeof probe === 'string') continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
  throw new Error('no free port between 15000 and 32000');
}

/** A listening server that does not keep this process alive, or the system's code for why there is none. */
function listen(address: string, port: number): Promise<Server | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (failure) => resolve('code' in failure ? String(failure.code) : failure.message));
    server.listen(port, address, () => resolve(server.unref()));
  });
}

/**
 * Tries until `attempt` gives something, every 50 ms. Throws the last failure after `seconds`, and at once what
 * `hopeless` throws.
 */
export async function until<T>(
  seconds: number,
  attempt: () => Promise<T>,
  hopeless: () => void = () => {},
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    hopeless();
    try {
      return await attempt();
    } catch (failure) {
      if (Date.now() > deadline) throw failure;
    }
    await sleep(50);
  }
}

/** Sends a signal to a process and everything it started, and gives what that is; the process itself comes first, so that it starts no more. */
export async function signalTree(pid: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<readonly number[]> {
  if (signal === 'SIGKILL') send(pid, 'SIGSTOP');
  else send(pid, signal);
  const children = await descendants(pid);
  for (const child of children) send(child, signal);
  if (signal === 'SIGKILL') send(pid, signal);
  return children;
}

/** Whether a process has given back all it had; where nobody asks how it ended it is listed for longer. Linux only; elsewhere every one has. */
export async function hasEnded(pid: number): Promise<boolean> {
  const [state = 'X'] = (await statOf(pid)) ?? [];
  return state === 'Z' || state === 'X';
}

/** What Linux says of a process, from the third field on, its state: proc_pid_stat(5). Null where it is gone. */
export async function statOf(pid: number): Promise<readonly string[] | null> {
  const line = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => null);
  return line === null ? null : line.slice(line.lastIndexOf(')') + 2).split(' ');
}

/** Sends a signal; a process that is gone already is no failure. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (failure) {
    if (!(failure instanceof Error && 'code' in failure && failure.code === 'ESRCH')) throw failure;
  }
}

/** Linux only; elsewhere a process is taken to have no children. */
async function descendants(pid: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const entry of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const [, parent] = (await statOf(Number(entry))) ?? [];
    parents.set(Number(entry), Number(parent));
  }
  const found = [pid];
  for (const ancestor of found) for (const [child, parent] of parents) if (parent === ancestor) found.push(child);
  return found.slice(1);
}

/** The end of a log, for an error message. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
