/** What the writer tells its parent several times a second, and once more when it has stopped. */
export interface WriterReport {
  /** Committed since the start. */
  readonly transactions: number;
  /** Rolled back by the server because of a deadlock or a lock's timeout, and done again. */
  readonly retried: number;
  /** Rolled back by the shop itself, or refused by a key. */
  readonly rolledBack: number;
}

/** Null for anything else. */
export function parseReport(message: unknown): WriterReport | null {
  if (typeof message !== 'object' || message === null) return null;
  if (!('transactions' in message && 'retried' in message && 'rolledBack' in message)) return null;
  const { transactions, retried, rolledBack } = message;
  return { transactions: Number(transactions), retried: Number(retried), rolledBack: Number(rolledBack) };
}
