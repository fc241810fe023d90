import type { Column, TableSchema } from './table.ts';

/** What becomes of values that the target cannot hold. In a key column they are always refused: changed, keys could become one. */
export interface ValuePolicies {
  /**
   * Zero and partial dates: `set-null` where the column may be NULL (elsewhere the row is refused), `dead-letter`, or a date `YYYY-MM-DD` that
   * stands for them.
   */
  readonly zeroDates: string;
  /** U+0000 in text and JSON: left out, made U+FFFD, or the row is refused. */
  readonly nulCharacters: 'dead-letter' | 'strip' | 'replace';
}

export type PoliciesOf = (table: TableSchema) => ValuePolicies;

export const defaultPolicies: ValuePolicies = { zeroDates: 'set-null', nulCharacters: 'dead-letter' };

/** What a policy has made of a value, as it is counted (G5). */
export type ChangedValue = 'zero-date-to-null' | 'zero-date-to-sentinel' | 'nul-stripped' | 'nul-replaced';

/** Told of each value that a policy changes. */
export type OnChanged = (changed: ChangedValue) => void;

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** The date that stands for zero dates, null where none does. */
export function sentinelOf({ zeroDates }: ValuePolicies): string | null {
  return DATE.test(zeroDates) ? zeroDates : null;
}

/** Text without U+0000, by a policy that changes it. */
export function withoutNul(text: string, policy: 'strip' | 'replace'): string {
  return text.replaceAll('\0', policy === 'strip' ? '' : '\uFFFD');
}

/** What becomes of zero dates in a column, for people. `policies` is null for a key column. */
export function zeroDateNote({ nullable }: Column, policies: ValuePolicies | null): string {
  const sentinel = policies === null ? null : sentinelOf(policies);
  if (sentinel !== null) return `zero and partial dates become ${sentinel}`;
  if (nullable && policies?.zeroDates === 'set-null') return 'zero and partial dates become NULL';
  return 'a row with a zero or partial date is refused';
}
