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

/** A wait that may lose a race: it goes on, and the next race joins it instead of beginning another one. */
export class Wait {
  #pending: Promise<void> | null = null;

  begin(wait: () => Promise<void>): Promise<void> {
    if (this.#pending !== null) return this.#pending;
    const pending = wait().finally(() => (this.#pending = null));
    // Whoever lost the race may not ask again.
    pending.catch(() => undefined);
    this.#pending = pending;
    return pending;
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
