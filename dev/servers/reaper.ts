import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/**
 * A shell that waits for the end of this process, reading from a pipe that nobody writes to: the system closes the pipe
 * however we end, SIGKILL included. Then it runs `script`. Returns what dismisses it, which also runs the script.
 */
export function afterOurEnd(script: string, ...args: string[]): () => void {
  const shell = spawn('/bin/sh', ['-c', `read -r _; ${script}`, 'lockstep-reaper', ...args], detached('pipe'));
  release(shell);
  return () => shell.stdin?.destroy();
}

/** Ends the server of this directory and removes the directory when this process ends, or when dismissed. */
export function watchOver(dir: string, signal: NodeJS.Signals): () => void {
  return afterOurEnd(REAP, dir, signal.slice('SIG'.length));
}

/** What was paused must go on before it can end. A dead process may go on to be seen for a while: hence the 5 s. */
const REAP = `
pid=$(cat "$1/pid") && {
  kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children")
  kill "-$2" "$pid"
  tries=0
  while kill -0 "$pid" && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$pid"
} 2>/dev/null
rm -rf "$1"`;

/** Removes the directory of a server that outlives this process once that server has ended. */
export function watchKept(dir: string): void {
  const script = 'while kill -0 "$(cat "$1/pid")" 2>/dev/null; do sleep 2; done; rm -rf "$1"';
  release(spawn('/bin/sh', ['-c', script, 'lockstep-reaper', dir], detached('ignore')));
}

function detached(stdin: 'pipe' | 'ignore') {
  const stdio: ['pipe' | 'ignore', 'ignore', 'ignore'] = [stdin, 'ignore', 'ignore'];
  return { detached: true, cwd: '/', stdio };
}

function release(shell: ChildProcess): void {
  shell.unref();
  const pipe = shell.stdin;
  if (pipe !== null && 'unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
}
