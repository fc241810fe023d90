#!/usr/bin/env -S MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576 node --max-semi-space-size=8 --heap-growing-percent=100 --expose-gc
// The flags bound the memory beside the data in flight: V8 would otherwise let garbage grow to several times the live heap before it
// looks. The variables are glibc's: fewer arenas keep less that is free, and a buffer of 1 MiB or more is the system's own again as soon as it is freed,
// where glibc would by and by keep buffers of up to 32 MiB.
// Imports nothing of its own before it knows that this Node can run it. JavaScript, for Node would load its TypeScript parser for this file alone, at a
// fifth of the time to start: what is imported below comes compiled from the second start on.
const NEEDED = 24;

if (Number(process.versions.node.split('.', 1)[0]) >= NEEDED) {
  await keepCompiledCode();
  const { main } = await import('./cli/program.ts');
  await main(process.argv);
} else {
  process.stderr.write(
    `lockstep needs Node.js ${NEEDED} or newer; this is ${process.version} (${process.execPath}).\n` +
      'A checkout brings its own: start it as `npx lockstep …` after `npm ci`.\n',
  );
  process.exitCode = 1;
}

/**
 * From the second start on Node takes what it compiled from a directory of the user's own (nobody else must be able to put code there), which
 * halves the time to start. Where there is no such directory it compiles again.
 */
async function keepCompiledCode() {
  const [{ enableCompileCache }, { homedir }] = await Promise.all([import('node:module'), import('node:os')]);
  enableCompileCache(`${process.env.XDG_CACHE_HOME ?? `${homedir()}/.cache`}/lockstep/compiled`);
}
