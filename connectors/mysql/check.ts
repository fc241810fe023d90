import { LockstepError, toLockstepError } from '../../core/errors.ts';
import type { Check, SourceOptions } from '../../core/plugin.ts';
import { readCatalog, type CatalogTable } from './catalog/catalog.ts';
import { parseAddress, Session } from './connection/session.ts';
import { describeServer, readRole, requireReplicatedLogged } from './connection/role.ts';
import { readResolvedKeys } from './foreign-keys/resolved-keys.ts';
import { compilePatterns } from './catalog/patterns.ts';
import { logsForeignKeys, newerThan, readLogEnd, readServer, type Server } from './connection/server.ts';

/** What `lockstep doctor` says of the source. A connection that fails is one failed check, not an error. */
export async function checkSource(options: SourceOptions, signal: AbortSignal): Promise<readonly Check[]> {
  const address = parseAddress(options.url);
  let session: Session | null = null;
  try {
    session = await Session.open(address, signal);
    return await checkServer(session, options, address.user, signal);
  } catch (error) {
    const { code, message, fix } = toLockstepError(error);
    return [{ name: 'connection', outcome: 'fail', detail: `${code}  ${message}`, fix: fix === '' ? null : fix }];
  } finally {
    session?.destroy();
  }
}

async function checkServer(
  session: Session,
  options: SourceOptions,
  user: string,
  signal: AbortSignal,
): Promise<Check[]> {
  const server = await readServer(session, signal);
  const catalog = await readCatalog(session, server, compilePatterns(options.tables), signal);
  const { flavour, version } = server;
  return [
    { name: 'connection', outcome: 'pass', detail: `${flavour} ${version} at ${session.where} as ${user}`, fix: null },
    await serverCheck(session, server, signal),
    ...settingChecks(server),
    addressing(server, options.copy?.marker ?? null),
    await logRights(session, server, signal),
    await replicationRights(session, server, user, signal),
    ...tableChecks(catalog, options.tables),
    ...(await keyChecks(session, server, catalog, signal)),
  ];
}

/** Which of the servers that the address may lead to it is. */
async function serverCheck(session: Session, server: Server, signal: AbortSignal): Promise<Check> {
  const role = await readRole(session, server, signal);
  const detail = describeServer(server, role);
  try {
    requireReplicatedLogged(server, role, session.where);
    return { name: 'server', outcome: 'pass', detail, fix: null };
  } catch (error) {
    const { message, fix } = toLockstepError(error);
    return { name: 'server', outcome: 'fail', detail: `${detail}: ${message}`, fix };
  }
}

function settingChecks(server: Server): Check[] {
  const is = (name: string): string => server.variables.get(name)?.toUpperCase() ?? '';
  const must = (name: string, wanted: readonly string[], fix: string): Check => {
    const ok = wanted.includes(is(name));
    return { name, outcome: ok ? 'pass' : 'fail', detail: is(name) || 'not set', fix: ok ? null : fix };
  };
  const full = server.fullMetadata;
  const metadata: Check = {
    name: 'binlog_row_metadata',
    outcome: full ? 'pass' : 'warn',
    detail: full
      ? 'FULL'
      : `${is('binlog_row_metadata') || 'not known'}: the log does not describe its tables in full, so a schema change may stop the pipeline or copy a table again`,
    fix: full ? null : "SET GLOBAL binlog_row_metadata = 'FULL'",
  };
  return [
    must('log_bin', ['ON', '1'], 'start the server with log_bin'),
    must('binlog_format', ['ROW'], "SET GLOBAL binlog_format = 'ROW'"),
    must('binlog_row_image', ['FULL'], "SET GLOBAL binlog_row_image = 'FULL'"),
    metadata,
  ];
}

function addressing(server: Server, marker: string | null): Check {
  if (server.addressing !== 'place')
    return { name: 'gtid', outcome: 'pass', detail: server.flavour === 'mariadb' ? 'by domain' : 'ON', fix: null };
  if (marker !== null)
    return {
      name: 'gtid',
      outcome: 'warn',
      detail: `off: markers are written to ${marker}, and a change of server cannot be followed`,
      fix: null,
    };
  return {
    name: 'gtid',
    outcome: 'fail',
    detail: 'off: a lock-free snapshot needs GTIDs or marker writes',
    fix: 'SET GLOBAL enforce_gtid_consistency=ON; then gtid_mode OFF_PERMISSIVE, ON_PERMISSIVE, ON; or set source.copy.marker: lockstep.marker',
  };
}

