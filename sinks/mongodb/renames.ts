import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';

const name = '(`(?:[^`]|``)+`|"(?:[^"]|"")+"|[^\\s`"(),;]+)';
/** `RENAME COLUMN a TO b` and `CHANGE [COLUMN] [IF EXISTS] a b …`. Source: MySQL and MariaDB manuals, "ALTER TABLE". */
const clauses = [
  new RegExp(`\\bRENAME\\s+COLUMN\\s+(?:IF\\s+EXISTS\\s+)?${name}\\s+TO\\s+${name}`, 'gi'),
  new RegExp(`\\bCHANGE\\s+(?:COLUMN\\s+)?(?:IF\\s+EXISTS\\s+)?${name}\\s+${name}`, 'gi'),
];

/**
 * Which columns have only a new name. Taken from the statement; where transforms have changed names too, from the place: a column that is
 * gone and a new one where it was. Without such a clause nothing is a rename. Errors: TARGET_UNSUPPORTED for names that change places.
 */
export function renamedColumns(
  before: TableSchema,
  after: TableSchema,
  statement: string,
): ReadonlyMap<string, string> {
  const named = pairs(statement);
  const renamed = new Map<string, string>();
  if (named.length === 0) return renamed;
  const old = before.columns.map(({ name }) => name);
  const now = after.columns.map(({ name }) => name);
  for (const [from, to] of named) {
    if (!old.includes(from) || !now.includes(to)) continue;
    if (old.includes(to)) {
      const message = `columns of ${after.origin} were renamed to names that other columns had`;
      throw new LockstepError('TARGET_UNSUPPORTED', message, { fix: 'rename one by one, through a name that is free' });
    }
    if (!now.includes(from)) renamed.set(from, to);
  }
  if (renamed.size > 0 || old.length !== now.length) return renamed;
  for (const [index, from] of old.entries()) {
    const to = now[index];
    if (to !== undefined && !now.includes(from) && !old.includes(to)) renamed.set(from, to);
  }
  return renamed;
}

function pairs(statement: string): [from: string, to: string][] {
  return clauses
    .flatMap((clause) => [...statement.matchAll(clause)])
    .map(([, from = '', to = '']): [string, string] => [unquote(from), unquote(to)])
    .filter(([from, to]) => from !== to);
}

function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1).replaceAll('``', '`');
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}
