import { LockstepError, toLockstepError } from '../../core/errors.ts';
import type { IndexedTable, LostIndex, SecondaryIndex } from '../../core/secondary-index.ts';
import type { TableSchema } from '../../core/table.ts';
import type { ServerFacts } from './catalog.ts';
import { sqlStateOf } from './errors.ts';
import { indexNames, indexStatement, indexText, type IndexText } from './index-text.ts';
import type { Outcome, Session } from './session.ts';
import { quoteTable, quoteText } from './sql.ts';

/** An index that the table has. */
interface ExistingIndex {
  readonly name: string;
  readonly valid: boolean;
  readonly plain: IndexText['plain'];
  /** Of one that is ours: what it was made as, `IndexText.on`. */
  readonly mark: string | null;
}

/** The beginning of the comment on an index of ours. */
const MARK = 'Lockstep: ';

export interface MakingOptions {
  readonly session: Session;
  readonly facts: ServerFacts;
  readonly onMade: () => void;
}

/** What one table's indexes are made with. */
interface Making {
  readonly session: Session;
  readonly table: TableSchema;
  /** But for a partitioned table, which knows no such thing. */
  readonly how: 'CONCURRENTLY ' | '';
}

/**
 * Makes the indexes that a table lacks one after the other, while others write to it, and drops those of ours that are half done or that the source has no
 * more. Gives those that cannot be made. Errors: TARGET_BUSY where it is to be tried again later; those of the connection.
 */
export async function makeIndexes(
  { table, indexes }: IndexedTable,
  { session, facts, onMade }: MakingOptions,
  signal: AbortSignal,
): Promise<readonly LostIndex[]> {
  await lock(session, table, signal);
  const isPartitioned = (await session.query(selectPartitioned(table), signal))[0]?.rows[0]?.[0] === 't';
  const making: Making = { session, table, how: isPartitioned ? '' : 'CONCURRENTLY ' };
  const planned = indexes.map((index) => ({ index, text: indexText(table, index, facts) }));
  const names = new Set(indexes.flatMap((index) => indexNames(table, index)));
  const isWanted = (found: ExistingIndex): boolean =>
    planned.some(({ text }) => typeof text !== 'string' && doesAsWell(found, text));
  const isSpent = (found: ExistingIndex): boolean =>
    found.valid ? found.mark !== null && !isWanted(found) : found.mark !== null || names.has(found.name);
  await drop(making, isSpent, signal);
  const lost: LostIndex[] = [];
  for (const { index, text } of planned) {
    const reason = typeof text === 'string' ? text : await make(making, index, text, signal);
    if (reason === null) onMade();
    else lost.push({ name: index.name, reason });
  }
  await session.query(`SELECT pg_advisory_unlock(${lockOf(table)})`, signal);
  return lost;
}

/** Null once the index is there, else why it cannot be. */
async function make(
  making: Making,
  index: SecondaryIndex,
  text: IndexText,
  signal: AbortSignal,
): Promise<string | null> {
  const { session, table, how } = making;
  const names = indexNames(table, index);
  const existing = await existingIndexes(making, signal);
  if (existing.some((found) => found.valid && doesAsWell(found, text))) return null;
  const unmarked = existing.find(({ name, plain, mark }) => mark === null && plain === null && names.includes(name));
  if (unmarked !== undefined) {
    await session.query(markStatement(table, unmarked.name, text), signal);
    return null;
  }
  const [outcome] = await session.query(selectTaken(table, names), signal);
  const taken = new Set(outcome?.rows.map(([name]) => name));
  const name = names.find((name) => !taken.has(name));
  if (name === undefined) return 'other indexes have all names that it could have';
  try {
    await session.query(indexStatement(table, name, text, how), signal);
    await session.query(markStatement(table, name, text), signal);
    return null;
  } catch (error) {
    const state = sqlStateOf(error);
    if (state === '42P01' || state === '42703') throw behind(table, error);
    const ours = toLockstepError(error);
    if (ours.verdict !== 'operator') throw error;
    await drop(making, (found) => found.name === name && !found.valid, signal);
    return ours.message;
  }
}

