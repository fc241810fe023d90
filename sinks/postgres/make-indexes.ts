import { isDeepStrictEqual } from 'node:util';
import { LockstepError, toLockstepError } from '../../core/errors.ts';
import type { IndexedTable, LostIndex, SecondaryIndex } from '../../core/secondary-index.ts';
import type { TableSchema } from '../../core/table.ts';
import type { ServerFacts } from './catalog.ts';
import { sqlStateOf } from './errors.ts';
import { indexNames, indexStatement, indexText, OUR_NAMES, type IndexText } from './index-text.ts';
import type { Outcome, Session } from './session.ts';
import { quoteTable, quoteText } from './sql.ts';

/** An index that the table has. */
interface ExistingIndex {
  readonly name: string;
  readonly valid: boolean;
  readonly plain: IndexText['plain'];
}

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
 * Makes the indexes that a table lacks one after the other, while others write to it; what an earlier try left half done is dropped first, and nothing else. Gives
 * those that cannot be made. Errors: those that stand in the way of all, or that may pass.
 */
export async function makeIndexes(
  { table, indexes }: IndexedTable,
  { session, facts, onMade }: MakingOptions,
  signal: AbortSignal,
): Promise<readonly LostIndex[]> {
  await lock(session, table, signal);
  const isPartitioned = (await session.query(selectPartitioned(table), signal))[0]?.rows[0]?.[0] === 't';
  const making: Making = { session, table, how: isPartitioned ? '' : 'CONCURRENTLY ' };
  const lost: LostIndex[] = [];
  for (const index of indexes) {
    const text = indexText(table, index, facts);
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
  const names = indexNames(table, index, text);
  const existing = readExisting((await session.query(selectExisting(table), signal))[0]);
  const doesAsWell = ({ name, plain }: ExistingIndex): boolean =>
    plain === null ? names.includes(name) : isDeepStrictEqual(plain, text.plain);
  if (existing.some((found) => found.valid && doesAsWell(found))) return null;
  for (const { name, valid } of existing) if (!valid && names.includes(name)) await drop(making, name, signal);
  const [outcome] = await session.query(selectTaken(table, names), signal);
  const taken = new Set(outcome?.rows.map(([name]) => name));
  const name = names.find((name) => !taken.has(name));
  if (name === undefined) return 'other indexes have all names that it could have';
  try {
    await session.query(indexStatement(table, name, text, how), signal);
    return null;
  } catch (error) {
    const state = sqlStateOf(error);
    // The source's table is further than the target's: the stream will bring it there.
    if (state === '42P01' || state === '42703')
      throw notNow(`${quoteTable(table)} is not yet as the source's table is now`, error);
    if (state === '42P07' || state === '23505') throw notNow(`the name ${name} has just been taken`, error);
    // Half an index takes its room too. Where it cannot be dropped now it is before the next try.
    if (state !== null) await drop(making, name, signal).catch(() => undefined);
    const { verdict, code, message } = toLockstepError(error);
    if (verdict !== 'operator' || code === 'TARGET_GRANT') throw error;
    return message;
  }
}

async function drop({ session, table, how }: Making, name: string, signal: AbortSignal): Promise<void> {
  await session.query(`DROP INDEX ${how}IF EXISTS ${inSchema(table, name)}`, signal);
}

/** Kept for as long as the connection works, also where its client is gone: nobody else drops what it is still making. */
async function lock(session: Session, table: TableSchema, signal: AbortSignal): Promise<void> {
  const [outcome] = await session.query(`SELECT pg_try_advisory_lock(${lockOf(table)})`, signal);
  if (outcome?.rows[0]?.[0] === 't') return;
  throw new LockstepError('TARGET_BUSY', `another connection is making indexes of ${quoteTable(table)}`);
}

function notNow(message: string, cause: unknown): LockstepError {
  return new LockstepError('TARGET_BUSY', message, { cause });
}

/** Drops indexes of ours where a column gets another type: those over its beginning, which may be impossible then, and all where it `grows`. */
export async function dropIndexesOf(
  table: TableSchema,
  retyped: readonly { readonly name: string; readonly grows: boolean }[],
  query: (statement: string) => Promise<Outcome | undefined>,
): Promise<void> {
  const columns = retyped.map(({ name, grows }) => `(${quoteText(name)}, ${String(grows)})`);
  const outcome =
    await query(`SELECT i.relname ${fromIndexes(table)} AND i.relname ~ ${quoteText(OUR_NAMES)} AND EXISTS (
    SELECT FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    JOIN (VALUES ${columns.join(', ')}) r(name, grows) ON r.name = a.attname AND (r.grows OR x.indexprs IS NOT NULL)
    WHERE d.classid = 'pg_class'::regclass AND d.objid = i.oid AND d.refobjid = c.oid)`);
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

const fromIndexes = (table: TableSchema): string => `FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_am m ON m.oid = i.relam JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${isTable(table)}`;

/** Bit 0 of a column's options is DESC. */
function selectExisting(table: TableSchema): string {
  return `SELECT json_build_object('name', i.relname, 'valid', x.indisvalid AND x.indisready, 'plain',
      CASE WHEN x.indexprs IS NULL AND x.indpred IS NULL AND m.amname = 'btree' THEN (
        SELECT json_agg(json_build_object('name', a.attname, 'descending', x.indoption[k.place - 1] & 1 = 1) ORDER BY k.place)
        FROM unnest(x.indkey) WITH ORDINALITY k(attnum, place) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE k.place <= x.indnkeyatts) END) ${fromIndexes(table)}`;
}

/** The JSON that `selectExisting` builds. */
function readExisting(outcome: Outcome | undefined): ExistingIndex[] {
  return (outcome?.rows ?? []).map(([json]) => JSON.parse(json ?? 'null') as ExistingIndex);
}

function selectTaken({ database }: TableSchema, names: readonly string[]): string {
  return `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ${quoteText(database)} AND c.relname IN (${names.map(quoteText).join(', ')})`;
}
