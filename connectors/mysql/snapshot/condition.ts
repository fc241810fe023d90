import { civilDays } from '../../../core/civil-date.ts';
import type { Value, Values } from '../../../core/contracts.ts';
import type { Column, TableSchema } from '../../../core/table.ts';
import { quote } from '../connection/server.ts';
import { TokenReader } from '../schema/tokens.ts';

/** Rows of a table: those whose `columns` equal one of `rows`. Source and target can both be asked for them. */
export interface RowCondition {
  /** As it was given. */
  readonly text: string;
  /** Indexes into the table's columns. */
  readonly columns: readonly number[];
  readonly rows: readonly Values[];
  /** For the source; text is compared under the column's collation, so that it may find more. */
  readonly sql: string;
}

/** Beyond this the target is asked for too much in one step. */
const mostRows = 10_000;

const understood =
  'what is understood: `column = value`, `column IN (…)` and, for whole numbers, `column BETWEEN a AND b`, joined by AND';

interface Term {
  readonly index: number;
  readonly values: readonly Value[];
  readonly sql: string;
}

/**
 * Reads a condition that a person gave for rows of a table. `circular` says whether rows of the table can refer to others of it. A refusal says why the
 * rows cannot be told by it.
 */
export function conditionOf(
  text: string,
  table: TableSchema,
  circular: boolean,
): RowCondition | { readonly refusal: string } {
  if (table.key.length === 0) return { refusal: `${table.origin} has no key, so it can only be copied as a whole` };
  if (circular)
    return {
      refusal: `rows of ${table.origin} refer to each other, so it can only be copied as a whole, at one moment`,
    };
  const reader = new TokenReader(text);
  const terms: Term[] = [];
  do {
    const term = readTerm(reader, table);
    if (typeof term === 'string') return { refusal: term };
    if (terms.some(({ index }) => index === term.index))
      return { refusal: `a column stands in it twice; ${understood}` };
    terms.push(term);
  } while (reader.skip('AND'));
  if (!reader.ended) return { refusal: `it cannot be read from \`${reader.take()}\` on; ${understood}` };
  const count = terms.reduce((product, { values }) => product * values.length, 1);
  if (count > mostRows)
    return {
      refusal: `it names ${count.toLocaleString('en')} combinations of values; at most ${mostRows.toLocaleString('en')} can be done at once`,
    };
  const rows = terms.reduce<Value[][]>(
    (found, { values }) => found.flatMap((row) => values.map((value) => [...row, value])),
    [[]],
  );
  return { text, columns: terms.map(({ index }) => index), rows, sql: terms.map(({ sql }) => sql).join(' AND ') };
}

/** A term, or why it is none. */
function readTerm(reader: TokenReader, table: TableSchema): Term | string {
  const name = reader.name();
  const index = table.columns.findIndex((column) => column.name.toLowerCase() === name.toLowerCase());
  const column = table.columns[index];
  if (column === undefined) return `${table.origin} has no column \`${name}\`; ${understood}`;
  const texts = readTexts(reader, column);
  if (typeof texts === 'string') return texts;
  const values: Value[] = [];
  for (const text of texts) {
    const value = valueOf(text, column);
    if (value === null)
      return `\`${column.name}\` is ${column.declared}, and what is given for it is no such value in full; columns of whole numbers, text and dates can be compared`;
    values.push(value);
  }
  const literals = values.map(literalOf);
  return { index, values, sql: `${quote(column.name)} IN (${literals.join(', ')})` };
}

function readTexts(reader: TokenReader, column: Column): string[] | string {
  if (reader.skip('=')) return [readLiteral(reader)];
  if (reader.skip('IN', '(')) {
    const texts: string[] = [];
    do texts.push(readLiteral(reader));
    while (reader.skip(','));
    return reader.skip(')') ? texts : `a bracket is missing; ${understood}`;
  }
  const isWhole = column.type.kind === 'int' || column.type.kind === 'bigint';
  if (isWhole && reader.skip('BETWEEN')) {
    const from = readLiteral(reader);
    if (!reader.skip('AND')) return understood;
    return numbersBetween(from, readLiteral(reader));
  }
  return `\`${column.name}\` is compared in a way that the target cannot be asked in; ${understood}`;
}

function numbersBetween(from: string, to: string): string[] | string {
  if (!isWholeNumber(from) || !isWholeNumber(to)) return understood;
  const [low, high] = [BigInt(from), BigInt(to)];
  if (low > high) return `there is nothing between ${from} and ${to}`;
  if (high - low >= BigInt(mostRows))
    return `there are more than ${mostRows.toLocaleString('en')} numbers between ${from} and ${to}; ask for a part of them at a time`;
  return Array.from({ length: Number(high - low) + 1 }, (_, i) => String(low + BigInt(i)));
}

/** A number as it stands, a text with its marks. */
function readLiteral(reader: TokenReader): string {
  return reader.skip('-') ? `-${reader.take()}` : reader.take();
}

function isWholeNumber(text: string): boolean {
  return /^-?\d+$/.test(text);
}

/** Whether a number is one of so many bits: the target refuses to be asked for others. */
function isIn(text: string, bits: number, unsigned: boolean): boolean {
  if (!isWholeNumber(text)) return false;
  const width = 1n << BigInt(bits);
  const low = unsigned ? 0n : -width / 2n;
  return BigInt(text) >= low && BigInt(text) < low + width;
}

/** A day of the calendar, and none of those that a target may have as something else. */
function isDay(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text) ?? [];
  return Number(year) > 0 && !Number.isNaN(civilDays(Number(year), Number(month), Number(day)));
}

/** The value that stands in rows; null where the text is none of the column, or its form in rows is not certain. */
function valueOf(text: string, { type }: Column): Value {
  switch (type.kind) {
    case 'int':
      return isIn(text, type.bits, type.unsigned) ? Number(text) : null;
    case 'bigint':
      return isIn(text, 64, type.unsigned) ? BigInt(text) : null;
    case 'char':
    case 'varchar':
    case 'text':
      return unquoted(text);
    case 'enum': {
      const label = unquoted(text);
      return label !== null && type.labels.includes(label) ? label : null;
    }
    case 'date': {
      const date = unquoted(text);
      return date !== null && isDay(date) ? date : null;
    }
    default:
      return null;
  }
}

/** What stands between the marks; null where there are none, or where a backslash means something else to some servers than to others. */
function unquoted(token: string): string | null {
  const [mark] = token;
  if ((mark !== "'" && mark !== '"') || token.length < 2 || token.includes('\\')) return null;
  return token.slice(1, -1).replaceAll(mark.repeat(2), mark);
}

function literalOf(value: Value): string {
  return typeof value === 'string' ? `_utf8mb4 x'${Buffer.from(value).toString('hex')}'` : String(value);
}
