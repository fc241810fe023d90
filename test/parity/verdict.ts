import type { Values, Value } from '../../core/contracts.ts';
import { EITHER_NULL } from '../../verify/row.ts';
import { rowText } from '../support/memory-table.ts';
import { exceptionFor, type Exception, type Place } from './exceptions.ts';
import type { Found, Reading } from './run.ts';
import { ways } from './rows.ts';

const shown = (value: Value): string => rowText([value]);
const short = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}… (${text.length})` : text);

/** Where the source's own images of a column differ from what SQL on the source says; empty when all are equal. */
export function imageProblems({ expected, images, table, cases }: Found, column: number): string[] {
  const problems: string[] = [];
  const check = (what: string, i: number, rows: ReadonlyMap<number, Values>, id: number): void => {
    const [wanted, found] = [expected[i]?.[column + 1] ?? null, rows.get(id)?.[column + 1]];
    if (found !== undefined && shown(found) === shown(wanted)) return;
    const there = found === undefined ? 'nothing' : short(shown(found));
    problems.push(`${what} of case ${i}: ${there} and not ${short(shown(wanted))}`);
  };
  for (let i = 0; i < cases; i += 1) {
    const next = (i + 1) % cases;
    check('the copy', i, images.read, ways.copied + i);
    check('the insert', i, images.inserted, ways.inserted + i);
    check('the update, before,', next, images.before, ways.updated + i);
    check('the update, after,', i, images.after, ways.updated + i);
    check('the delete', i, images.deleted, ways.deleted + i);
  }
  const { is = [] } = table.columns[column] ?? {};
  for (const [i, value] of is.entries()) {
    const wanted = expected[i]?.[column + 1] ?? null;
    if (shown(value) !== shown(wanted))
      problems.push(`SQL says ${short(shown(wanted))}, we say ${short(shown(value))}`);
  }
  return problems;
}

/** The places a value must get through to be read there. */
const places: Readonly<Record<Reading, readonly Place[]>> = {
  'direct postgres': ['postgres'],
  'direct mongodb': ['mongodb'],
  'kafka postgres': ['avro', 'postgres'],
  'kafka mongodb': ['avro', 'mongodb'],
  avro: ['avro'],
};

/** Where what was read back differs from the source. */
export function readingProblems(found: Found, column: number, reading: Reading): string[] {
  const problems: string[] = [];
  const rows = found.read.get(reading);
  for (const [way, first] of Object.entries(ways)) {
    for (let i = 0; i < found.cases; i += 1) {
      const there = rows?.get(first + i);
      if (way === 'deleted') {
        if (there !== undefined) problems.push(`case ${i} is still there`);
        continue;
      }
      const theirs = there?.[column + 1];
      if (theirs === undefined) {
        problems.push(`case ${i}, ${way}, is missing`);
        continue;
      }
      const mine = found.source.get(first + i)?.[column + 1] ?? null;
      const value = found.expected[i]?.[column + 1] ?? null;
      const exception = value === null ? undefined : firstException(found, column, reading, value);
      if (exception === undefined ? isSame(value, mine, theirs) : exception.isRight(theirs, mine)) continue;
      problems.push(`case ${i}, ${way}: ${short(String(theirs))} and not ${short(exception?.becomes ?? String(mine))}`);
    }
  }
  return problems;
}

/** A value that is NULL for verify/ alone needs an exception. */
function isSame(value: Value, mine: string | null, theirs: string | null): boolean {
  if (value === null) return mine === null && (theirs === null || theirs === EITHER_NULL);
  return mine !== null && mine === theirs;
}

function firstException(
  found: Found,
  column: number,
  reading: Reading,
  value: NonNullable<Value>,
): Exception | undefined {
  const declared = found.table.columns[column]?.sql ?? '';
  for (const place of places[reading]) {
    const exception = exceptionFor(place, declared, value);
    if (exception !== undefined) return exception;
  }
  return undefined;
}

/** The exceptions that the edges of a column met in a place. */
export function exceptionsMet({ expected, edges, table }: Found, column: number, place: Place): Exception[] {
  const declared = table.columns[column]?.sql ?? '';
  const values = expected.slice(0, edges).map((row) => row[column + 1] ?? null);
  const met = values.flatMap((value) => (value === null ? [] : (exceptionFor(place, declared, value) ?? [])));
  return [...new Set(met)];
}
