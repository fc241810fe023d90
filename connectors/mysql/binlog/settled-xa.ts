import type { XaStep } from './transaction.ts';

/** More than commit while a server makes one commit's rows visible. */
const most = 10_000;

/** The XA transactions that the stream has met the end of, by name, and not the preparation of another one of that name since; the last ones. */
export class SettledXa {
  readonly #names = new Set<string>();

  add({ step, xid }: XaStep): void {
    this.#names.delete(xid);
    if (step === 'settled') this.#names.add(xid);
    for (const oldest of this.#names) {
      if (this.#names.size <= most) return;
      this.#names.delete(oldest);
    }
  }

  /** Whether one of these has ended in the log. */
  hasAnyOf(names: ReadonlySet<string>): boolean {
    return !this.#names.isDisjointFrom(names);
  }
}
