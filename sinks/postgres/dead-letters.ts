import {
  batchOf,
  chosenChains,
  inOrder,
  retryChains,
  type DeadLetter,
  type DeadLetters,
  type LetterFilter,
  type Retried,
} from '../../core/dead-letter.ts';
import { HeldDraft, HeldKeys } from '../../core/held-keys.ts';
import type { TargetOptions } from '../../core/plugin.ts';
import { type Work, applyFolded, applyOrdered } from './apply.ts';
import { readFacts, selectFacts } from './catalog.ts';
import { moveCheckpoint, type Owner, readCheckpoints, selectCheckpoints, Versions } from './checkpoints.ts';
import { checkpointMoved, isMissing } from './errors.ts';
import { isOfRow } from './isolate.ts';
import { deleteLetters, LETTERS_ENTRY, lettersMoved, readLetters, selectLetters } from './letters.ts';
import { MakingNow } from './making-now.ts';
import { Session } from './session.ts';
import { Tables } from './tables.ts';
import { ownerOf, sessionOptions } from './target.ts';
import { Transaction } from './transaction.ts';

/** Opens the dead letters of a target. Errors: as of the target. */
export async function openDeadLetters(options: TargetOptions): Promise<DeadLetters> {
  const session = await Session.open(sessionOptions(options), AbortSignal.timeout(20_000));
  return new PostgresDeadLetters(session, options);
}

/**
 * The letters as a person handles them, beside a pipeline that may be running. Every change of them moves their entry, so that a pipeline that knows
 * older ones fails with CHECKPOINT_MOVED at its next letter and reads them anew; until then it leaves these keys alone.
 */
class PostgresDeadLetters implements DeadLetters {
  readonly #session: Session;
  readonly #owner: Owner;
  readonly #policiesOf: TargetOptions['values'];

  constructor(session: Session, options: TargetOptions) {
    this.#session = session;
    this.#owner = ownerOf(options);
    this.#policiesOf = options.values;
  }

  async list(filter: LetterFilter, signal: AbortSignal): Promise<readonly DeadLetter[]> {
    return inOrder(chosenChains(await this.#letters(signal), filter).flat());
  }

  async retry(filter: LetterFilter, signal: AbortSignal): Promise<readonly Retried[]> {
    const chains = chosenChains(await this.#letters(signal), filter);
    return await retryChains(chains, async (letters) => await this.#retry(letters, signal));
  }

  /** In one transaction, folded to what they come to: a later change may have mended what an earlier one was refused for. */
  async #retry(letters: readonly DeadLetter[], signal: AbortSignal): Promise<Retried['refused']> {
    const ways = [applyFolded, applyOrdered];
    for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
      try {
        await this.#moving(letters, signal, way);
        return null;
      } catch (error) {
        if (!isOfRow(error)) throw error;
        if (ways.length === 0) return { code: error.code, reason: error.message };
      }
    }
    return null;
  }

  async drop(filter: LetterFilter, signal: AbortSignal): Promise<number> {
    const letters = chosenChains(await this.#letters(signal), filter).flat();
    if (letters.length > 0) await this.#moving(letters, signal, null);
    return letters.length;
  }

  /** Takes the letters out, in one transaction with what `way` makes of their changes. */
  async #moving(
    letters: readonly DeadLetter[],
    signal: AbortSignal,
    way: ((work: Work) => Promise<void>) | null,
  ): Promise<void> {
    const transaction = new Transaction(this.#session, new HeldDraft(new HeldKeys(0, [])));
    transaction.begin();
    try {
      const versions = new Versions();
      const entry = await transaction.query(`${selectCheckpoints(this.#owner, LETTERS_ENTRY)} FOR UPDATE`, signal);
      versions.loaded(LETTERS_ENTRY, readCheckpoints(entry).versions, versions.now());
      const gone = await transaction.query(deleteLetters(this.#owner, letters), signal);
      if (gone?.count !== letters.length) throw checkpointMoved(null, ': the dead letters changed meanwhile');
      if (way !== null) await way(await this.#work(transaction, letters, signal));
      for (const statement of moveCheckpoint(this.#owner, lettersMoved, versions))
        await transaction.add(statement, signal);
      await transaction.commit(signal);
    } catch (error) {
      if (!this.#session.lost) await this.#session.query('ROLLBACK', signal);
      this.#session.stages.clear();
      throw error;
    }
  }

  async #work(transaction: Transaction, letters: readonly DeadLetter[], signal: AbortSignal): Promise<Work> {
    const facts = readFacts(await transaction.query(selectFacts, signal));
    return {
      transaction,
      tables: new Tables(this.#policiesOf),
      owner: this.#owner,
      facts,
      making: new MakingNow().bars(),
      lockCreation: '',
      batch: batchOf(letters),
      signal,
    };
  }

  /** None where no run has made their table yet. */
  async #letters(signal: AbortSignal): Promise<DeadLetter[]> {
    try {
      return readLetters((await this.#session.query(selectLetters(this.#owner), signal))[0]);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#session.end();
  }
}