async function logRights(session: Session, server: Server, signal: AbortSignal): Promise<Check> {
  try {
    const { file, offset } = await readLogEnd(session, server, signal);
    return { name: 'log position', outcome: 'pass', detail: `${file}:${offset}`, fix: null };
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    const right = server.flavour === 'mariadb' ? 'BINLOG MONITOR' : 'REPLICATION CLIENT';
    return {
      name: 'log position',
      outcome: 'fail',
      detail: error.message,
      fix: `GRANT ${right} ON *.* TO the replication user`,
    };
  }
}

async function replicationRights(session: Session, server: Server, user: string, signal: AbortSignal): Promise<Check> {
  const rows = await session.query('SHOW GRANTS', signal);
  const grants = rows.map((row) => Object.values(row)[0] ?? '').join('\n');
  const right =
    server.flavour === 'mariadb' && newerThan(server.version, 10, 5)
      ? /REPLICATION (SLAVE|REPLICA)/i
      : /REPLICATION SLAVE/i;
  const ok = right.test(grants) || /ALL PRIVILEGES ON \*\.\*/i.test(grants);
  return {
    name: 'replication right',
    outcome: ok ? 'pass' : 'fail',
    detail: ok ? 'granted' : 'missing',
    fix: ok ? null : `GRANT REPLICATION SLAVE ON *.* TO '${user}'`,
  };
}

function tableChecks(catalog: readonly CatalogTable[], patterns: readonly string[]): Check[] {
  const found: Check =
    catalog.length > 0
      ? { name: 'tables', outcome: 'pass', detail: `${catalog.length} captured`, fix: null }
      : {
          name: 'tables',
          outcome: 'fail',
          detail: `no table matches ${patterns.join(', ')}`,
          fix: 'check source.tables and GRANT SELECT on them',
        };
  return [found, ...unmatchedPatterns(catalog, patterns)];
}

function unmatchedPatterns(catalog: readonly CatalogTable[], patterns: readonly string[]): Check[] {
  const matches = (pattern: string): boolean => {
    const filter = compilePatterns([pattern]);
    return catalog.some(({ schema }) => filter(schema.database, schema.name));
  };
  return patterns
    .filter((pattern) => !pattern.startsWith('!') && !matches(pattern))
    .map((pattern) => ({
      name: 'tables',
      outcome: 'warn',
      detail: `${pattern} matches no table`,
      fix: 'is it spelled as on the server?',
    }));
}

async function keyChecks(
  session: Session,
  server: Server,
  catalog: readonly CatalogTable[],
  signal: AbortSignal,
): Promise<Check[]> {
  const keyless = catalog.filter(({ schema }) => schema.key.length === 0).map(({ schema }) => schema.origin);
  const checks: Check[] = [];
  if (keyless.length > 0) {
    checks.push({
      name: 'keys',
      outcome: 'warn',
      detail: `without a primary or unique-not-null key: ${keyless.join(', ')}; copied in one read while the stream waits`,
      fix: 'add a primary key (an invisible one will do)',
    });
  }
  return [...checks, ...(await foreignKeyChecks(session, server, catalog, signal))];
}

async function foreignKeyChecks(
  session: Session,
  server: Server,
  catalog: readonly CatalogTable[],
  signal: AbortSignal,
): Promise<Check[]> {
  const tables = catalog.map(({ schema }) => schema);
  const { keys, warnings } = await readResolvedKeys(session, server, tables, signal);
  const children = [...new Set(keys.map(({ child }) => child.origin))].join(', ');
  const how = logsForeignKeys(server) ? 'it is in the log' : 'it is not in the log and is done again in the target';
  const found: Check[] =
    keys.length === 0
      ? []
      : [{ name: 'foreign keys', outcome: 'pass', detail: `change rows of ${children}: ${how}`, fix: null }];
  return [...found, ...warnings.map((detail): Check => ({ name: 'foreign keys', outcome: 'warn', detail, fix: null }))];
}
