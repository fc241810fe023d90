import { type AnyBulkWriteOperation, type ClientSession, type Collection, type Db, ObjectId } from 'mongodb';
import type { Checkpoint } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { isDuplicateKey } from './errors.ts';

/** An entry is named by `name`, the holder of a lane by `lane`. */
type Id = { pipeline: string; target: string; name: string } | { pipeline: string; target: string; lane: string };

/** `version` is new with each write, so that an entry that was dropped and made again is never taken for the old one. */
interface Stored {
  readonly _id: Id;
  readonly version: ObjectId;
  readonly token?: string;
  /** For an entry: the lane that wrote it. */
  readonly by?: string;
  /** For a lane: the last schema change or truncate that it has applied beyond its checkpoint, see `batch-writer.ts`. */
  readonly step?: string;
}

export const collectionName = 'checkpoints';

interface Lane {
  readonly version: ObjectId;
  readonly step: string | null;
  /** Whether this process has written it since it read it. */
  readonly held: boolean;
  /** When this process learnt it, in steps of `#clock`. */
  readonly since: number;
}

interface Entry {
  readonly version: ObjectId;
  readonly by: string;
  readonly since: number;
}

/** A checkpoint's move, made once and written as often as its transaction is run. */
export interface Move {
  readonly lane: string;
  readonly version: ObjectId;
  readonly step: string | null;
  readonly checkpoint: Checkpoint;
}

/**
 * The entries of one pipeline and target, and who writes them (G8). Each entry moves by compare-and-set of its version. Each lane has a
 * document of its own whose version changes with every checkpoint: a process takes the lane with its first write, which fails where another
 * process has moved the lane since this one read its entries, and from then on the predecessor's writes fail.
 */
export class Checkpoints {
  readonly #stored: Collection<Stored>;
  readonly #pipeline: string;
  readonly #target: string;
  readonly #lanes = new Map<string, Lane>();
  readonly #known = new Map<string, Entry>();
  #clock = 0;
  #loaded = false;

  constructor(metadata: Db, pipeline: string, target: string) {
    this.#stored = metadata.collection<Stored>(collectionName);
    this.#pipeline = pipeline;
    this.#target = target;
  }

  async load(prefix: string): Promise<ReadonlyMap<string, string>> {
    const since = this.#clock;
    // The lanes first: a lane that moves between the two reads then looks as if it had moved after both.
    const lanes = await this.#stored.find(this.#range('lane', '')).toArray();
    const entries = await this.#stored.find(this.#range('name', prefix)).toArray();
    const wrote = new Set(entries.map(({ by }) => by));
    for (const lane of lanes) {
      if (!('lane' in lane._id)) continue;
      const name = lane._id.lane;
      if (!this.#loaded || (wrote.has(name) && this.#covers(prefix, name))) this.#adoptLane(name, lane, since);
    }
    this.#loaded = true;
    return this.#adopt(prefix, entries, since);
  }

  /**
   * A lane counts as it was when its entries were read: to take a newer version of it along with other entries (the notes of a barrier)
   * would let a process that was overtaken go on from the old ones.
   */
  #adoptLane(name: string, { version, step }: Stored, since: number): void {
    const known = this.#lanes.get(name);
    if (known !== undefined && (known.since > since || known.version.equals(version))) return;
    this.#lanes.set(name, { version, step: step ?? null, held: false, since });
  }

  /** Whether all that this process knows of the lane has just been read anew. */
  #covers(prefix: string, lane: string): boolean {
    for (const [name, { by }] of this.#known) if (by === lane && !name.startsWith(prefix)) return false;
    return true;
  }

  /** What this process wrote while it was reading is newer than what it read, and stays. */
  #adopt(prefix: string, entries: readonly Stored[], since: number): ReadonlyMap<string, string> {
    for (const [name, known] of this.#known) {
      if (name.startsWith(prefix) && known.since <= since) this.#known.delete(name);
    }
    const tokens = new Map<string, string>();
    for (const { _id, version, token, by } of entries) {
      if (!('name' in _id)) continue;
      tokens.set(_id.name, token ?? '');
      if (!this.#known.has(_id.name)) this.#known.set(_id.name, { version, by: by ?? '', since });
    }
    return tokens;
  }

  /** The last step that the lane has applied beyond its checkpoint, null where there is none. */
  step(lane: string): string | null {
    return this.#lanes.get(lane)?.step ?? null;
  }

  isHeld(lane: string): boolean {
    return this.#lanes.get(lane)?.held === true;
  }

  /** The lane's next version with nothing else moved. */
  hold(lane: string, step = this.step(lane)): Move {
    return { ...this.move(lane, { set: new Map(), drop: [] }), step };
  }

