import type { ClientSession } from 'mongodb';
import { HeldDraft, HeldKeys } from '../../core/held-keys.ts';
import { Turns } from '../../core/signals.ts';
import type { StoredLetters } from './letters.ts';

type Head = Awaited<ReturnType<StoredLetters['head']>>;

/** What this process knows of the letters that the target keeps. */
export class HeldLetters {
  readonly #stored: StoredLetters;
  readonly #limit: number;
  /** Lanes that move the letters do it one after the other. */
  readonly #turns = new Turns();
  #loaded: Promise<{ readonly held: HeldKeys; head: Head }> | null = null;

  constructor(stored: StoredLetters, limit: number) {
    this.#stored = stored;
    this.#limit = limit;
  }

  /** What a batch starts from; reads the letters the first time. */
  async draft(): Promise<HeldDraft> {
    return new HeldDraft((await this.#load()).held);
  }

  async #load() {
    this.#loaded ??= (async () => {
      const head = await this.#stored.head();
      return { head, held: new HeldKeys(this.#limit, await this.#stored.held()) };
    })();
    return await this.#loaded;
  }

  /** Reads the letters again if somebody else has changed them: lanes come here from other processes, and their letters are there before them. */
  async refresh(): Promise<void> {
    const loaded = await this.#loaded;
    if (loaded === null) return;
    await this.#turns.take(async () => {
      const head = await this.#stored.head();
      if (isSame(head, loaded.head)) return;
      loaded.head = head;
      loaded.held.renew(await this.#stored.held());
    });
  }

  /** Writes what a batch does to the letters; `commit` calls `write` inside of its transaction, as often as that is run. */
  async move(
    draft: HeldDraft,
    commit: (write: (session: ClientSession | null) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    if (!draft.touched) return await commit(async () => await Promise.resolve());
    const loaded = await this.#load();
    await this.#turns.take(async () => {
      const steps = draft.takeSteps();
      let { head } = loaded;
      await commit(async (session) => {
        head = await this.#stored.write(steps, loaded.head, session);
      });
      loaded.head = head;
      draft.done();
    });
  }
}

function isSame(a: Head, b: Head): boolean {
  return a.version === null || b.version === null ? a.version === b.version : a.version.equals(b.version);
}
