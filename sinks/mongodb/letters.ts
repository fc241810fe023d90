import { Binary, type ClientSession, type Collection, type Db, ObjectId } from 'mongodb';
import type { DeadLetter, NewDeadLetter } from '../../core/dead-letter.ts';
import { LockstepError } from '../../core/errors.ts';
import type { LetterStep } from '../../core/held-keys.ts';
import { readChange, writeChange } from '../../core/stored-change.ts';
import { isDuplicateKey } from './errors.ts';

interface Owner {
  readonly pipeline: string;
  readonly target: string;
}

type LetterId = Owner & { readonly n: number };

/** A letter; of a large change the text stands in pieces beside it. */
interface StoredLetter {
  readonly _id: LetterId;
  readonly origin: string;
  readonly keys: readonly string[];
  readonly state: DeadLetter['state'];
  readonly code: string;
  readonly reason: string;
  readonly kind: string;
  readonly log: { readonly file: string; readonly offset: number; readonly gtid: string | null };
  readonly change: string | null;
  readonly outdated: boolean;
  readonly setAsideAt: Date;
}

interface StoredPiece {
  readonly _id: LetterId & { readonly piece: number };
  readonly bytes: Binary;
}

/** What every change of the letters moves by compare-and-set (G8). `next` numbers the letters. */
interface Head {
  readonly version: ObjectId | null;
  readonly next: number;
}
type StoredHead = Head & { readonly _id: Owner };

export const letterCollections = ['dead_letters', 'dead_letter_pieces', 'dead_letter_heads'] as const;

/** Well below what a document holds, its text being UTF-8 and the rest small. */
const PIECE_BYTES = 8 << 20;

/** The letters of one pipeline and target as MongoDB holds them. */
export class StoredLetters {
  readonly #letters: Collection<StoredLetter>;
  readonly #pieces: Collection<StoredPiece>;
  readonly #heads: Collection<StoredHead>;
  readonly #owner: Owner;

  constructor(metadata: Db, { pipeline, target }: Owner) {
    const [letters, pieces, heads] = letterCollections;
    this.#letters = metadata.collection<StoredLetter>(letters);
    this.#pieces = metadata.collection<StoredPiece>(pieces);
    this.#heads = metadata.collection<StoredHead>(heads);
    this.#owner = { pipeline, target };
  }

  /** Read before the letters: then letters that are newer than the head fail the next move. */
  async head(session: ClientSession | null = null): Promise<Head> {
    const found = await this.#heads.findOne({ _id: this.#owner }, within(session));
    return { version: found?.version ?? null, next: found?.next ?? 0 };
  }

  async held(): Promise<Pick<DeadLetter, 'origin' | 'keys'>[]> {
    return await this.#letters.find(this.#mine(), { projection: { origin: 1, keys: 1 } }).toArray();
  }

