import type { PoliciesOf } from '../core/value-policy.ts';
import type { TableSchema } from '../core/table.ts';
import { tablePattern } from '../transforms/pattern.ts';
import type { TargetSettings } from './config/schema.ts';

type ValueSettings = TargetSettings['values'];

/** The policies of each table: what the target says of all, and what later entries that match say instead. */
export function policiesOf({ zeroDates, nulCharacters, tables }: ValueSettings): PoliciesOf {
  const entries = tables.map(({ table, ...policies }) => ({ pattern: tablePattern(table), policies }));
  return (table) => {
    let found = { zeroDates, nulCharacters };
    for (const { pattern, policies } of entries) {
      if (!pattern.table(table)) continue;
      found = {
        zeroDates: policies.zeroDates ?? found.zeroDates,
        nulCharacters: policies.nulCharacters ?? found.nulCharacters,
      };
    }
    return found;
  };
}

/** Entries that match none of the tables, as sentences: nearly always a typing mistake. */
export function unmatchedPolicies({ tables }: ValueSettings, all: readonly TableSchema[]): string[] {
  return tables
    .map(({ table }) => tablePattern(table))
    .filter((pattern) => !all.some((table) => pattern.table(table)))
    .map(({ text }) => `values.tables: ${text} matches no table`);
}
