import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import { placeKey } from './catalog.ts';
import type { Session } from './session.ts';
import { quoteTable } from './sql.ts';

interface Made {
  readonly session: Session;
  readonly stop: AbortController;
}

/** The tables whose indexes are being made: a change of a whole table does not wait for that. */
export class MakingNow {
  readonly #byPlace = new Map<string, Made>();

  /** Errors: TARGET_BUSY where it was ended; as `make`. */
  async run<T>(
    table: TableSchema,
    session: Session,
    make: (stop: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const stop = new AbortController();
    const place = placeKey(table);
    this.#byPlace.set(place, { session, stop });
    try {
      return await make(AbortSignal.any([signal, stop.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (!stop.signal.aborted) throw error;
      throw new LockstepError('TARGET_BUSY', `${quoteTable(table)} is being changed as a whole`, { cause: error });
    } finally {
      this.#byPlace.delete(place);
    }
  }

  /** Ends the making of a table's indexes; gives the statement that makes the server let go of the table, empty where nothing was being made. */
  end(table: TableSchema): string {
    const made = this.#byPlace.get(placeKey(table));
    if (made === undefined) return '';
    made.stop.abort(new Error('the table is being changed'));
    return made.session.process === null ? '' : `SELECT pg_cancel_backend(${made.session.process})`;
  }
}
