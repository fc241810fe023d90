const WINDOW_MS = 3000;

/** How fast counters grow, over the last 3 seconds. Has the lifetime of a screen. */
export class Rates {
  readonly #samples = new Map<string, { atMs: number; value: number }[]>();

  /** Takes note of a counter and gives its growth per second; 0 until there are two samples. */
  perSecond(name: string, value: number, nowMs: number): number {
    const samples = this.#samples.get(name) ?? [];
    this.#samples.set(name, samples);
    samples.push({ atMs: nowMs, value });
    while (samples.length > 2 && nowMs - (samples[1]?.atMs ?? nowMs) >= WINDOW_MS) samples.shift();
    const first = samples[0];
    if (first === undefined || nowMs === first.atMs) return 0;
    return Math.max(0, ((value - first.value) * 1000) / (nowMs - first.atMs));
  }
}
