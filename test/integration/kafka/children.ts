import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { statOf } from '../../../dev/servers/process.ts';
import { until } from './scene.ts';

/** A process of ours that a test kills or freezes. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** What it has said so far. */
  said(): string;
  kill(signal: 'SIGKILL' | 'SIGCONT'): void;
  /** Resolves once it does nothing any more. */
  freeze(): Promise<void>;
}

/** Starts a script of this directory with one JSON argument. It ends with the test. */
export function startChild(script: string, argument: unknown): Child {
  const file = join(import.meta.dirname, script);
  const child = spawn(process.execPath, [file, JSON.stringify(argument)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (said += piece.toString()));
  return {
    pid: child.pid ?? -1,
    said: () => said,
    kill: (signal) => void child.kill(signal),
    freeze: async () => {
      child.kill('SIGSTOP');
      await until('the process is frozen', async () => (await statOf(child.pid ?? -1))?.[0] === 'T');
    },
    [Symbol.asyncDispose]: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}
