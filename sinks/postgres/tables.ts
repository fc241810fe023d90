import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import { defaultPolicies, type PoliciesOf } from '../../core/value-policy.ts';
import { type ExistingTable, type ServerFacts, placeKey, readTables, selectTables } from './catalog.ts';
import { requireSame } from './compare.ts';
import { quoteTable } from './sql.ts';
import type { Transaction } from './transaction.ts';
import { type TableWriter, tableWriter } from './writer.ts';

/** The compiled writers of a target's tables, until a schema change makes them void. */
export class Tables {
  readonly #byFingerprint = new Map<string, TableWriter>();
  readonly #origins = new Map<string, string>();
  readonly #policiesOf: PoliciesOf;

  constructor(policiesOf: PoliciesOf = () => defaultPolicies) {
    this.#policiesOf = policiesOf;
  }

  /** Notes which origin's rows go to a table. Throws TARGET_NAME_COLLISION when another origin's do already. */
  claim(table: TableSchema): void {
    const place = placeKey(table);
    const origin = this.#origins.get(place);
    if (origin !== undefined && origin !== table.origin) {
      const message = `the rows of ${origin} and of ${table.origin} would go to one table, ${quoteTable(table)}`;
      throw new LockstepError('TARGET_NAME_COLLISION', message, {
        fix: 'give one of them another name with a rename or route transform',
      });
    }
    this.#origins.set(place, table.origin);
  }

  /** A schema change has made or dropped tables: what was compiled may be wrong. */
  changed(before: TableSchema | null): void {
    this.#byFingerprint.clear();
    if (before !== null) this.#origins.delete(placeKey(before));
  }

  /** Looks at all tables of a batch at once: with many small ones the round trips would take most of the time. */
  async lookAt(
    tables: Iterable<TableSchema>,
    transaction: Transaction,
    facts: ServerFacts,
    signal: AbortSignal,
  ): Promise<void> {
    const unknown = [...tables].filter(({ fingerprint }) => !this.#byFingerprint.has(fingerprint));
    if (unknown.length < 2) return;
    const found = readTables(await transaction.query(selectTables(unknown), signal));
    for (const table of unknown) {
      const existing = found.get(placeKey(table));
      if (existing !== undefined) this.#compile(table, existing, facts);
    }
  }

  #compile(table: TableSchema, existing: ExistingTable, facts: ServerFacts): TableWriter {
    requireSame(table, existing, facts);
    const writer = tableWriter(table, existing, this.#policiesOf(table));
    this.#byFingerprint.set(table.fingerprint, writer);
    return writer;
  }

  /** Throws TARGET_SCHEMA when the target's table cannot take the rows. */
  async writer(
    table: TableSchema,
    transaction: Transaction,
    facts: ServerFacts,
    signal: AbortSignal,
  ): Promise<TableWriter> {
    const known = this.#byFingerprint.get(table.fingerprint);
    if (known !== undefined) return known;
    const outcome = await transaction.query(selectTables([table]), signal);
    const existing = readTables(outcome).get(placeKey(table));
    if (existing === undefined) {
      const message = `the target has no table ${quoteTable(table)} for ${table.origin}`;
      throw new LockstepError('TARGET_SCHEMA', message, {
        fix: 'start again: tables that are missing are created at the start',
      });
    }
    return this.#compile(table, existing, facts);
  }
}
