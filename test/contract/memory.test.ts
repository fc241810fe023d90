import type { TargetHarness } from './harness.ts';
import { MemoryServer, MemoryTarget } from '../support/memory-target.ts';
import { registerTargetTests } from './target.ts';

function memoryHarness(name: string, partsAtOnce: boolean): TargetHarness {
  let server = new MemoryServer();
  return {
    name,
    hidesParts: !partsAtOnce,
    atomic: true,
    start() {
      server = new MemoryServer();
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
    open: (pipeline) => Promise.resolve(new MemoryTarget({ server, pipeline, partsAtOnce })),
    rows: (table) => Promise.resolve(server.rows(table)),
    expected: (_, row) => row,
  };
}

registerTargetTests(memoryHarness('the memory target of our tests', false));
registerTargetTests(memoryHarness('the memory target that shows parts at once', true));
