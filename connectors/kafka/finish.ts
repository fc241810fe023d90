import { partitionName, type PartitionName } from './partition-name.ts';

/** What `Finish` sees of a lane. */
export interface FinishingLane {
  readonly topic: string;
  readonly partition: number;
  readonly doneTo: number;
  wake(): void;
}

/**
 * With `caught-up`: knows where every partition ended when reading began, and when all of them are done. Lanes end together, not one by
 * one: a lane at its end goes on while another, still on its way, waits for it at a barrier.
 */
export class Finish {
  readonly #ends: ReadonlyMap<PartitionName, number>;
  readonly #open: Set<PartitionName>;
  readonly #lanes = new Set<FinishingLane>();
  readonly #needed = new Set<string>();
  readonly #done = Promise.withResolvers<void>();

  constructor(ends: ReadonlyMap<PartitionName, number>) {
    this.#ends = ends;
    this.#open = new Set([...ends].filter(([, end]) => end > 0).map(([name]) => name));
    this.#look();
  }

  /** The partitions that are not done yet. */
  get open(): readonly PartitionName[] {
    return [...this.#open];
  }

  /** The offset at which a lane has done what it must. */
  endOf(lane: FinishingLane): number {
    return this.#ends.get(partitionName(lane.topic, lane.partition)) ?? 0;
  }

  /** Whether all partitions are done, in this process or in another. */
  get everybody(): boolean {
    return this.#open.size === 0;
  }

  /** Resolves when all partitions are done. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  join(lane: FinishingLane): void {
    this.#lanes.add(lane);
    this.settled(lane);
  }

  /** A lane has made everything durable that it handed out. */
  settled(lane: FinishingLane): void {
    this.reached(partitionName(lane.topic, lane.partition), lane.doneTo);
  }

  /** Somebody, perhaps another process, has done a partition up to `offset`. */
  reached(name: PartitionName, offset: number): void {
    if (offset >= (this.#ends.get(name) ?? 0) && this.#open.delete(name)) this.#look();
  }

  /** A lane stands before a barrier that ends at `nextOffset`. */
  meets(lane: FinishingLane, id: string, nextOffset: number): void {
    if (nextOffset > this.endOf(lane) || this.#needed.has(id)) return;
    this.#needed.add(id);
    this.#wakeAll();
  }

  /** Whether a lane needs this barrier to come to its end. */
  needs(id: string): boolean {
    return this.#needed.has(id);
  }

  #look(): void {
    if (!this.everybody) return;
    this.#done.resolve();
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const lane of this.#lanes) lane.wake();
  }
}
