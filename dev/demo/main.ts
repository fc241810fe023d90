import { parseOptions, USAGE } from './options.ts';
import type { DemoOptions } from './options.ts';

const EXIT = { equal: 0, failed: 1, usage: 2, different: 3 } as const;

async function main(): Promise<number> {
  let options: DemoOptions | null;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (options === null) {
    console.log(USAGE);
    return EXIT.equal;
  }
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  const { runDemo } = await import('./run.ts');
  try {
    const { equal } = await runDemo(options, stop.signal);
    return equal ? EXIT.equal : EXIT.different;
  } catch (error) {
    console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    return EXIT.failed;
  }
}

process.exitCode = await main();
