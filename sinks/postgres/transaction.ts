import { Counts } from '../../core/counts.ts';
import type { HeldDraft } from '../../core/held-keys.ts';
import type { TableSchema } from '../../core/table.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import type { Copy } from './flight.ts';
import type { Outcome, Session } from './session.ts';

/** Statements are sent once they are this long together, so that a batch of small ones is one round trip. */
const FLIGHT_CHARACTERS = 1 << 18;

interface Beside {
  readonly letters: HeldDraft;
  readonly changed: Counts;
}

/**
 * One transaction on one connection. Statements wait until something needs their outcome or the transaction ends, and then travel
 * together.
 */
export class Transaction {
  readonly session: Session;
  #waiting: (string | Copy)[] = [];
  #characters = 0;
  #parts = 0;
  /** Whether the server has been told to begin the transaction, or its next part. */
  #begun = false;
  /** What becomes of dead letters. */
  letters: HeldDraft;
  /** Values that policies changed. */
  changed = new Counts();
  /** Staging tables that hold rows of this transaction. */
  readonly #filled = new Set<string>();

  constructor(session: Session, letters: HeldDraft) {
    this.session = session;
    this.letters = letters;
  }

  /** Whether nothing was applied in it by an earlier batch. */
  get isFresh(): boolean {
    return this.#parts === 0;
  }

  /** Begins the transaction, or its next part, to which `undo` goes back. */
  begin(): void {
    this.#begun = false;
    this.#add(this.#parts === 0 ? 'BEGIN' : 'SAVEPOINT part');
  }

  /** What is to be done beside the rows, to go back to. */
  state(): Beside {
    return { letters: this.letters.copy(), changed: this.changed.copy() };
  }

  restore({ letters, changed }: Beside): void {
    this.letters = letters.copy();
    this.changed = changed.copy();
  }

  /** What counts the values of a table's rows that policies change. */
  counting({ origin }: TableSchema): OnChanged {
    const { changed } = this;
    return (what) => changed.add(origin, what);
  }

  /** Ends a part that stays open for the next one. */
  async endPart(signal: AbortSignal): Promise<void> {
    if (this.#parts > 0) this.#add('RELEASE SAVEPOINT part');
    await this.flush(signal);
    this.#parts += 1;
  }

  /** Takes back everything since `begin` and begins again. */
  async undo(signal: AbortSignal): Promise<void> {
    this.#forget();
    if (!this.#begun) return this.begin();
    if (this.#parts === 0) await this.session.query('ROLLBACK; BEGIN', signal);
    else await this.session.query('ROLLBACK TO SAVEPOINT part', signal);
    this.session.stages.clear();
  }

  /** Begins what `rollback` takes back and `release` keeps; there is one at a time. */
  async savepoint(signal: AbortSignal): Promise<void> {
    this.#add('SAVEPOINT rows');
    await this.flush(signal);
  }

  async release(signal: AbortSignal): Promise<void> {
    this.#add('RELEASE SAVEPOINT rows');
    await this.flush(signal);
  }

  async rollback(signal: AbortSignal): Promise<void> {
    this.#forget();
    await this.session.query('ROLLBACK TO SAVEPOINT rows; RELEASE SAVEPOINT rows', signal);
    this.session.stages.clear();
  }

  /** Statements that were not sent yet. */
  #forget(): void {
    this.#waiting = [];
    this.#characters = 0;
  }

  async commit(signal: AbortSignal): Promise<void> {
    this.#add('COMMIT');
    await this.flush(signal);
  }

  /** Queues a statement whose outcome does not matter beyond its success. */
  async add(statement: string, signal: AbortSignal): Promise<void> {
    if (statement === '') return;
    this.#add(statement);
    if (this.#characters >= FLIGHT_CHARACTERS) await this.flush(signal);
  }

  #add(statement: string): void {
    this.#waiting.push(statement);
    this.#characters += statement.length;
  }

  async flush(signal: AbortSignal): Promise<readonly Outcome[]> {
    const steps = this.#waiting;
    if (steps.length === 0) return [];
    this.#forget();
    this.#begun = true;
    const statements = steps.filter((step) => typeof step === 'string');
    if (statements.length === steps.length) return this.session.query(statements.join(';\n'), signal);
    await this.session.send(steps, signal);
    return [];
  }

  /** Runs a statement behind those that wait and gives its outcome. */
  async query(statement: string, signal: AbortSignal): Promise<Outcome | undefined> {
    if (this.#waiting.some((step) => typeof step !== 'string')) await this.flush(signal);
    this.#add(statement);
    return (await this.flush(signal)).at(-1);
  }

  /** Queues rows for a COPY: they are made while they are under way. */
  copy(statement: string, pieces: Iterable<Buffer>): void {
    this.#waiting.push({ statement, pieces });
  }

  /** Makes sure that the staging table is there and empty. */
  async stage(name: string, create: string, signal: AbortSignal): Promise<void> {
    if (!this.session.stages.has(name)) await this.add(create, signal);
    if (this.#filled.has(name)) await this.add(`TRUNCATE ${name}`, signal);
    this.session.stages.add(name);
    this.#filled.add(name);
  }
}
