import { spawn } from 'node:child_process';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, hasEnded, isRoot, lastLines, send, signalTree, systemUser, until } from './process.ts';
import type { SystemUser } from './process.ts';
import { watchKept, watchOver } from './reaper.ts';
import type { Kind, Place, Program, Recipe, Server, StartOptions } from './server.ts';

const READY_SECONDS = 60;
const STOP_SECONDS = 60;

/**
 * Starts a program as a server in its own temporary directory. Throws with the end of its log when it does not answer
 * within a minute or ends by itself.
 */
export async function startLocal(recipe: Recipe, program: Program, options: StartOptions): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(recipe, program, options);
    } catch (failure) {
      // Between finding a port free and using it, another process can have taken it.
      if (attempt === 3 || !/address (already )?in use|could not bind/i.test(String(failure))) throw failure;
    }
  }
}

async function startOnce(recipe: Recipe, program: Program, options: StartOptions): Promise<Server> {
  const dir = await mkdtemp(join(tmpdir(), `lockstep-${recipe.kind}-`));
  const user = isRoot() && recipe.user !== undefined ? await systemUser(recipe.user) : null;
  if (user !== null) await chown(dir, user.uid, user.gid);
  const watch = options.keep === true ? null : watchOver(dir, recipe.abortSignal);
  const { args = [], fast = false, encryptedLog = false } = options;
  const place: Place = { program, dir, port: await freePort(), args, fast, encryptedLog };
  const server = new LocalServer(recipe, place, user, watch);
  try {
    await server.open();
    if (options.keep === true) watchKept(dir);
    return server;
  } catch (failure) {
    await server.stop();
    throw failure;
  }
}

/** A running server process: a number while it runs, and how it ended afterwards. */
interface Running {
  readonly pid: number;
  ended: string | null;
}

class LocalServer implements Server {
  readonly kind: Kind;
  readonly url: string;
  readonly origin: string;
  readonly dir: string;
  version = 'unknown';
  readonly #recipe: Recipe;
  readonly #place: Place;
  readonly #user: SystemUser | null;
  readonly #watch: (() => void) | null;
  #command: readonly string[] = [];
  #running: Running | null = null;

  constructor(recipe: Recipe, place: Place, user: SystemUser | null, watch: (() => void) | null) {
    this.kind = recipe.kind;
    this.url = recipe.url(place.port);
    this.origin = place.program.command.at(-1) ?? '';
    this.dir = place.dir;
    this.#recipe = recipe;
    this.#place = place;
    this.#user = user;
    this.#watch = watch;
  }

  get pid(): number | null {
    return this.#running?.ended === null ? this.#running.pid : null;
  }

  async open(): Promise<void> {
    this.#command = await this.#recipe.prepare(this.#place);
    await this.start();
  }

  async start(): Promise<void> {
    if (this.pid !== null) return;
    const running = launch(this.#command, this.dir, this.#user);
    this.#running = running;
    try {
      const version = await until(
        READY_SECONDS,
        () => this.#recipe.probe(this.url),
        () => {
          if (running.ended !== null) throw new Error(`it ended with ${running.ended}`);
        },
      );
      this.version = version === 'unknown' ? this.#place.program.version : version;
    } catch (failure) {
      const log = await readFile(join(this.dir, 'server.log'), 'utf8').catch(() => '');
      const why = failure instanceof Error ? failure.message : String(failure);
      const text = `${this.#recipe.title} did not start on ${this.url}: ${why}\n${lastLines(log, 20)}`;
      throw new Error(text, { cause: failure });
    }
  }

  async restart(): Promise<void> {
    await this.#end(this.#recipe.stopSignal);
    await this.start();
  }

  async kill(): Promise<void> {
    const children = this.pid === null ? [] : await signalTree(this.pid, 'SIGKILL');
    await this.#gone();
    // Until they have ended too, PostgreSQL finds its shared memory in use and does not start again.
    for (const child of children)
      await until(STOP_SECONDS, async () => {
        if (!(await hasEnded(child))) throw new Error(`${this.#recipe.title}: process ${child} does not end`);
      });
  }

  async pause(): Promise<void> {
    if (this.pid !== null) await signalTree(this.pid, 'SIGSTOP');
  }

  async resume(): Promise<void> {
    if (this.pid !== null) await signalTree(this.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    await this.#end(this.#recipe.abortSignal);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 3 });
    this.#watch?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    await this.resume(); // what is frozen would not end
    if (this.pid !== null) send(this.pid, signal);
    await this.#gone();
  }

  async #gone(): Promise<void> {
    await until(STOP_SECONDS, async () => {
      if (this.pid !== null) throw new Error(`${this.#recipe.title} (process ${this.pid}) does not end`);
    });
  }
}

/** The shell writes down its process id before it becomes the server, so that no moment is without a watch. */
const LAUNCH = 'echo $$ > pid && exec "$@"';

function launch(command: readonly string[], dir: string, user: SystemUser | null): Running {
  const log = openSync(join(dir, 'server.log'), 'a');
  const child = spawn('/bin/sh', ['-c', LAUNCH, 'sh', ...command], {
    cwd: dir,
    detached: true, // Ctrl-C in a terminal is for us, not for it
    stdio: ['ignore', log, log],
    ...user,
  });
  closeSync(log);
  child.unref();
  const running: Running = { pid: child.pid ?? 0, ended: null };
  child.on('error', (failure) => (running.ended = failure.message));
  child.on('exit', (code, signal) => (running.ended = signal ?? `exit code ${code}`));
  return running;
}
