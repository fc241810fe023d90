import { LockstepError } from '../core/errors.ts';
import type { PoliciesOf } from '../core/value-policy.ts';
import { compareTable, type CompareOptions, type TableResult } from './compare.ts';
import { openMongodbReader } from './mongodb.ts';
import { openMysqlReader } from './mysql.ts';
import { openPostgresReader } from './postgres.ts';
import type { SourceReader, TargetReader } from './row.ts';

/**
 * Compares tables of a source with a target, one after the other. `tables` are `database.table` patterns as in the config.
 * Both should stand still meanwhile. Errors: CONFIG_INVALID for a URL of another kind, SOURCE_NO_TABLES, and those of the readers.
 */
export async function compareAll(
  sourceUrl: string,
  targetUrl: string,
  tables: readonly string[],
  signal: AbortSignal,
  options: CompareOptions = {},
): Promise<readonly TableResult[]> {
  const opened = new AsyncDisposableStack();
  try {
    const source = opened.use(await openSourceReader(sourceUrl, signal, policiesFor(targetUrl, options.policiesOf)));
    const target = opened.use(await openTargetReader(targetUrl, signal));
    const schemas = await source.tables(tables, signal);
    if (schemas.length === 0) throw noTables(tables);
    const results: TableResult[] = [];
    for (const schema of schemas) results.push(await compareTable(source, target, schema, signal, options));
    return results;
  } finally {
    await opened.disposeAsync();
  }
}

export function isEqual(results: readonly TableResult[]): boolean {
  return results.every((result) => result.mismatched + result.missing + result.extra + result.deadLettered === 0);
}

/** Only PostgreSQL lacks U+0000: in another target it is as it was, whatever the policy. */
function policiesFor(targetUrl: string, policiesOf: PoliciesOf | undefined): PoliciesOf | undefined {
  if (policiesOf === undefined || /^postgres(ql)?:/.test(targetUrl)) return policiesOf;
  return (table) => ({ ...policiesOf(table), nulCharacters: 'dead-letter' });
}

/** Opens mysql:// and mariadb://, with values as the policies make them. Throws CONFIG_INVALID for anything else. */
export async function openSourceReader(
  url: string,
  signal: AbortSignal,
  policiesOf?: PoliciesOf,
): Promise<SourceReader> {
  if (/^(mysql|mariadb):/.test(url)) return await openMysqlReader(url, signal, policiesOf);
  throw unknownScheme('source', 'mysql:// or mariadb://');
}

/** Opens postgres:// and mongodb://. Throws CONFIG_INVALID for anything else. */
export async function openTargetReader(url: string, signal: AbortSignal): Promise<TargetReader> {
  if (/^postgres(ql)?:/.test(url)) return await openPostgresReader(url, signal);
  if (/^mongodb(\+srv)?:/.test(url)) return await openMongodbReader(url, signal);
  throw unknownScheme('target', 'postgres:// or mongodb://');
}

function noTables(patterns: readonly string[]): LockstepError {
  return new LockstepError('SOURCE_NO_TABLES', `no table of the source matches ${patterns.join(', ')}`, {
    fix: 'name tables as database.table; * stands for any text',
  });
}

function unknownScheme(side: string, wanted: string): LockstepError {
  return new LockstepError('CONFIG_INVALID', `the ${side}'s URL cannot be compared`, {
    fix: `it must begin with ${wanted}`,
  });
}
