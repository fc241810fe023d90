import type { Batch, Checkpoint } from './contracts.ts';
import { collectSoon, type Memory } from './memory.ts';
import { Bell } from './signals.ts';

/** What a lane may hold in memory beside the batch being applied. */
export interface GatherLimits {
  readonly bytes: number;
  readonly changes: number;
}

/**
 * Reads ahead while the consumer is busy and hands over everything that came meanwhile as one batch: batches grow with the
 * backlog and nobody waits for a timer. Stops reading at the limits, and while the run's memory is full (G6). Barriers, truncates and schema changes are never merged. `batches` must end when `signal`
 * aborts: a consumer that leaves early waits for the read under way.
 */
export async function* gather(
  batches: AsyncIterable<Batch>,
  limits: GatherLimits,
  memory: Memory,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const ahead = new ReadAhead(batches, limits, memory, either);
  const reading = ahead.read();
  // A source may fail while the consumer is busy: its error waits here until what came before it is consumed.
  reading.catch(() => undefined);
  try {
    for (;;) {
      const batch = ahead.take();
      if (batch !== null) yield* ahead.whileApplied(batch);
      else if (ahead.ended) break;
      else await ahead.arrived.wait(either);
    }
    await reading;
  } finally {
    stop.abort(new Error('the consumer has stopped'));
    await reading.catch(() => undefined);
    ahead.drop();
  }
}

/** Batches of a lane that is not read ahead, as the run's memory has room for them; how much the next one takes is guessed by the last one. */
export async function* counted(
  batches: AsyncIterable<Batch>,
  memory: Memory,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  let expected = 0;
  try {
    for await (const batch of batches) {
      memory.give(expected);
      expected = 0;
      yield* whileApplied(batch, memory);
      if (batch.changes.length === 0) continue;
      await memory.room(() => false, signal);
      expected = appliedBytes(batch);
      memory.take(expected);
    }
  } finally {
    memory.give(expected);
  }
}

function* whileApplied(batch: Batch, memory: Memory): Generator<Batch> {
  const bytes = appliedBytes(batch);
  memory.take(bytes);
  try {
    yield batch;
  } finally {
    memory.give(bytes);
    if (isOfLargeRows(batch)) collectSoon();
  }
}

const largeRowBytes = 256 * 1024;
const muchBytes = 4 * 1024 * 1024;

/** The memory of small rows is used again by those that come after them; that of large ones piles up until it is collected. */
function isOfLargeRows({ bytes, changes }: Batch): boolean {
  return bytes >= muchBytes && bytes >= changes.length * largeRowBytes;
}

/** What a batch takes with what a target makes of it while it is applied: PostgreSQL once as much again, MongoDB's driver three times. */
function appliedBytes({ bytes }: Batch): number {
  return 4 * bytes;
}

class ReadAhead {
  readonly arrived = new Bell();
  ended = false;
  readonly #taken = new Bell();
  #waiting: Batch[] = [];
  #bytes = 0;
  #changes = 0;
  #applying = false;
  readonly #batches: AsyncIterable<Batch>;
  readonly #limits: GatherLimits;
  readonly #memory: Memory;
  readonly #signal: AbortSignal;

  constructor(batches: AsyncIterable<Batch>, limits: GatherLimits, memory: Memory, signal: AbortSignal) {
    this.#batches = batches;
    this.#limits = limits;
    this.#memory = memory;
    this.#signal = signal;
  }

  async read(): Promise<void> {
    try {
      for await (const batch of this.#batches) {
        this.#waiting.push(batch);
        this.#bytes += batch.bytes;
        this.#changes += batch.changes.length;
        this.#memory.take(batch.bytes);
        this.arrived.notify();
        await this.#room();
      }
    } finally {
      this.ended = true;
      this.arrived.notify();
    }
  }

  async #room(): Promise<void> {
    while (this.#bytes >= this.#limits.bytes || this.#changes >= this.#limits.changes)
      await this.#taken.wait(this.#signal);
    await this.#memory.room(() => this.#applying || this.#waiting.length > 0, this.#signal);
  }

  take(): Batch | null {
    if (this.#waiting.length === 0) return null;
    const batches = this.#waiting.splice(0, mergeable(this.#waiting));
    const batch = merge(batches);
    this.#bytes -= batch.bytes;
    this.#changes -= batch.changes.length;
    this.#memory.give(batch.bytes);
    this.#taken.notify();
    return batch;
  }

  *whileApplied(batch: Batch): Generator<Batch> {
    this.#applying = true;
    yield* whileApplied(batch, this.#memory);
    this.#applying = false;
  }

  /** Gives back what nobody will take. */
  drop(): void {
    this.#memory.give(this.#bytes);
    this.#waiting = [];
  }
}

/** How many batches from the front may become one: up to one that stands alone, and up to where a large transaction begins behind whole ones. */
function mergeable(batches: readonly Batch[]): number {
  const stop = batches.findIndex((batch, i) => {
    const previous = batches[i - 1];
    if (previous === undefined) return false;
    return standsAlone(batch) || standsAlone(previous) || (batch.checkpoint === null && previous.checkpoint !== null);
  });
  return stop < 0 ? batches.length : stop;
}

/** A change of a whole table begins its batch. Not every target has it in a transaction: merged, what stands around it might be done twice (G1). */
function standsAlone({ barrier, changes: [first] }: Batch): boolean {
  return barrier !== null || first?.kind === 'truncate' || first?.kind === 'schema';
}

/** Several batches of one lane as one: parts of one transaction, or transactions with the checkpoints' entries put together. */
export function merge(batches: readonly Batch[]): Batch {
  const [first, ...rest] = batches;
  if (first !== undefined && rest.length === 0) return first;
  const changes = batches.flatMap((batch) => batch.changes);
  const set = new Map<string, string>();
  const drop: string[] = [];
  const copying = new Set<string>();
  let bytes = 0;
  for (const batch of batches) {
    bytes += batch.bytes;
    for (const origin of batch.copying) copying.add(origin);
    for (const prefix of batch.checkpoint?.drop ?? []) {
      drop.push(prefix);
      for (const name of set.keys()) if (name.startsWith(prefix)) set.delete(name);
    }
    for (const [name, token] of batch.checkpoint?.set ?? []) set.set(name, token);
  }
  const ends = batches.at(-1)?.checkpoint !== null;
  const checkpoint = ends ? { set, drop } : null;
  if (checkpoint !== null) {
    mergedFrom.set(
      checkpoint,
      batches.flatMap((batch) => batch.checkpoint ?? []),
    );
  }
  return { changes, checkpoint, bytes, copying, barrier: null };
}

const mergedFrom = new WeakMap<Checkpoint, readonly Checkpoint[]>();

/** The checkpoints that a merged one was made from, in order; one that was not merged is its own. A lane knows only its own objects. */
export function partsOf(checkpoint: Checkpoint): readonly Checkpoint[] {
  return mergedFrom.get(checkpoint) ?? [checkpoint];
}