function markStatement(table: TableSchema, name: string, { on }: IndexText): string {
  return `COMMENT ON INDEX ${inSchema(table, name)} IS ${quoteText(MARK + on)}`;
}

function doesAsWell({ plain, mark }: ExistingIndex, text: IndexText): boolean {
  if (mark === text.on) return true;
  if (plain === null || text.plain === null || plain.length !== text.plain.length) return false;
  return text.plain.every(({ name, descending }, i) => plain[i]?.name === name && plain[i].descending === descending);
}

async function drop(making: Making, which: (index: ExistingIndex) => boolean, signal: AbortSignal): Promise<void> {
  const { session, table, how } = making;
  for (const found of await existingIndexes(making, signal))
    if (which(found)) await session.query(`DROP INDEX ${how}IF EXISTS ${inSchema(table, found.name)}`, signal);
}

/** Kept for as long as the connection works, also where its client is gone: nobody else drops what it is still making. */
async function lock(session: Session, table: TableSchema, signal: AbortSignal): Promise<void> {
  const [outcome] = await session.query(`SELECT pg_try_advisory_lock(${lockOf(table)})`, signal);
  if (outcome?.rows[0]?.[0] === 't') return;
  throw new LockstepError('TARGET_BUSY', `another connection is making indexes of ${quoteTable(table)}`);
}

/** The source's table is further than the target's: the stream will bring it there. */
function behind(table: TableSchema, cause: unknown): LockstepError {
  return new LockstepError('TARGET_BUSY', `${quoteTable(table)} is not yet as the source's table is now`, { cause });
}

/** Drops the indexes of ours, and those that are half done, that hold one of these columns: of another type they may be impossible. */
export async function dropIndexesOf(
  table: TableSchema,
  columns: readonly string[],
  query: (statement: string) => Promise<Outcome | undefined>,
): Promise<void> {
  const outcome = await query(`SELECT i.relname ${fromIndexes(table)} AND (${isOurs} OR NOT x.indisvalid) AND EXISTS (
    SELECT FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = i.oid AND d.refobjid = c.oid AND a.attname IN (${columns.map(quoteText).join(', ')}))`);
  for (const [name] of outcome?.rows ?? []) await query(`DROP INDEX IF EXISTS ${inSchema(table, name ?? '')}`);
}

const inSchema = ({ database }: TableSchema, name: string): string => quoteTable({ database, name });

const lockOf = (table: TableSchema): string =>
  `hashtext('lockstep indexes'), hashtext(${quoteText(quoteTable(table))})`;

const isTable = ({ database, name }: TableSchema): string =>
  `n.nspname = ${quoteText(database)} AND c.relname = ${quoteText(name)}`;

function selectPartitioned(table: TableSchema): string {
  return `SELECT c.relkind = 'p' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${isTable(table)}`;
}

const comment = `obj_description(i.oid, 'pg_class')`;
const isOurs = `starts_with(${comment}, ${quoteText(MARK)})`;

const fromIndexes = (table: TableSchema): string => `FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_am m ON m.oid = i.relam JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${isTable(table)}`;

/** Bit 0 of a column's options is DESC. */
async function existingIndexes({ session, table }: Making, signal: AbortSignal): Promise<ExistingIndex[]> {
  const [outcome] = await session.query(
    `SELECT json_build_object('name', i.relname, 'valid', x.indisvalid AND x.indisready,
      'mark', CASE WHEN ${isOurs} THEN substr(${comment}, ${String(MARK.length + 1)}) END, 'plain',
      CASE WHEN x.indexprs IS NULL AND x.indpred IS NULL AND m.amname = 'btree' THEN (
        SELECT json_agg(json_build_object('name', a.attname, 'descending', x.indoption[k.place - 1] & 1 = 1) ORDER BY k.place)
        FROM unnest(x.indkey) WITH ORDINALITY k(attnum, place) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE k.place <= x.indnkeyatts) END) ${fromIndexes(table)}`,
    signal,
  );
  return (outcome?.rows ?? []).map(([json]) => JSON.parse(json ?? 'null') as ExistingIndex);
}

function selectTaken({ database }: TableSchema, names: readonly string[]): string {
  return `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ${quoteText(database)} AND c.relname IN (${names.map(quoteText).join(', ')})`;
}
