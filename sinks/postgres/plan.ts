import type { PlannedColumn, PlannedIndex, PlannedTable, TargetOptions } from '../../core/plugin.ts';
import type { IndexedTable, SecondaryIndex } from '../../core/secondary-index.ts';
import type { Column, TableSchema } from '../../core/table.ts';
import { LockstepError } from '../../core/errors.ts';
import {
  type ExistingTable,
  type ServerFacts,
  placeKey,
  readFacts,
  readTables,
  selectFacts,
  selectTables,
} from './catalog.ts';
import { differences } from './compare.ts';
import { requireNames } from './ddl.ts';
import { defaultIsLost } from './defaults.ts';
import { defaultPolicies, type ValuePolicies, zeroDateNote } from '../../core/value-policy.ts';
import { indexNames, indexStatement, indexText } from './index-text.ts';
import { Session } from './session.ts';
import { quoteTable } from './sql.ts';
import { sessionOptions } from './target.ts';
import { canBeIdentity, targetType } from './types.ts';

/** Says what `prepare` would do with each table; changes nothing. */
export async function planTables(
  options: TargetOptions,
  indexed: readonly IndexedTable[],
  signal: AbortSignal,
): Promise<readonly PlannedTable[]> {
  if (indexed.length === 0) return [];
  const tables = indexed.map(({ table }) => table);
  const session = await Session.open(sessionOptions(options), signal);
  try {
    const facts = readFacts((await session.query(selectFacts, signal))[0]);
    const existing = readTables((await session.query(selectTables(tables), signal))[0]);
    const policies = options.values ?? (() => defaultPolicies);
    return indexed.map(({ table, indexes }) => ({
      ...planTable(table, existing.get(placeKey(table)) ?? null, facts, tables, policies(table)),
      indexes: indexes.map((index) => planIndex(table, index, facts)),
    }));
  } finally {
    await session.end();
  }
}

function planTable(
  table: TableSchema,
  existing: ExistingTable | null,
  facts: ServerFacts,
  all: readonly TableSchema[],
  policies: ValuePolicies,
): Omit<PlannedTable, 'indexes'> {
  return {
    origin: table.origin,
    name: quoteTable(table),
    exists: existing !== null,
    columns: table.columns.map((column, index) =>
      planColumn(column, existing, facts, table.key.includes(index) ? null : policies),
    ),
    notes: [...nameNotes(table, all), ...tableNotes(table, existing, facts), ...nulNotes(table, policies)],
  };
}

function planIndex(table: TableSchema, index: SecondaryIndex, facts: ServerFacts): PlannedIndex {
  const { name } = index;
  const text = indexText(table, index, facts);
  if (typeof text === 'string') return { name, to: null, note: text };
  return { name, to: indexStatement(table, indexNames(table, index, text)[0] ?? '', text), note: null };
}

function nameNotes(table: TableSchema, all: readonly TableSchema[]): string[] {
  const other = all.find((other) => other.origin !== table.origin && placeKey(other) === placeKey(table));
  const notes =
    other === undefined
      ? []
      : [`${other.origin} would go to the same table: give one of them another name with a rename or route transform.`];
  try {
    requireNames(table);
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    notes.push(`${error.message}: ${error.fix}.`);
  }
  return notes;
}

function tableNotes(table: TableSchema, existing: ExistingTable | null, facts: ServerFacts): string[] {
  const notes: string[] = [];
  if (table.key.length === 0) {
    notes.push(
      'The table has no key: rows are found by all their columns, which is slow, and equal rows cannot be told apart.',
    );
  }
  if (existing === null) return notes;
  for (const { what, mend } of differences(table, existing, facts))
    notes.push(`In the target's table ${what}: ${mend};`);
  if (existing.triggers.length > 0) {
    notes.push(
      `The target's table has triggers (${existing.triggers.join(', ')}): they do not fire while the session may set session_replication_role.`,
    );
  }
  return notes;
}

const nulKinds = new Set<Column['type']['kind']>(['char', 'varchar', 'text', 'json']);

/** Where U+0000 is not changed by policy: its columns, in one sentence. */
function nulNotes({ columns, key }: TableSchema, { nulCharacters }: ValuePolicies): string[] {
  const names = columns
    .filter(({ type }, index) => nulKinds.has(type.kind) && (nulCharacters === 'dead-letter' || key.includes(index)))
    .map(({ name }) => name);
  return names.length === 0 ? [] : [`A row with U+0000 in ${names.join(', ')} is refused.`];
}

/** `policies` is null for a key column, which none changes. */
function planColumn(
  column: Column,
  existing: ExistingTable | null,
  facts: ServerFacts,
  policies: ValuePolicies | null,
): PlannedColumn {
  const has = existing?.columns.get(column.name);
  const to = has?.type ?? targetType(column.type, facts.geometry);
  return {
    name: column.name,
    from: column.declared,
    to,
    note: columnNote(column, to, has?.generated ?? false, policies),
  };
}

function columnNote(
  column: Column,
  to: string,
  generatedThere: boolean,
  policies: ValuePolicies | null,
): string | null {
  const notes: string[] = [];
  const { kind } = column.type;
  if (generatedThere) notes.push('the target computes this column itself');
  else if (column.generated !== null) notes.push('generated at the source, a plain column here');
  if (column.autoIncrement && !canBeIdentity(to))
    notes.push(`AUTO_INCREMENT is not kept: ${to} cannot be an identity column`);
  if (defaultIsLost(column)) notes.push(`the default ${column.default ?? ''} is not carried`);
  if (kind === 'date' || kind === 'datetime' || kind === 'timestamp') {
    notes.push(zeroDateNote(column, policies));
  }
  if (policies !== null && policies.nulCharacters !== 'dead-letter' && nulKinds.has(kind))
    notes.push(`U+0000 ${policies.nulCharacters === 'strip' ? 'is left out' : 'becomes U+FFFD'}`);
  if (kind === 'geometry' && to === 'bytea') notes.push('kept as EWKB: install PostGIS for its geometry type');
  return notes.length === 0 ? null : notes.join('; ');
}
