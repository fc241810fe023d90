import type { Batch, Lane } from '../../../core/contracts.ts';
import type { Copier } from './copier.ts';
import type { TableCopy } from './table-copy.ts';

export interface CopyLanesOptions {
  readonly copier: Copier;
  readonly copies: ReadonlyMap<string, TableCopy>;
  readonly readers: number;
  /** True once nothing will have to be copied any more. */
  readonly done: () => boolean;
}

/** As many copy lanes as there are readers whenever there is something to copy, which a schema change can bring at any time. */
export async function* copyLanes(
  { copier, copies, readers, done }: CopyLanesOptions,
  signal: AbortSignal,
): AsyncGenerator<Lane> {
  const free = Array.from({ length: readers }, (_, index) => index);
  while (!done()) {
    // A lane that cannot begin any more is free at once.
    signal.throwIfAborted();
    const index = copies.size > 0 ? free.shift() : undefined;
    if (index === undefined) {
      await copier.moved.wait(signal);
      continue;
    }
    const lane = copier.lane(index, signal);
    const ended = (): void => {
      free.push(index);
      copier.moved.notify();
    };
    yield { ...lane, batches: thenCall(lane.batches, ended) };
  }
}

async function* thenCall(batches: AsyncIterable<Batch>, ended: () => void): AsyncGenerator<Batch> {
  try {
    yield* batches;
  } finally {
    ended();
  }
}
