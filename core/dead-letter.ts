import { createHash } from 'node:crypto';
import type { Batch, RowChange } from './contracts.ts';
import { type Row, type Value, valueAt } from './row.ts';
import type { TableSchema } from './table.ts';

/** A change that a target does not take now: it refused it, or an earlier change of the same key waits already (G9). */
export interface DeadLetter {
  /** A number that names the letter in its target; letters in the order of their changes have rising ones. */
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
  /** Whether the table has got other columns or another name since: then the row has a shape that is none any more. */
  readonly outdated: boolean;
  /** When it was set aside, in milliseconds since 1970. */
  readonly setAsideAtMs: number;
}

/** A letter on its way to the target. */
export type NewDeadLetter = Omit<DeadLetter, 'id' | 'setAsideAtMs' | 'outdated'>;

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
  const known = keyTexts.get(table) ?? compileKeyText(table);
  keyTexts.set(table, known);
  return known;
}

const keyTexts = new WeakMap<TableSchema, (row: Row) => string>();

function compileKeyText(table: TableSchema): (row: Row) => string {
  const [first, ...rest] = table.key;
  if (first !== undefined && rest.length === 0) return (row) => shortened(jsonOf(valueAt(row, first)));
  const indexes = first === undefined ? table.columns.map((_, index) => index) : table.key;
  return (row) => shortened(`[${indexes.map((index) => jsonOf(valueAt(row, index))).join(',')}]`);
}

/** The keys that a change touches: one, or two where it gives a row another key. */
export function keysOfChange(change: RowChange): readonly string[] {
  const keyText = keyTextOf(change.table);
  if (change.before === null) return [keyText(change.after)];
  const before = keyText(change.before);
  const after = change.after === null ? before : keyText(change.after);
  return before === after ? [after] : [before, after];
}

/** A table's key as one name among those of all tables. */
export function keyName(origin: string, key: string): string {
  return `${origin} ${key}`;
}

/** Letters as groups whose keys belong together, each in order: a change of a key ties both of its keys to each other. */
export function chainsOf(letters: readonly DeadLetter[]): readonly (readonly DeadLetter[])[] {
  const chainOf = new Map<string, readonly DeadLetter[]>();
  for (const letter of inOrder(letters)) {
    const names = letter.keys.map((key) => keyName(letter.origin, key));
    const met = new Set(names.map((name) => chainOf.get(name) ?? []));
    const chain = inOrder([...[...met].flat(), letter]);
    for (const one of chain) for (const key of one.keys) chainOf.set(keyName(one.origin, key), chain);
  }
  return [...new Set(chainOf.values())];
}

export function inOrder(letters: readonly DeadLetter[]): readonly DeadLetter[] {
  return letters.toSorted((a, b) => Number(a.id) - Number(b.id));
}

/** Their changes, for a target to apply beside its lanes. */
export function batchOf(letters: readonly DeadLetter[]): Batch {
  const changes = letters.map(({ change }) => change);
  return { changes, checkpoint: null, bytes: 0, copying: new Set(), barrier: null };
}

/** How many chains are retried together: enough to make a transaction worth it, few enough to keep it small. */
const TOGETHER = 256;

/**
 * Retries chains, many together and each half for itself where the target refuses one of them. `attempt` applies letters, all of them or none, and
 * says why it did not.
 */
export async function retryChains(
  chains: readonly (readonly DeadLetter[])[],
  attempt: (letters: readonly DeadLetter[]) => Promise<Retried['refused']>,
): Promise<readonly Retried[]> {
  const [outdated, current] = [chains.filter(isOutdated), chains.filter((chain) => !isOutdated(chain))];
  if (outdated.length > 0) {
    const outcomes = outdated.map((chain) => ({ ...nameOf(chain), refused: shapeIsGone }));
    return [...outcomes, ...(await retryChains(current, attempt))];
  }
  if (chains.length === 0) return [];
  const refused = chains.length > TOGETHER ? undefined : await attempt(inOrder(chains.flat()));
  if (refused === null || (refused !== undefined && chains.length === 1))
    return chains.map((chain) => ({ ...nameOf(chain), refused }));
  const half = chains.length >> 1;
  const first = await retryChains(chains.slice(0, half), attempt);
  return [...first, ...(await retryChains(chains.slice(half), attempt))];
}

const shapeIsGone = {
  code: 'TARGET_SCHEMA',
  reason: 'the table has other columns or another name since; drop the letters, then change the row at the source',
};

function isOutdated(chain: readonly DeadLetter[]): boolean {
  return chain.some(({ outdated }) => outdated);
}

function nameOf(chain: readonly DeadLetter[]): Omit<Retried, 'refused'> {
  const keys = [...new Set(chain.flatMap((letter) => letter.keys))];
  return { origin: chain[0]?.origin ?? '', keys, letters: chain.length };
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