  /** Takes the lane, or proves that it is still ours. Errors: CHECKPOINT_MOVED. */
  async claim(lane: string, step = this.step(lane)): Promise<void> {
    const move = this.hold(lane, step);
    await this.write(move, null);
    this.moved(move);
  }

  /**
   * Reads, as the first thing in a transaction, that the lane is held by this process. A process that lost it either sees that here, or
   * began before it was lost: then the successor has yet to write the same rows, for it starts from the same checkpoint, and the one
   * of the two transactions that writes a row second fails or overwrites. Errors: CHECKPOINT_MOVED.
   */
  async verify(lane: string, session: ClientSession): Promise<void> {
    const known = this.#lanes.get(lane);
    const filter = known === undefined ? null : { _id: this.#id('lane', lane), version: known.version };
    if (filter === null || (await this.#stored.findOne(filter, { session })) === null) throw this.#lost(lane);
  }

  move(lane: string, checkpoint: Checkpoint): Move {
    return { lane, version: new ObjectId(), step: null, checkpoint };
  }

  /** Writes a move, all of it or (without a session) perhaps a part. Errors: CHECKPOINT_MOVED. */
  async write(move: Move, session: ClientSession | null): Promise<void> {
    const operations = [this.#laneOperation(move), ...this.#entryOperations(move)];
    const updates = operations.filter((operation) => 'updateOne' in operation).length;
    try {
      const options = session === null ? {} : { session };
      const result = await this.#stored.bulkWrite(operations, { ...options, ordered: true });
      if (result.matchedCount + result.upsertedCount !== updates) throw this.#lost(move.lane);
    } catch (error) {
      throw isDuplicateKey(error) ? this.#lost(move.lane) : error;
    }
  }

  /** Takes note of a move that is durable. */
  moved({ lane, version, step, checkpoint }: Move): void {
    this.#clock += 1;
    this.#lanes.set(lane, { version, step, held: true, since: this.#clock });
    for (const prefix of checkpoint.drop) {
      for (const name of this.#known.keys()) if (name.startsWith(prefix)) this.#known.delete(name);
    }
    for (const name of checkpoint.set.keys()) this.#known.set(name, { version, by: lane, since: this.#clock });
  }

  #laneOperation({ lane, version, step }: Move): AnyBulkWriteOperation<Stored> {
    const _id = this.#id('lane', lane);
    const known = this.#lanes.get(lane)?.version;
    if (known === undefined)
      return { insertOne: { document: step === null ? { _id, version } : { _id, version, step } } };
    const update = step === null ? { $set: { version }, $unset: { step: 1 } as const } : { $set: { version, step } };
    return { updateOne: { filter: { _id, version: known }, update } };
  }

  /** Updates first, so that they and the lane's are one command; entries that are set and dropped are set in one step, by compare-and-set too. */
  #entryOperations({ lane, version, checkpoint: { set, drop } }: Move): AnyBulkWriteOperation<Stored>[] {
    const updates: AnyBulkWriteOperation<Stored>[] = [];
    const inserts: AnyBulkWriteOperation<Stored>[] = [];
    for (const [name, token] of set) {
      const _id = this.#id('name', name);
      const known = this.#known.get(name)?.version;
      const document = { version, token, by: lane };
      if (known !== undefined)
        updates.push({ updateOne: { filter: { _id, version: known }, update: { $set: document } } });
      else if (drop.some((prefix) => name.startsWith(prefix)))
        updates.push({ updateOne: { filter: { _id }, update: { $set: document }, upsert: true } });
      else inserts.push({ insertOne: { document: { _id, ...document } } });
    }
    const kept = [...set.keys()].map((name) => this.#id('name', name));
    const deletes = drop.map((prefix): AnyBulkWriteOperation<Stored> => {
      const range = this.#range('name', prefix);
      return { deleteMany: { filter: { $and: [range, { _id: { $nin: kept } }] } } };
    });
    return [...updates, ...inserts, ...deletes];
  }

  #id(kind: 'name' | 'lane', value: string): Id {
    const owner = { pipeline: this.#pipeline, target: this.#target };
    return kind === 'name' ? { ...owner, name: value } : { ...owner, lane: value };
  }

  /** Sub-documents compare field by field in their order, texts byte by byte: one range of the index on `_id`. */
  #range(kind: 'name' | 'lane', prefix: string): { _id: { $gte: Id; $lt: Id } } {
    return { _id: { $gte: this.#id(kind, prefix), $lt: this.#id(kind, `${prefix}\u{10ffff}`) } };
  }

  #lost(lane: string): LockstepError {
    const message = `another process moved the checkpoint of ${this.#pipeline} in ${this.#target} (lane ${lane})`;
    return new LockstepError('CHECKPOINT_MOVED', message, { fix: 'run one process per pipeline and target' });
  }
}
