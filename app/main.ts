#!/usr/bin/env -S node --max-semi-space-size=16 --heap-growing-percent=100
// The flags bound the memory beside the data in flight: V8 would otherwise let garbage grow to several times the live heap before it
// looks.
// Imports nothing of its own before it knows that this Node can run it.
const NEEDED = 24;

if (Number(process.versions.node.split('.', 1)[0]) >= NEEDED) {
  const { main } = await import('./cli/program.ts');
  await main(process.argv);
} else {
  process.stderr.write(
    `lockstep needs Node.js ${NEEDED} or newer; this is ${process.version} (${process.execPath}).\n` +
      'A checkout brings its own: start it as `npx lockstep …` after `npm ci`.\n',
  );
  process.exitCode = 1;
}
