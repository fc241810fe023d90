import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import { placeKey } from './catalog.ts';
import type { Session } from './session.ts';
import { quoteTable } from './sql.ts';

interface Made {
  readonly session: Session;
  readonly stop: AbortController;
}

/** Keeps the making of indexes from standing in the way of a change of their whole table. */
export class MakingNow {
  readonly #byPlace = new Map<string, Made>();
  readonly #barred = new Map<string, number>();

  /** Errors: TARGET_BUSY where the table is being changed, or comes to be; as `make`. */
  async run<T>(
    table: TableSchema,
    session: Session,
    make: (stop: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const place = placeKey(table);
    if (this.#barred.has(place)) throw isChanging(table, null);
    const stop = new AbortController();
    this.#byPlace.set(place, { session, stop });
    try {
      return await make(AbortSignal.any([signal, stop.signal]));
    } catch (error) {
      signal.throwIfAborted();
      throw stop.signal.aborted ? isChanging(table, error) : error;
    } finally {
      this.#byPlace.delete(place);
    }
  }

  /** For the changes of one batch. */
  bars(): Bars {
    const places: string[] = [];
    return {
      end: (table) => {
        const place = placeKey(table);
        places.push(place);
        this.#barred.set(place, (this.#barred.get(place) ?? 0) + 1);
        return this.#end(place);
      },
      lift: () => {
        for (const place of places.splice(0)) {
          const left = (this.#barred.get(place) ?? 1) - 1;
          if (left === 0) this.#barred.delete(place);
          else this.#barred.set(place, left);
        }
      },
    };
  }

  #end(place: string): string {
    const made = this.#byPlace.get(place);
    if (made === undefined) return '';
    made.stop.abort(new Error('the table is being changed'));
    return made.session.process === null ? '' : `SELECT pg_cancel_backend(${made.session.process})`;
  }
}

export interface Bars {
  /** No index of the table is made until `lift`; gives the statement by which the server lets go of one under way, empty where there is none. */
  end(table: TableSchema): string;
  lift(): void;
}

function isChanging(table: TableSchema, cause: unknown): LockstepError {
  return new LockstepError('TARGET_BUSY', `${quoteTable(table)} is being changed as a whole`, { cause });
}
