import { Product, type PipelineConfig } from '../dev/product.ts';
import type { Server } from '../dev/servers/index.ts';
import { cpuOfTree } from '../dev/usage.ts';
import type { Stage } from './stage.ts';
import { MemoryWatch } from './memory-watch.ts';
import { compareAll, isEqual } from '../verify/all.ts';

/** What one run of Lockstep took. */
export interface Measured {
  /** From the start of the process to its end. */
  readonly seconds: number;
  /** From the start of the process until the first change was visible in the target; null where nobody looked. */
  readonly firstMs: number | null;
  /** Of Lockstep's resident memory. */
  readonly peakBytes: number;
  /** Of each server's, by what it was seen to have while Lockstep ran. */
  readonly serverPeakBytes: Readonly<Record<string, number>>;
  /** CPU seconds: of Lockstep, and of each server meanwhile. */
  readonly cpu: Readonly<Record<string, number>>;
}

export interface Measuring {
  readonly config: PipelineConfig;
  readonly args: readonly string[];
  readonly servers: readonly Server[];
  /** True once the first change is visible in the target; null where that cannot be seen. */
  readonly firstVisible: (() => Promise<boolean>) | null;
  /** Added to ours. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** From the stage's source directly to its target. */
export function directConfig(
  { source, target }: Pick<Stage, 'source' | 'target'>,
  tables: readonly string[],
): PipelineConfig {
  return {
    name: 'bench',
    source: source.url,
    tables,
    kafka: null,
    registry: null,
    targets: { target: target.url },
    listen: null,
  };
}

/** Runs Lockstep until it has caught up. Throws when it fails. */
export async function measure({ config, args, servers, firstVisible, environment }: Measuring): Promise<Measured> {
  const before = await cpuOf(servers);
  const memory = new MemoryWatch(servers);
  const started = performance.now();
  const product = await Product.start(config, ['--until', 'caught-up', '--json', ...args], environment);
  try {
    const ended = product.ended();
    const firstMs = firstVisible === null ? null : await firstSeen(product, firstVisible, started);
    const exit = await ended;
    const seconds = (performance.now() - started) / 1000;
    if (exit !== 0) throw new Error(`Lockstep ended with ${String(exit)}:\n${await product.errors()}`);
    const after = await cpuOf(servers);
    const cpu = Object.fromEntries([...after].map(([kind, spent]) => [kind, spent - (before.get(kind) ?? 0)]));
    const usage = product.usage;
    return {
      seconds,
      firstMs,
      peakBytes: usage?.peakBytes ?? 0,
      serverPeakBytes: Object.fromEntries(memory.peaks),
      cpu: { lockstep: usage?.cpuSeconds ?? 0, ...cpu },
    };
  } finally {
    memory[Symbol.dispose]();
    await product[Symbol.asyncDispose]();
  }
}

const LOOK_EVERY_MS = 10;

async function firstSeen(
  product: Product,
  firstVisible: () => Promise<boolean>,
  started: number,
): Promise<number | null> {
  while (product.exit === null) {
    if (await firstVisible()) return performance.now() - started;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return null;
}

/** CPU seconds that each server has used since it started. */
export async function cpuOf(servers: readonly Server[]): Promise<ReadonlyMap<string, number>> {
  const spent = new Map<string, number>();
  for (const { kind, pid } of servers) if (pid !== null) spent.set(kind, await cpuOfTree(pid));
  return spent;
}

/** Throws when the target differs from the source: then the figures mean nothing. Gives the rows that were compared. */
export async function expectEqualContents(
  source: string,
  target: string,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const results = await compareAll(source, target, tables, signal);
  if (isEqual(results)) return results.reduce((sum, { rows }) => sum + rows, 0);
  const differing = results.filter((result) => !isEqual([result])).map((result) => JSON.stringify(result));
  throw new Error(`void: the target differs from the source\n${differing.join('\n')}`);
}
