import type { LogEvent } from './event.ts';
import type { InnerEvents } from './inner-events.ts';
import { MalformedEvent } from './malformed.ts';
import { Spool } from './spool.ts';

/** All prepared transactions together hold this much in memory, and each a piece; what is beyond lies in files. */
const memoryBytes = 16 * 1024 * 1024;

/**
 * The events of XA transactions that are prepared: they become changes when the log says COMMIT, at that place of it, and never when it says
 * ROLLBACK. They are kept undecoded.
 */
export class PreparedTransactions {
  readonly #budget = { left: memoryBytes };
  readonly #byXid = new Map<string, Spool>();
  #preparing: Spool | null = null;

  /** True between `begin` and `prepared`, `settle` or `forget` of the transaction that is being prepared. */
  get isPreparing(): boolean {
    return this.#preparing !== null;
  }

  begin(): void {
    this.forget();
    this.#preparing = new Spool(this.#budget);
  }

  /** Keeps an event of the transaction that is being prepared. Errors: SOURCE_EVENT_UNSUPPORTED where there is no room. */
  keep(event: LogEvent): void {
    this.#preparing?.append(event);
  }

  prepared(xid: string): void {
    const spool = this.#preparing;
    if (spool === null) throw new MalformedEvent('the end of an XA transaction that never began');
    this.#preparing = null;
    this.#byXid.get(xid)?.close();
    this.#byXid.set(xid, spool);
  }

  /** Takes the events of a transaction out; null where its preparation was not read. */
  settle(xid: string): InnerEvents | null {
    const spool = this.#byXid.get(xid);
    this.#byXid.delete(xid);
    return spool?.read() ?? null;
  }

  drop(xid: string): void {
    this.#byXid.get(xid)?.close();
    this.#byXid.delete(xid);
  }

  /** The transaction that is being prepared never will be. */
  forget(): void {
    this.#preparing?.close();
    this.#preparing = null;
  }

  close(): void {
    this.forget();
    for (const spool of this.#byXid.values()) spool.close();
    this.#byXid.clear();
  }
}