  /** In order. */
  async list(): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    for await (const stored of this.#letters.find(this.#mine()).sort({ '_id.n': 1 }))
      letters.push(await this.#letter(stored));
    return letters;
  }

  async #letter({
    _id,
    origin,
    keys,
    state,
    code,
    reason,
    change,
    outdated,
    setAsideAt,
  }: StoredLetter): Promise<DeadLetter> {
    const text = change ?? (await this.#text(_id));
    const times = { setAsideAtMs: setAsideAt.getTime() };
    return { id: String(_id.n), origin, keys, state, code, reason, change: readChange(text), outdated, ...times };
  }

  async #text(letter: LetterId): Promise<string> {
    const pieces = await this.#pieces
      .find(ofLetters([letter]))
      .sort({ '_id.piece': 1 })
      .toArray();
    return Buffer.concat(pieces.map(({ bytes }) => bytes.buffer)).toString();
  }

  /** Does what a batch does to the letters; gives the head after it. Errors: CHECKPOINT_MOVED where somebody else was there. */
  async write(steps: readonly LetterStep[], head: Head, session: ClientSession | null): Promise<Head> {
    const added = steps.filter(({ kind }) => kind === 'add').length;
    const moved = await this.#move(head, added, session);
    let { next } = head;
    for (const step of steps) {
      if (step.kind === 'clear') await this.#delete({ ...this.#mine(), origin: step.origin }, session);
      else if (step.kind === 'add') await this.#add(step.letter, (next += 1), session);
      else if (step.kind === 'rename') await this.#set(step.from, { origin: step.to }, session);
      else await this.#set(step.origin, { outdated: true }, session);
    }
    return moved;
  }

  /** Takes letters out. Errors: CHECKPOINT_MOVED where somebody else was there. */
  async remove(letters: readonly DeadLetter[], head: Head, session: ClientSession | null): Promise<void> {
    await this.#move(head, 0, session);
    const ids = letters.map(({ id }) => this.#id(Number(id)));
    const gone = await this.#delete({ _id: { $in: ids } }, session);
    if (gone !== ids.length) throw movedMeanwhile(this.#owner);
  }

  async #set(origin: string, values: Partial<StoredLetter>, session: ClientSession | null): Promise<void> {
    await this.#letters.updateMany({ ...this.#mine(), origin }, { $set: values }, within(session));
  }

  async #move({ version, next }: Head, added: number, session: ClientSession | null): Promise<Head> {
    const moved = { version: new ObjectId(), next: next + added };
    try {
      const head = { _id: this.#owner };
      if (version === null) await this.#heads.insertOne({ ...head, ...moved }, within(session));
      else {
        const outcome = await this.#heads.updateOne({ ...head, version }, { $set: moved }, within(session));
        if (outcome.matchedCount !== 1) throw movedMeanwhile(this.#owner);
      }
      return moved;
    } catch (error) {
      throw isDuplicateKey(error) ? movedMeanwhile(this.#owner) : error;
    }
  }

  async #add(letter: NewDeadLetter, n: number, session: ClientSession | null): Promise<void> {
    const { origin, keys, state, code, reason, change } = letter;
    const { file, offset, gtid } = change.at;
    const bytes = Buffer.from(writeChange(change));
    const text = bytes.length <= PIECE_BYTES ? bytes.toString() : null;
    const _id = this.#id(n);
    const words = { origin, keys, state, code, reason, kind: change.kind, log: { file, offset, gtid } };
    const stored = { _id, ...words, change: text, outdated: false, setAsideAt: new Date() };
    if (text === null) await this.#addPieces(_id, bytes, session);
    // Outside of a transaction an attempt that failed may have left the letter with this number.
    await this.#letters.replaceOne({ _id }, stored, { ...within(session), upsert: true });
  }

  async #addPieces(letter: LetterId, bytes: Buffer, session: ClientSession | null): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const _id = { ...letter, piece: at / PIECE_BYTES };
      const piece = { _id, bytes: new Binary(bytes.subarray(at, at + PIECE_BYTES)) };
      await this.#pieces.replaceOne({ _id }, piece, { ...within(session), upsert: true });
    }
  }

  async #delete(filter: object, session: ClientSession | null): Promise<number> {
    const found = await this.#letters.find(filter, { ...within(session), projection: { _id: 1, change: 1 } }).toArray();
    const large = found.filter(({ change }) => change === null).map(({ _id }) => _id);
    if (large.length > 0) await this.#pieces.deleteMany(ofLetters(large), within(session));
    return (await this.#letters.deleteMany(filter, within(session))).deletedCount;
  }

  #mine(): object {
    return { '_id.pipeline': this.#owner.pipeline, '_id.target': this.#owner.target };
  }

  #id(n: number): LetterId {
    return { ...this.#owner, n };
  }
}

function ofLetters(letters: readonly LetterId[]): object {
  const ids = letters.map(({ n }) => n);
  const [first] = letters;
  return { '_id.pipeline': first?.pipeline, '_id.target': first?.target, '_id.n': { $in: ids } };
}

function within(session: ClientSession | null): { readonly session?: ClientSession } {
  return session === null ? {} : { session };
}

function movedMeanwhile({ pipeline, target }: Owner): LockstepError {
  const message = `somebody else changed the dead letters of ${pipeline} in ${target}; nothing was done`;
  return new LockstepError('CHECKPOINT_MOVED', message, { fix: 'run one process per pipeline and target' });
}
