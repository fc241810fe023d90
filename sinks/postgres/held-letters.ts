import type { DeadLetter } from '../../core/dead-letter.ts';
import { HeldDraft, HeldKeys } from '../../core/held-keys.ts';
import { Turns } from '../../core/signals.ts';
import { moveCheckpoint, type Owner, readCheckpoints, selectCheckpoints, Versions } from './checkpoints.ts';
import { isMissing } from './errors.ts';
import { LETTERS_ENTRY, lettersMoved, readHeld, selectHeld } from './letters.ts';
import type { Session } from './session.ts';
import type { Transaction } from './transaction.ts';

/** What this process knows of the letters that the target keeps. They move by compare-and-set: a person may retry or drop them meanwhile (G8). */
export class HeldLetters {
  readonly #owner: Owner;
  readonly #limit: number;
  readonly #versions = new Versions();
  /** Lanes that move the letters do it one after the other. */
  readonly #turns = new Turns();
  #held: Promise<HeldKeys> | null = null;

  constructor(owner: Owner, limit: number) {
    this.#owner = owner;
    this.#limit = limit;
  }

  /** What a new transaction starts from; reads the letters the first time. */
  async draft(session: Session, signal: AbortSignal): Promise<HeldDraft> {
    this.#held ??= this.#load(session, signal);
    return new HeldDraft(await this.#held);
  }

  /** Reads the letters again if somebody else has changed them: lanes come here from other processes, and their letters are there before them. */
  async refresh(session: Session, signal: AbortSignal): Promise<void> {
    const held = await this.#held;
    if (held === null) return;
    await this.#turns.take(async () => {
      const known = this.#versions.of(LETTERS_ENTRY);
      await this.#loadVersion(session, signal);
      if (this.#versions.of(LETTERS_ENTRY) !== known) held.renew(await this.#letters(session, signal));
    });
  }

  async #load(session: Session, signal: AbortSignal): Promise<HeldKeys> {
    await this.#loadVersion(session, signal);
    return new HeldKeys(this.#limit, await this.#letters(session, signal));
  }

  /** Before the letters: then letters that are newer fail the next move. */
  async #loadVersion(session: Session, signal: AbortSignal): Promise<void> {
    const startedAt = this.#versions.now();
    const [entry] = await session.query(selectCheckpoints(this.#owner, LETTERS_ENTRY), signal);
    this.#versions.loaded(LETTERS_ENTRY, readCheckpoints(entry).versions, startedAt);
  }

  /** None before a `prepare` has made their table. */
  async #letters(session: Session, signal: AbortSignal): Promise<Pick<DeadLetter, 'origin' | 'keys'>[]> {
    try {
      return readHeld((await session.query(selectHeld(this.#owner), signal))[0]);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Commits a transaction that changes the letters. Errors: CHECKPOINT_MOVED where somebody else has. */
  async move(transaction: Transaction, commit: () => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.#turns.take(async () => {
      for (const statement of moveCheckpoint(this.#owner, lettersMoved, this.#versions))
        await transaction.add(statement, signal);
      await commit();
      this.#versions.moved(lettersMoved);
      transaction.letters.done();
    });
  }
}
