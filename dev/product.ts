import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXECUTABLE, productEnvironment } from './executable.ts';
import { afterOurEnd } from './servers/reaper.ts';
import { usageOf, type Usage } from './usage.ts';

export interface PipelineConfig {
  readonly name: string;
  readonly source: string;
  readonly tables: readonly string[];
  /** `host:port` of a broker; null goes directly. */
  readonly kafka: string | null;
  /** Null for the built-in one. */
  readonly registry: string | null;
  /** Of schemas in the registry; left out: the registry's own. */
  readonly compatibility?: 'NONE';
  readonly targets: Readonly<Record<string, string>>;
  /** `host:port` for /status; null for none. */
  readonly listen: string | null;
}

/** The configuration file as a person would write it. */
export function configText(config: PipelineConfig): string {
  const { name, source, tables, kafka, registry, compatibility, targets, listen } = config;
  const lines = [
    `name: ${name}`,
    'source:',
    `  url: ${source}`,
    `  tables: [${tables.map((table) => `'${table}'`).join(', ')}]`,
  ];
  if (kafka !== null) lines.push('via:', `  kafka: ['${kafka}']`);
  if (kafka !== null && registry !== null) lines.push(`  schemaRegistry: ${registry}`);
  if (kafka !== null && compatibility !== undefined) lines.push(`  compatibility: ${compatibility}`);
  lines.push('targets:');
  for (const [target, url] of Object.entries(targets)) lines.push(`  ${target}:`, `    url: ${url}`);
  if (listen !== null) lines.push('http:', `  listen: ${listen}`);
  return `${lines.join('\n')}\n`;
}

/** One table of one run, as /status tells it. */
export interface TableStatus {
  readonly state: 'waiting' | 'copying' | 'following';
  readonly copied: number;
  readonly applied: number;
}

/** One run of the pipeline, as /status tells it. */
export interface RunStatus {
  readonly phase: string;
  readonly lagMs: number | null;
  readonly applied: number;
  /** By `database.table`. */
  readonly tables: ReadonlyMap<string, TableStatus>;
}

const USAGE_EVERY_MS = 25;

/** `lockstep run` as a process of its own, in a temporary directory that holds its configuration and its output. */
export class Product implements AsyncDisposable {
  readonly configFile: string;
  readonly #dir: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string>;
  readonly #watch: NodeJS.Timeout;
  #exit: number | string | null = null;
  #usage: Usage | null = null;

  private constructor(dir: string, args: readonly string[], environment: NodeJS.ProcessEnv) {
    this.#dir = dir;
    this.configFile = join(dir, 'lockstep.yaml');
    const [out, err] = [openSync(join(dir, 'stdout'), 'w'), openSync(join(dir, 'stderr'), 'w')];
    const command = ['run', this.configFile, ...args];
    // Ctrl-C goes to the whole group of processes; this one is stopped when its time comes.
    this.#child = spawn(EXECUTABLE, command, {
      cwd: dir,
      env: { ...productEnvironment(), ...environment },
      stdio: ['ignore', out, err],
      detached: true,
    });
    closeSync(out);
    closeSync(err);
    const dismiss = afterOurEnd('kill "$1" 2>/dev/null', String(this.#child.pid));
    this.#ended = this.#wait().finally(dismiss);
    this.#watch = setInterval(() => void this.#look(), USAGE_EVERY_MS).unref();
  }

  /** Starts it; `args` follow `run <config>`, `environment` is added to ours. It ends with this process, however that ends. */
  static async start(
    config: PipelineConfig,
    args: readonly string[] = [],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<Product> {
    const dir = await mkdtemp(join(tmpdir(), 'lockstep-run-'));
    await writeFile(join(dir, 'lockstep.yaml'), configText(config));
    return new Product(dir, args, environment);
  }

  /** How it ended: exit code or signal; null while it runs. */
  get exit(): number | string | null {
    return this.#exit;
  }

  /** Throws, with what it said, when it has ended. */
  async expectRunning(): Promise<void> {
    if (this.#exit !== null) throw new Error(`Lockstep has ended with ${String(this.#exit)}:\n${await this.errors()}`);
  }

  /** What it has used up to now, or up to its end less 25 ms. */
  get usage(): Usage | null {
    return this.#usage;
  }

  async ended(): Promise<number | string> {
    return await this.#ended;
  }

  async output(): Promise<string> {
    return await readFile(join(this.#dir, 'stdout'), 'utf8');
  }

  async errors(): Promise<string> {
    return await readFile(join(this.#dir, 'stderr'), 'utf8');
  }

  /** Asks it to stop in good order and gives its exit code. */
  async stop(): Promise<number | string> {
    this.#child.kill('SIGTERM');
    return await this.#ended;
  }

  /** Ends it at once, as a crash would (SIGKILL). */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #wait(): Promise<number | string> {
    const exit = await new Promise<number | string>((resolve) => {
      this.#child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    });
    clearInterval(this.#watch);
    this.#exit = exit;
    return exit;
  }

  async #look(): Promise<void> {
    const usage = this.#child.pid === undefined ? null : await usageOf(this.#child.pid);
    if (usage !== null) this.#usage = usage;
  }
}

/** What http.listen's /status says, by run; empty while it does not answer. */
export async function fetchStatus(listen: string): Promise<ReadonlyMap<string, RunStatus>> {
  const answer = await fetch(`http://${listen}/status`, { signal: AbortSignal.timeout(2000) }).catch(() => null);
  if (answer === null || !answer.ok) return new Map();
  const body: unknown = await answer.json().catch(() => null);
  const runs = entries(field(body, 'targets')).map(([name, run]) => [name, parseRun(run)] as const);
  return new Map(runs);
}

function parseRun(run: unknown): RunStatus {
  const tables = entries(field(run, 'tables')).map(([origin, table]) => [origin, parseTable(table)] as const);
  const lag = field(run, 'lagMs');
  return {
    phase: String(field(run, 'phase')),
    lagMs: typeof lag === 'number' ? lag : null,
    applied: tables.reduce((sum, [, { applied }]) => sum + applied, 0),
    tables: new Map(tables),
  };
}

function parseTable(table: unknown): TableStatus {
  const state = field(table, 'state');
  return {
    state: state === 'following' || state === 'copying' ? state : 'waiting',
    copied: Number(field(table, 'copied')),
    applied: Number(field(table, 'applied')),
  };
}

function field(value: unknown, name: string): unknown {
  return entries(value).find(([key]) => key === name)?.[1];
}

function entries(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
