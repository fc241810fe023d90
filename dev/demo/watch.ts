import { fetchStatus, type Product, type RunStatus } from '../product.ts';
import type { RunScene, Scene } from './frame.ts';
import { pause, type Show } from './screen.ts';
import type { Writer } from './writer-process.ts';

const LOOK_EVERY_MS = 100;
const RATE_OVER_MS = 2000;

/** What the live view needs that does not change while it is shown. */
export interface Stage {
  readonly title: string;
  readonly startedAtMs: number;
  readonly rows: ReadonlyMap<string, number>;
  readonly writer: Writer;
  readonly product: Product;
  readonly listen: string;
  readonly show: Show;
  readonly signal: AbortSignal;
}

/** Looks at the pipeline until something holds of it, and shows what it sees. Throws when the writer or Lockstep end meanwhile. */
export class Watch {
  readonly #stage: Stage;
  #samples: { readonly atMs: number; readonly runs: ReadonlyMap<string, RunStatus> }[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  async until(
    now: () => string,
    holds: (runs: ReadonlyMap<string, RunStatus>) => boolean | Promise<boolean>,
  ): Promise<void> {
    const { product, writer, listen, show, signal } = this.#stage;
    for (;;) {
      await product.expectRunning();
      writer.check();
      const runs = await fetchStatus(listen);
      this.#take(runs);
      show.draw(this.#scene(now()));
      if (await holds(runs)) return;
      await pause(LOOK_EVERY_MS, signal);
    }
  }

  #take(runs: ReadonlyMap<string, RunStatus>): void {
    const atMs = performance.now();
    this.#samples = this.#samples.filter((sample) => atMs - sample.atMs < RATE_OVER_MS);
    if (runs.size > 0) this.#samples.push({ atMs, runs });
  }

  #scene(now: string): Scene {
    const { title, startedAtMs, rows, writer } = this.#stage;
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    const runs: RunScene[] = [...(last?.runs ?? [])].map(([name, status]) => {
      const applied = status.applied - (first?.runs.get(name)?.applied ?? 0);
      const seconds = Math.max(1, (last?.atMs ?? 0) - (first?.atMs ?? 0)) / 1000;
      return { name, status, perSecond: applied / seconds };
    });
    return {
      title,
      elapsedMs: performance.now() - startedAtMs,
      writer: writer.stopped ? null : writer.report,
      runs,
      rows,
      now,
    };
  }
}
