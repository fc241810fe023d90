import { parseOptions, USAGE, type Bench, type BenchOptions } from './options.ts';
import type { Stage } from './stage.ts';

const BENCH: Readonly<Record<Bench, () => Promise<(stage: Stage) => Promise<void>>>> = {
  snapshot: async () => (await import('./snapshot.ts')).benchSnapshot,
  drain: async () => (await import('./drain.ts')).benchDrain,
  latency: async () => (await import('./latency/bench.ts')).benchLatency,
  footprint: async () => (await import('./footprint/bench.ts')).benchFootprint,
  soak: async () => (await import('./soak/bench.ts')).benchSoak,
  publish: async () => (await import('./publish.ts')).benchPublish,
};

async function main(): Promise<number> {
  let options: BenchOptions | null;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  const { Report } = await import('./report.ts');
  const { onStage } = await import('./stage.ts');
  const report = new Report(options.json);
  try {
    await onStage(options, report, stop.signal, await BENCH[options.bench]());
    report.close();
    return 0;
  } catch (error) {
    report.close();
    console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

process.exitCode = await main();
