import { createHash } from 'node:crypto';
import type { RowChange } from './contracts.ts';
import { type Row, type Value, valueAt } from './row.ts';
import type { TableSchema } from './table.ts';

/** A change that a target does not take now: it refused it, or an earlier change of the same key waits already (G9). */
export interface DeadLetter {
  /** Names the letter in its target; letters in the order of their changes have rising ids. */
  readonly id: string;
  /** `database.table` at the source. */
  readonly origin: string;
  /** The key as JSON (see `keyTextOf`); two where the change gives a row another key. */
  readonly keys: readonly string[];
  readonly state: 'refused' | 'waiting';
  /** The code of the error, and what it said; of a change that waits, that it does. */
  readonly code: string;
  readonly reason: string;
  readonly change: RowChange;
  /** When it was set aside, in milliseconds since 1970. */
  readonly setAsideAtMs: number;
}

/** A letter on its way to the target. */
export type NewDeadLetter = Omit<DeadLetter, 'id' | 'setAsideAtMs'>;

/** Which letters are meant; null means all. */
export interface LetterFilter {
  /** `database.table` at the source. */
  readonly table: string | null;
  /** As `keys` of a letter has it; a text may be without its quotes. */
  readonly key: string | null;
}

/** What became of the letters of keys that belong together. */
export interface Retried {
  readonly origin: string;
  readonly keys: readonly string[];
  readonly letters: number;
  /** Why the target still refuses them, null where it took them. */
  readonly refused: { readonly code: string; readonly reason: string } | null;
}

/** The letters that a target keeps for a pipeline. */
export interface DeadLetters {
  /** In order. */
  list(filter: LetterFilter, signal: AbortSignal): Promise<readonly DeadLetter[]>;
  /** Applies the letters in order, all of a key or none, together with those of the keys they move rows to and from. */
  retry(filter: LetterFilter, signal: AbortSignal): Promise<readonly Retried[]>;
  /** Forgets the letters, with those of the keys they move rows to and from; gives how many there were. */
  drop(filter: LetterFilter, signal: AbortSignal): Promise<number>;
  close(): Promise<void>;
}

/** How long a key's text may be before a digest stands for it, in characters. */
const LONGEST_KEY = 200;

/**
 * Compiles the function from a row to its key as JSON: the value, or an array of several. A table without a key has all its columns for one. Equal
 * for equal keys only; a long one becomes `sha256:…`.
 */
export function keyTextOf(table: TableSchema): (row: Row) => string {
  const [first, ...rest] = table.key;
  if (first !== undefined && rest.length === 0) return (row) => shortened(jsonOf(valueAt(row, first)));
  const indexes = first === undefined ? table.columns.map((_, index) => index) : table.key;
  return (row) => shortened(`[${indexes.map((index) => jsonOf(valueAt(row, index))).join(',')}]`);
}

/** The keys that a change touches: one, or two where it gives a row another key. */
export function keysOfChange(change: RowChange, keyText: (row: Row) => string): readonly string[] {
  if (change.before === null) return [keyText(change.after)];
  const before = keyText(change.before);
  const after = change.after === null ? before : keyText(change.after);
  return before === after ? [after] : [before, after];
}

/** Letters, given in order, as groups whose keys belong together, each in order: a change of a key ties both of its keys to each other. */
export function chainsOf(letters: readonly DeadLetter[]): readonly (readonly DeadLetter[])[] {
  const order = new Map(letters.map((letter, index) => [letter, index]));
  const chainOf = new Map<string, readonly DeadLetter[]>();
  for (const letter of letters) {
    const names = letter.keys.map((key) => `${letter.origin} ${key}`);
    const met = new Set(names.map((name) => chainOf.get(name) ?? []));
    const chain = [...met].flat().toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
    chain.push(letter);
    for (const one of chain) for (const key of one.keys) chainOf.set(`${one.origin} ${key}`, chain);
  }
  return [...new Set(chainOf.values())];
}

/** The chains in which at least one letter is meant. */
export function chosenChains(
  letters: readonly DeadLetter[],
  { table, key }: LetterFilter,
): readonly (readonly DeadLetter[])[] {
  const forms = key === null ? null : [key, JSON.stringify(key)];
  const meant = ({ origin, keys }: DeadLetter): boolean =>
    (table === null || origin === table) && (forms === null || keys.some((key) => forms.includes(key)));
  return chainsOf(letters).filter((chain) => chain.some(meant));
}

function shortened(text: string): string {
  return text.length <= LONGEST_KEY ? text : `"sha256:${createHash('sha256').update(text).digest('hex')}"`;
}

function jsonOf(value: Value): string {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array)
    return `"0x${Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')}"`;
  return Object.is(value, -0) ? '-0' : JSON.stringify(value);
}
