import { toLockstepError } from '../../core/errors.ts';
import { sleep } from '../../core/signals.ts';
import type { IndexedTable, LostIndex, SecondaryIndex } from '../../core/secondary-index.ts';
import type { TableSchema } from '../../core/table.ts';
import { defaultPolicies, type PoliciesOf } from '../../core/value-policy.ts';
import type { ServerFacts } from './catalog.ts';
import { sqlStateOf } from './errors.ts';
import { createIndex, indexNames, indexText, type IndexText } from './index-text.ts';
import type { Session } from './session.ts';
import { quoteTable, quoteText } from './sql.ts';

/** An index that the table has, by its columns: null where one of them is an expression, or only some rows are in it. */
interface ExistingIndex {
  readonly name: string;
  readonly valid: boolean;
  readonly unique: boolean;
  readonly plain: IndexText['plain'];
}

const DEADLOCK = '40P01';
const UNIQUE_VIOLATION = '23505';
/** Classes of what the index itself is refused for: anything else may pass, or stops more than the index. */
const ofTheIndex = /^(0A|22|23|42|54)/;
const DEADLOCKS = 5;
const AFTER_DEADLOCK_MS = 500;

export interface IndexingOptions {
  readonly session: Session;
  readonly facts: ServerFacts;
  readonly policies?: PoliciesOf | undefined;
  readonly onMade: () => void;
}

/**
 * Makes the indexes that a table lacks one after the other, without keeping anybody from writing to it: a transaction that changes the table waits for
 * none of it, and one that alters or empties the table for the index under way. An index that was left half done is dropped first.
 */
export async function createIndexes(
  { table, indexes }: IndexedTable,
  { session, facts, policies = () => defaultPolicies, onMade }: IndexingOptions,
  signal: AbortSignal,
): Promise<readonly LostIndex[]> {
  const lost: LostIndex[] = [];
  const isPartitioned = (await session.query(selectPartitioned(table), signal))[0]?.rows[0]?.[0] === 't';
  const how = isPartitioned ? '' : 'CONCURRENTLY ';
  for (const index of indexes) {
    const text = indexText(table, index, facts, policies(table));
    const reason = typeof text === 'string' ? text : await create({ session, table, index, text, how }, signal);
    if (reason === null) onMade();
    else lost.push({ name: index.name, reason });
  }
  return lost;
}

interface Making {
  readonly session: Session;
  readonly table: TableSchema;
  readonly index: SecondaryIndex;
  readonly text: IndexText;
  /** `CONCURRENTLY `, but for a partitioned table, which knows no such thing. */
  readonly how: string;
}

/** Null once the index is there, else why it is not. */
async function create(making: Making, signal: AbortSignal): Promise<string | null> {
  const { session, table, text, how } = making;
  for (let deadlocks = 0; ; deadlocks += 1) {
    const name = await freeName(making, signal);
    if (name === null) return null;
    try {
      await session.query(createIndex(table, name, text, how), signal);
      return null;
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === DEADLOCK && deadlocks < DEADLOCKS) {
        await sleep(AFTER_DEADLOCK_MS, signal);
        continue;
      }
      if (state === null || !ofTheIndex.test(state)) throw error;
      await session.query(drop(table, name, how), signal);
      if (state !== UNIQUE_VIOLATION || !text.unique) return toLockstepError(error).message;
      const reason = await create({ ...making, text: { ...text, unique: false } }, signal);
      return reason ?? 'it is not unique here: rows of the target are alike in it';
    }
  }
}

/** What the index is to be called; null where the table has it, or one that does as well. Drops what was left of it half done. */
async function freeName({ session, table, index, text, how }: Making, signal: AbortSignal): Promise<string | null> {
  const names = indexNames(table, index);
  const existing = readIndexes((await session.query(selectIndexes(table), signal))[0]?.rows ?? []);
  if (existing.some((found) => found.valid && (names.includes(found.name) || doesAsWell(found, text)))) return null;
  for (const { name, valid } of existing)
    if (!valid && names.includes(name)) await session.query(drop(table, name, how), signal);
  const [outcome] = await session.query(selectTaken(table, names), signal);
  const taken = new Set(outcome?.rows.map(([name]) => name));
  return names.find((name) => !taken.has(name)) ?? names[1];
}

function doesAsWell(found: ExistingIndex, { plain, unique }: IndexText): boolean {
  if (found.plain === null || plain === null || (unique && !found.unique)) return false;
  return (
    found.plain.length === plain.length &&
    plain.every(
      ({ name, descending }, i) => found.plain?.[i]?.name === name && found.plain[i]?.descending === descending,
    )
  );
}

function drop({ database }: TableSchema, name: string, how: string): string {
  return `DROP INDEX ${how}IF EXISTS ${quoteTable({ database, name })}`;
}

const ofTable = ({ database, name }: TableSchema): string =>
  `n.nspname = ${quoteText(database)} AND c.relname = ${quoteText(name)}`;

function selectPartitioned(table: TableSchema): string {
  return `SELECT c.relkind = 'p' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${ofTable(table)}`;
}

/** Bit 0 of a column's options is DESC. */
function selectIndexes(table: TableSchema): string {
  return `SELECT json_build_object('name', i.relname, 'valid', x.indisvalid AND x.indisready, 'unique', x.indisunique, 'plain',
  CASE WHEN x.indexprs IS NULL AND x.indpred IS NULL AND m.amname = 'btree' THEN (
    SELECT json_agg(json_build_object('name', a.attname, 'descending', x.indoption[k.place - 1] & 1 = 1) ORDER BY k.place)
    FROM unnest(x.indkey) WITH ORDINALITY k(attnum, place) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE k.place <= x.indnkeyatts) END)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${ofTable(table)}`;
}

/** The JSON that `selectIndexes` builds. */
function readIndexes(rows: readonly (readonly (string | null)[])[]): ExistingIndex[] {
  return rows.map(([json]) => JSON.parse(json ?? 'null') as ExistingIndex);
}

function selectTaken({ database }: TableSchema, names: readonly string[]): string {
  return `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ${quoteText(database)} AND c.relname IN (${names.map(quoteText).join(', ')})`;
}
