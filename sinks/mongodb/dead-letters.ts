import type { ClientSession } from 'mongodb';
import { Counts } from '../../core/counts.ts';
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
import { toLockstepError } from '../../core/errors.ts';
import type { TargetOptions } from '../../core/plugin.ts';
import type { TableSchema } from '../../core/table.ts';
import { connect, type Connection } from './connect.ts';
import { type Destination, destinations } from './destination.ts';
import { targetError } from './errors.ts';
import { stepsOf } from './fold.ts';
import { StoredLetters } from './letters.ts';
import { RowsRefused } from './refused.ts';
import { inTransaction } from './transaction.ts';
import { writeInside, writeOutside } from './writes.ts';

/** Opens the dead letters of a target. Errors: as of connecting. */
export async function openDeadLetters(options: TargetOptions): Promise<DeadLetters> {
  return new MongoDeadLetters(await connect(options), options);
}

/**
 * The letters as a person handles them, beside a pipeline that may be running: that one fails with CHECKPOINT_MOVED at its next letter, reads them
 * anew, and leaves their keys alone until then.
 */
class MongoDeadLetters implements DeadLetters {
  readonly #connection: Connection;
  readonly #stored: StoredLetters;
  readonly #destination: (table: TableSchema) => Destination;

  constructor(connection: Connection, options: TargetOptions) {
    this.#connection = connection;
    this.#stored = new StoredLetters(connection.metadata, options);
    this.#destination = destinations(connection, options.values);
  }

  list(filter: LetterFilter): Promise<readonly DeadLetter[]> {
    return this.#run(async () => inOrder((await this.#chains(filter)).flat()));
  }

  retry(filter: LetterFilter, signal: AbortSignal): Promise<readonly Retried[]> {
    return this.#run(async () => {
      const chains = await this.#chains(filter);
      return await retryChains(chains, async (letters) => await this.#retry(letters, signal));
    });
  }

  /** Folded to what they come to: a later change may have mended what an earlier one was refused for. */
  async #retry(letters: readonly DeadLetter[], signal: AbortSignal): Promise<Retried['refused']> {
    try {
      await this.#taking(letters, signal, async (session) => await this.#write(letters, session));
      return null;
    } catch (error) {
      if (!(error instanceof RowsRefused)) throw error;
      const { code, message } = toLockstepError(this.#translated(error.cause));
      return { code, reason: message };
    }
  }

  async #write(letters: readonly DeadLetter[], session: ClientSession | null): Promise<void> {
    for (const step of stepsOf(batchOf(letters), this.#destination)) {
      if (step.kind !== 'rows') continue;
      if (session === null) await writeOutside(step.segment, new Counts());
      else await writeInside(session, step.segment, 'any', new Counts());
    }
  }

  drop(filter: LetterFilter, signal: AbortSignal): Promise<number> {
    return this.#run(async () => {
      const letters = (await this.#chains(filter)).flat();
      if (letters.length > 0) await this.#taking(letters, signal, async () => await Promise.resolve());
      return letters.length;
    });
  }

  /** Takes the letters out, in one transaction with `work` where the server has them, else after it. */
  async #taking(
    letters: readonly DeadLetter[],
    signal: AbortSignal,
    work: (session: ClientSession | null) => Promise<void>,
  ): Promise<void> {
    const take = async (session: ClientSession | null): Promise<void> => {
      const head = await this.#stored.head(session);
      await work(session);
      await this.#stored.remove(letters, head, session);
    };
    if (this.#connection.transactions) await inTransaction(this.#connection.client, take, signal);
    else await take(null);
  }

  async #chains(filter: LetterFilter): Promise<readonly (readonly DeadLetter[])[]> {
    return chosenChains(await this.#stored.list(), filter);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#translated(error);
    }
  }

  #translated(error: unknown): unknown {
    return targetError(error, { server: this.#connection.server, doing: 'writing dead letters' });
  }

  async close(): Promise<void> {
    await this.#connection.client.close();
  }
}
