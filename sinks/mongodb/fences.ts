import { type ClientSession, type Collection, type Db, ObjectId } from 'mongodb';
import type { Lane } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { Turns } from '../../core/signals.ts';
import { collectionName } from './checkpoints.ts';
import { isDuplicateKey } from './errors.ts';

interface Owner {
  readonly pipeline: string;
  readonly target: string;
}

type Of = Pick<Lane, 'name' | 'kind'>;
type SlotId = Owner & { readonly slot: string; readonly n: number };

/** `uses` changes with every transaction, so that two that write the same slot cannot both be committed. */
interface Slot {
  readonly _id: SlotId;
  readonly holder: ObjectId;
  readonly uses?: number;
}

/** All lanes of a copy, however many, share theirs. */
const copies = { name: 'copy', slots: 32 } as const;
const slotsOfStream = 4;

/**
 * Keeps what a process has left behind from being committed once another one writes (G8). Each transaction with rows writes a slot of its
 * lane's, which its process holds. Who takes the lane over makes all of them its own before it writes any row: that cannot be committed beside
 * transactions that are open, and those that are still to write their slot fail. A process has several slots, so that its own transactions do not meet in one.
 */
export class Fences {
  readonly #stored: Collection<Slot>;
  readonly #owner: Owner;
  readonly #holder = new ObjectId();
  readonly #raised = new Set<string>();
  readonly #used = new Map<string, Set<number>>();
  /** Lanes of one process do not compete for the slots of copies: whoever's turn it is takes the slots of all that wait. */
  readonly #turns = new Turns();
  readonly #waiting = new Map<string, Of>();

  constructor(metadata: Db, { pipeline, target }: Owner) {
    this.#stored = metadata.collection<Slot>(collectionName);
    this.#owner = { pipeline, target };
  }

  /** Whether this process has taken the lane's slots. */
  isRaised({ name }: Of): boolean {
    return this.#raised.has(name);
  }

  /**
   * Takes the slots of a lane that is this process's by now, in a transaction that `work` makes. Who takes a stream takes the slots of copies too: rows of a
   * chunk that came late would bring back what the stream has deleted. Errors: CHECKPOINT_MOVED; a conflict where a transaction of the predecessor is open.
   */
  async raise(lane: Of, work: (take: (session: ClientSession) => Promise<void>) => Promise<void>): Promise<void> {
    this.#waiting.set(lane.name, lane);
    await this.#turns.take(async () => {
      if (this.isRaised(lane)) return;
      const lanes = [...this.#waiting.set(lane.name, lane).values()];
      this.#waiting.clear();
      await work(async (session) => await this.#take(new Set(lanes.map(groupOf)), session));
      for (const { name } of lanes) this.#raised.add(name);
    });
  }

  async #take(groups: ReadonlySet<string>, session: ClientSession): Promise<void> {
    const update = { $setOnInsert: { holder: this.#holder } };
    const slots = [...groups].flatMap((group) => Array.from({ length: slotsOf(group) }, (_, n) => this.#id(group, n)));
    const upserts = slots.map((_id) => ({ updateOne: { filter: { _id }, update, upsert: true } }));
    const takes = [...groups, copies.name].map((group) => {
      const filter = { _id: this.#all(group), holder: { $ne: this.#holder } };
      return { updateMany: { filter, update: { $set: { holder: this.#holder } } } };
    });
    try {
      await this.#stored.bulkWrite([...upserts, ...takes], { session, ordered: true });
    } catch (error) {
      throw isDuplicateKey(error) ? this.#lost([...groups].join(', ')) : error;
    }
  }

  /** Hands `work` what each of its transactions must do before it writes rows. Errors of that: CHECKPOINT_MOVED. */
  async with(lane: Of, work: (hold: (session: ClientSession) => Promise<void>) => Promise<void>): Promise<void> {
    const group = groupOf(lane);
    const used = this.#used.get(group) ?? new Set();
    this.#used.set(group, used);
    const free = Array.from({ length: slotsOf(group) }, (_, n) => n).find((n) => !used.has(n));
    const n = free ?? 0;
    used.add(n);
    try {
      await work(async (session) => await this.#hold(this.#id(group, n), session));
    } finally {
      if (free !== undefined) used.delete(free);
    }
  }

  async #hold(_id: SlotId, session: ClientSession): Promise<void> {
    const mine = { _id, holder: this.#holder };
    const { matchedCount } = await this.#stored.updateOne(mine, { $inc: { uses: 1 } }, { session });
    if (matchedCount !== 1) throw this.#lost(_id.slot);
  }

  #lost(groups: string): LockstepError {
    const { pipeline, target } = this.#owner;
    const message = `another process has begun to write ${pipeline} in ${target} (${groups})`;
    return new LockstepError('CHECKPOINT_MOVED', message, { fix: 'run one process per pipeline and target' });
  }

  #id(slot: string, n: number): SlotId {
    return { ...this.#owner, slot, n };
  }

  /** Sub-documents compare field by field in their order. */
  #all(slot: string): { $gte: SlotId; $lte: SlotId } {
    return { $gte: this.#id(slot, 0), $lte: this.#id(slot, Number.MAX_SAFE_INTEGER) };
  }
}

function groupOf({ name, kind }: Of): string {
  return kind === 'copy' ? copies.name : `stream/${name}`;
}

function slotsOf(group: string): number {
  return group === copies.name ? copies.slots : slotsOfStream;
}
