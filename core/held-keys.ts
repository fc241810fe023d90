import type { Change, RowChange } from './contracts.ts';
import { Counts, type CountsByTable } from './counts.ts';
import { type DeadLetter, keyName, keysOfChange, type NewDeadLetter } from './dead-letter.ts';
import { LockstepError } from './errors.ts';
import type { TableSchema } from './table.ts';
import { isRowChange } from './transform.ts';

type WholeChange = Exclude<Change, RowChange>;

/** What a transaction does to the letters that a target keeps, in order. */
export type LetterStep =
  | { readonly kind: 'add'; readonly letter: NewDeadLetter }
  /** The table's rows are gone or come anew, and its letters with them. */
  | { readonly kind: 'clear'; readonly origin: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  /** The table's rows have another shape or place from here on. */
  | { readonly kind: 'outdate'; readonly origin: string };

interface HeldTable {
  letters: number;
  readonly keys: Set<string>;
}

/** What a transaction does to one table's. */
interface OwnTable extends HeldTable {
  /** Whether what was held before holds no more. */
  readonly anew: boolean;
}

/** The keys behind whose letters later changes wait (G9), of all lanes of a target. Never more letters than the limit (G6). */
export class HeldKeys {
  /** How many letters the target may keep; with 0 nothing is set aside. */
  readonly limit: number;
  readonly tables = new Map<string, HeldTable>();

  constructor(limit: number, letters: Iterable<Pick<DeadLetter, 'origin' | 'keys'>>) {
    this.limit = limit;
    this.renew(letters);
  }

  /** What the target keeps now. Transactions under way go on with it. */
  renew(letters: Iterable<Pick<DeadLetter, 'origin' | 'keys'>>): void {
    this.tables.clear();
    for (const letter of letters) {
      const table = this.tables.get(letter.origin) ?? nothing();
      this.tables.set(letter.origin, table);
      hold(table, letter);
    }
  }
}

/** What one transaction adds to the held keys. Others see it once it is durable. */
export class HeldDraft {
  readonly #held: HeldKeys;
  readonly #own = new Map<string, OwnTable>();
  #steps: LetterStep[] = [];
  #counts = new Counts();
  #touched = false;

  constructor(held: HeldKeys) {
    this.#held = held;
  }

  /** The same once more: what happens to one does not happen to the other. */
  copy(): HeldDraft {
    const copy = new HeldDraft(this.#held);
    for (const [origin, own] of this.#own) copy.#own.set(origin, { ...own, keys: new Set(own.keys) });
    copy.#steps = [...this.#steps];
    copy.#counts = this.#counts.copy();
    copy.#touched = this.#touched;
    return copy;
  }

  /** Whether the transaction changes what letters there are. */
  get touched(): boolean {
    return this.#touched;
  }

  get sets(): boolean {
    return this.#held.limit > 0;
  }

  /** Whether any change may have to wait. Where not, none need be asked about. */
  get holds(): boolean {
    return this.#held.tables.size > 0 || this.#own.size > 0;
  }

  /**
   * The changes that may be applied now; those of held keys wait from here on, and so do those of keys that are known to be `refused` (see
   * `keyName`). Errors: TARGET_DEAD_LETTERS.
   */
  sift(changes: readonly Change[], refused: ReadonlyMap<string, LockstepError> = noneRefused): readonly Change[] {
    if (!this.holds && refused.size === 0) return changes;
    return changes.filter((change) => this.admits(change, refused));
  }

  /** Whether a change may be applied now, as `sift` has it; changes must come in order. Errors: TARGET_DEAD_LETTERS. */
  admits(change: Change, refused: ReadonlyMap<string, LockstepError> = noneRefused): boolean {
    if (!isRowChange(change)) {
      this.#whole(change);
      return true;
    }
    const { origin } = change.table;
    if (this.#letters(origin) === 0 && refused.size === 0) return true;
    const keys = keysOfChange(change);
    if (!keys.some((key) => this.#holds(origin, key))) {
      const error = keys.map((key) => refused.get(keyName(origin, key))).find((found) => found !== undefined);
      if (error === undefined) return true;
      this.refuse(change, error);
      return false;
    }
    const reason = 'an earlier change of the same key waits';
    this.#add({ origin, keys, state: 'waiting', code: 'WAITING', reason, change }, null);
    return false;
  }

  /** Sets a change aside that the target refused. Errors: TARGET_DEAD_LETTERS when that is one too many. */
  refuse(change: RowChange, error: LockstepError): void {
    const { origin } = change.table;
    const letter = {
      origin,
      keys: keysOfChange(change),
      state: 'refused',
      code: error.code,
      reason: error.message,
      change,
    } as const;
    this.#add(letter, error);
  }

  /** The steps since the last call, to be written in this order. */
  takeSteps(): readonly LetterStep[] {
    const steps = this.#steps;
    this.#steps = [];
    return steps;
  }

  /** How many changes were set aside since the last call, by origin and code. */
  takeCounts(): CountsByTable {
    return this.#counts.take();
  }

  /** Makes known to all what is durable now. */
  done(): void {
    const { tables } = this.#held;
    for (const [origin, { anew, letters, keys }] of this.#own) {
      const table = (anew ? undefined : tables.get(origin)) ?? nothing();
      table.letters += letters;
      for (const key of keys) table.keys.add(key);
      if (table.letters === 0) tables.delete(origin);
      else tables.set(origin, table);
    }
    this.#own.clear();
    this.#touched = false;
  }

  #holds(origin: string, key: string): boolean {
    const own = this.#own.get(origin);
    if (own?.keys.has(key) === true) return true;
    return own?.anew !== true && this.#held.tables.get(origin)?.keys.has(key) === true;
  }

  #letters(origin: string): number {
    const own = this.#own.get(origin);
    const before = own?.anew === true ? 0 : (this.#held.tables.get(origin)?.letters ?? 0);
    return before + (own?.letters ?? 0);
  }

  #add(letter: NewDeadLetter, cause: LockstepError | null): void {
    const origins = new Set([...this.#held.tables.keys(), ...this.#own.keys()]);
    const letters = [...origins].reduce((sum, origin) => sum + this.#letters(origin), 0);
    if (letters >= this.#held.limit) throw tooMany(this.#held.limit, letter, cause);
    const own = this.#own.get(letter.origin) ?? { anew: false, ...nothing() };
    this.#own.set(letter.origin, own);
    hold(own, letter);
    this.#step({ kind: 'add', letter });
    this.#counts.add(letter.origin, letter.code);
  }

  #whole(change: WholeChange): void {
    if (change.kind === 'marker' || change.kind === 'cascade') return;
    if (change.kind === 'truncate') return this.#clear(change.table.origin);
    const { before, after } = change;
    if (before === null || this.#letters(before.origin) === 0) return;
    if (after === null) return this.#clear(before.origin);
    if (keyShape(before) !== keyShape(after)) throw keyChanges(before);
    if (shapeOf(before) === shapeOf(after)) return;
    this.#step({ kind: 'outdate', origin: before.origin });
    if (before.origin !== after.origin) this.#rename(before.origin, after.origin);
  }

  #clear(origin: string): void {
    if (this.#letters(origin) === 0) return;
    this.#own.set(origin, { anew: true, ...nothing() });
    this.#step({ kind: 'clear', origin });
  }

  #rename(from: string, to: string): void {
    const keys = new Set([...this.#keysOf(from), ...this.#keysOf(to)]);
    this.#own.set(to, { anew: true, letters: this.#letters(from) + this.#letters(to), keys });
    this.#own.set(from, { anew: true, ...nothing() });
    this.#step({ kind: 'rename', from, to });
  }

  #keysOf(origin: string): readonly string[] {
    const own = this.#own.get(origin);
    const before = own?.anew === true ? undefined : this.#held.tables.get(origin);
    return [...(before?.keys ?? []), ...(own?.keys ?? [])];
  }

  #step(step: LetterStep): void {
    this.#steps.push(step);
    this.#touched = true;
  }
}

const noneRefused: ReadonlyMap<string, LockstepError> = new Map();

function nothing(): HeldTable {
  return { letters: 0, keys: new Set() };
}

function hold(table: HeldTable, { keys }: Pick<DeadLetter, 'keys'>): void {
  table.letters += 1;
  for (const key of keys) table.keys.add(key);
}

/** What letters' keys depend on: the key's columns, or all of them where there is no key. */
function keyShape({ key, columns }: TableSchema): string {
  const indexes = key.length === 0 ? columns.map((_, index) => index) : key;
  return JSON.stringify(indexes.map((index) => columns[index]?.type));
}

/** What a row of the table looks like in a target, and where it goes. */
function shapeOf({ database, name, origin, columns }: TableSchema): string {
  return JSON.stringify([database, name, origin, columns.map(({ name, type }) => [name, type])]);
}

function tooMany(limit: number, { origin, change }: NewDeadLetter, cause: LockstepError | null): LockstepError {
  const { file, offset } = change.at;
  const last = cause === null ? 'a change of a key that is held' : `${cause.code} ${cause.message}`;
  const message = `there are ${String(limit)} dead letters, as many as the limit allows; the next one is of ${origin}, at ${file}:${String(offset)}: ${last}`;
  return new LockstepError('TARGET_DEAD_LETTERS', message, {
    fix: 'see `lockstep rejects list`; mend the cause and `rejects retry`, or raise deadLetters.limit of the target',
    ...(cause === null ? {} : { cause }),
  });
}

function keyChanges({ origin }: TableSchema): LockstepError {
  const message = `the key of ${origin} changes while dead letters are held by it`;
  return new LockstepError('TARGET_DEAD_LETTERS', message, {
    fix: '`lockstep rejects retry` or `rejects drop` them first, and start again',
  });
}
