import type { Checkpoint } from '../../core/contracts.ts';
import type { DeadLetter, NewDeadLetter } from '../../core/dead-letter.ts';
import type { LetterStep } from '../../core/held-keys.ts';
import { readChange, writeChange } from '../../core/stored-change.ts';
import { unreachable } from '../../core/errors.ts';
import { type Owner, mine } from './checkpoints.ts';
import type { Outcome } from './session.ts';
import { quoteName, quoteText } from './sql.ts';

/** The entry that moves with the letters: who has not seen the last change of them cannot change them (G8). */
export const LETTERS_ENTRY = 'dead-letters';

export const lettersMoved: Checkpoint = { set: new Map([[LETTERS_ENTRY, '']]), drop: [] };

function tableOf(owner: Owner): string {
  return `${quoteName(owner.schema)}.dead_letters`;
}

/** `change` is json and not jsonb, which could not hold the U+0000 for which many a change is there. */
export function createLetters(owner: Owner): string {
  return `CREATE TABLE IF NOT EXISTS ${tableOf(owner)} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline text NOT NULL, target text NOT NULL, origin text NOT NULL, keys text[] NOT NULL, state text NOT NULL,
  code text NOT NULL, reason text NOT NULL, kind text NOT NULL, log_file text NOT NULL, log_offset bigint NOT NULL, gtid text,
  change json NOT NULL, outdated boolean NOT NULL DEFAULT false, set_aside_at timestamptz NOT NULL DEFAULT now()
)`;
}

/** The statement for a step of a transaction. */
export function letterStatement(owner: Owner, step: LetterStep): string {
  const table = tableOf(owner);
  switch (step.kind) {
    case 'add':
      return insertLetter(owner, step.letter);
    case 'clear':
      return `DELETE FROM ${table} WHERE ${mine(owner)} AND origin = ${quoteText(step.origin)}`;
    case 'rename':
      return `UPDATE ${table} SET origin = ${quoteText(step.to)} WHERE ${mine(owner)} AND origin = ${quoteText(step.from)}`;
    case 'outdate':
      return `UPDATE ${table} SET outdated = true WHERE ${mine(owner)} AND origin = ${quoteText(step.origin)}`;
    default:
      return unreachable(step);
  }
}

function insertLetter(owner: Owner, { origin, keys, state, code, reason, change }: NewDeadLetter): string {
  const { file, offset, gtid } = change.at;
  const texts = [owner.pipeline, owner.target, origin].map(quoteText);
  const array = `ARRAY[${keys.map(quoteText).join(', ')}]::text[]`;
  const words = [state, code, reason, change.kind, file].map(quoteText);
  const place = [String(offset), gtid === null ? 'NULL' : quoteText(gtid), quoteText(writeChange(change))];
  return `INSERT INTO ${tableOf(owner)} (pipeline, target, origin, keys, state, code, reason, kind, log_file, log_offset, gtid, change) VALUES (${[...texts, array, ...words, ...place].join(', ')})`;
}

export function selectHeld(owner: Owner): string {
  return `SELECT origin, array_to_json(keys) FROM ${tableOf(owner)} WHERE ${mine(owner)}`;
}

/** The rows of `selectHeld`. */
export function readHeld(outcome: Outcome | undefined): Pick<DeadLetter, 'origin' | 'keys'>[] {
  return (outcome?.rows ?? []).map(([origin, keys]) => ({ origin: origin ?? '', keys: keysOf(keys) }));
}

/** The letters in order; all of the pipeline, or those with these ids. */
export function selectLetters(owner: Owner): string {
  return `SELECT id, origin, array_to_json(keys), state, code, reason, change, outdated, extract(epoch FROM set_aside_at) * 1000 FROM ${tableOf(owner)} WHERE ${mine(owner)} ORDER BY id`;
}

/** The rows of `selectLetters`. */
export function readLetters(outcome: Outcome | undefined): DeadLetter[] {
  return (outcome?.rows ?? []).map(([id, origin, keys, state, code, reason, change, outdated, at]) => ({
    id: id ?? '',
    origin: origin ?? '',
    keys: keysOf(keys),
    state: state === 'refused' ? 'refused' : 'waiting',
    code: code ?? '',
    reason: reason ?? '',
    change: readChange(change ?? ''),
    outdated: outdated === 't',
    setAsideAtMs: Math.floor(Number(at)),
  }));
}

export function deleteLetters(owner: Owner, letters: readonly DeadLetter[]): string {
  return `DELETE FROM ${tableOf(owner)} WHERE ${mine(owner)} AND id IN (${letters.map(({ id }) => id).join(', ')})`;
}

function keysOf(json: string | null | undefined): string[] {
  const keys: unknown = JSON.parse(json ?? '[]');
  return Array.isArray(keys) ? keys.map(String) : [];
}
