import { expect } from 'vitest';
import type { Values } from '../../core/contracts.ts';
import { LockstepError, type Code } from '../../core/errors.ts';
import type { Server } from '../../dev/servers/index.ts';
import { ask, inStep, replicate, startMember } from '../../dev/servers/replication.ts';
import { MemoryServer } from './memory-target.ts';
import { runSource, type Flavour, type SourceRun } from './mysql-run.ts';
import { Proxy } from './proxy.ts';

/** A primary with tables, of which each test makes replicas and pipelines of its own. */
export class Topology implements AsyncDisposable {
  readonly primary: Server;
  readonly #flavour: Flavour;
  readonly #stack: AsyncDisposableStack;
  #pipelines = 0;

  private constructor(flavour: Flavour, primary: Server, stack: AsyncDisposableStack) {
    this.#flavour = flavour;
    this.primary = primary;
    this.#stack = stack;
  }

  static async open(flavour: Flavour): Promise<Topology> {
    const stack = new AsyncDisposableStack();
    const primary = stack.use(await startMember(flavour));
    await ask(
      primary,
      'CREATE DATABASE shop',
      'CREATE TABLE shop.items (id INT PRIMARY KEY, v INT)',
      'CREATE TABLE shop.other (id INT PRIMARY KEY, v INT)',
    );
    return new Topology(flavour, primary, stack);
  }

  async replica(...args: readonly string[]): Promise<Server> {
    const replica = this.#stack.use(await startMember(this.#flavour, args));
    await replicate(this.primary, replica);
    await inStep({ primary: this.primary, replica });
    return replica;
  }

  /** A pipeline that has copied `shop.items`, with its rows 1 to 3, and followed one more, from an address that leads to the primary. */
  async pipeline(): Promise<Pipeline> {
    await ask(
      this.primary,
      'REPLACE INTO shop.items VALUES (1, 1), (2, 2), (3, 3)',
      'DELETE FROM shop.items WHERE id > 3',
    );
    const proxy = this.#stack.use(await Proxy.open(this.primary.url));
    this.#pipelines += 1;
    const pipeline = new Pipeline(proxy, `p${this.#pipelines}`);
    await pipeline.run();
    await ask(this.primary, 'INSERT INTO shop.items VALUES (4, 4)');
    await pipeline.run();
    return pipeline;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** One that ends whenever it has caught up, and is then run again. */
export class Pipeline {
  readonly server = new MemoryServer();
  readonly #proxy: Proxy;
  readonly #name: string;

  constructor(proxy: Proxy, name: string) {
    this.#proxy = proxy;
    this.#name = name;
  }

  leadTo({ url }: Pick<Server, 'url'>, old: 'cut' | 'the old connections stay' = 'cut'): void {
    this.#proxy.leadTo(url);
    if (old === 'cut') this.#proxy.cut();
  }

  async run(more: Partial<SourceRun> = {}): Promise<void> {
    const { server } = this;
    await runSource({ url: this.#proxy.url, tables: ['shop.items'], server, pipeline: this.#name, ...more });
  }

  /** The rows of `shop.items` by their id. */
  rows(): Values[] {
    const rows = this.server.rows({ database: 'shop', name: 'items' });
    return rows.toSorted(([a], [b]) => Number(a) - Number(b));
  }
}

/** Runs a pipeline and expects that it ends with this error. */
export async function expectRefused(
  pipeline: Pipeline,
  code: Code,
  message: RegExp,
  more: Partial<SourceRun> = {},
): Promise<void> {
  const failure = await pipeline.run(more).then(
    () => null,
    (error: unknown) => error,
  );
  if (!(failure instanceof LockstepError)) throw new Error('it was not refused', { cause: failure });
  const { verdict, fix } = failure;
  expect([failure.code, failure.message, verdict === 'retry' || fix !== '']).toEqual([
    code,
    expect.stringMatching(message),
    true,
  ]);
}
