/** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return untilAborted(signal, promise).finally(() => clearTimeout(timer));
}

/** The promise's outcome, or a rejection with the signal's reason if that comes first. The promise itself goes on. */
export function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.finally(() => signal.removeEventListener('abort', abort)).then(resolve, reject);
  });
}

/** A condition that several waiters watch: `wait` resolves at the next `notify`. */
export class Bell {
  #waiters: (() => void)[] = [];

  notify(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  wait(signal: AbortSignal): Promise<void> {
    return untilAborted(signal, new Promise((resolve) => this.#waiters.push(resolve)));
  }
}

/**
 * The first of several waits, again and again. One that was not the first goes on, and the next time joins it. With `Promise.race` a wait that lasts for
 * months would keep something of every time that it was not the first.
 */
export class FirstOf {
  readonly #waits: readonly (() => Promise<void>)[];
  readonly #pending = new Set<() => Promise<void>>();
  #first = Promise.withResolvers<void>();

  constructor(...waits: readonly (() => Promise<void>)[]) {
    this.#waits = waits;
  }

  /** Resolves or rejects as the first one does. What comes while nobody waits is forgotten: a wait must say so again when it is asked again. */
  async wait(): Promise<void> {
    this.#first = Promise.withResolvers();
    for (const wait of this.#waits) if (!this.#pending.has(wait)) this.#begin(wait);
    await this.#first.promise;
  }

  #begin(wait: () => Promise<void>): void {
    this.#pending.add(wait);
    const over = (settle: () => void): void => {
      this.#pending.delete(wait);
      settle();
    };
    wait().then(
      () => over(() => this.#first.resolve()),
      (error: unknown) => over(() => this.#first.reject(error)),
    );
  }
}

/** Does one thing after the other, in the order in which they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  async take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return await turn;
  }
}
