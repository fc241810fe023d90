import { toLockstepError } from '../../core/errors.ts';
import type { Check, TargetOptions } from '../../core/plugin.ts';
import { type Outcome, Session } from './session.ts';
import { quoteName, quoteText } from './sql.ts';
import { sessionOptions } from './target.ts';

const OLDEST = 130_000;

/** Connects and looks at everything the role needs; changes nothing. */
export async function checkTarget(options: TargetOptions, signal: AbortSignal): Promise<readonly Check[]> {
  let session: Session;
  try {
    session = await Session.open(sessionOptions(options), signal);
  } catch (error) {
    signal.throwIfAborted();
    const { code, message, fix } = toLockstepError(error);
    return [
      {
        name: 'connection',
        outcome: 'fail',
        detail: `${code}: ${message}`,
        fix: fix === '' ? 'start the server, or mend the url' : fix,
      },
    ];
  }
  try {
    const facts = await readRights(session, options.metadata, signal);
    return [
      { name: 'connection', outcome: 'pass', detail: `PostgreSQL ${facts.release} at ${session.server}`, fix: null },
      ...settingChecks(facts),
      ...rightChecks(facts, options.metadata),
      replicaCheck(session, facts),
      await triggerCheck(session, signal),
    ];
  } finally {
    await session.end();
  }
}

interface Rights {
  readonly release: string;
  readonly version: number;
  readonly encoding: string;
  readonly role: string;
  readonly database: string;
  readonly create: boolean;
  readonly temporary: boolean;
  /** Whether tables can be created in the metadata schema; null where it does not exist yet. */
  readonly metadata: boolean | null;
  readonly recovery: boolean;
}

async function readRights(session: Session, metadata: string, signal: AbortSignal): Promise<Rights> {
  const [outcome] = await session.query(
    `SELECT current_setting('server_version'), current_setting('server_version_num'), current_setting('server_encoding'), current_user,
    current_database(), has_database_privilege(current_database(), 'CREATE'), has_database_privilege(current_database(), 'TEMPORARY'),
    (SELECT has_schema_privilege(oid, 'USAGE, CREATE') FROM pg_namespace WHERE nspname = ${quoteText(metadata)}), pg_is_in_recovery()`,
    signal,
  );
  return parseRights(outcome);
}

function parseRights(outcome: Outcome | undefined): Rights {
  const [release, version, encoding, role, database, create, temporary, metadata, recovery] = outcome?.rows[0] ?? [];
  return {
    release: release ?? 'unknown',
    version: Number(version),
    encoding: encoding ?? '',
    role: role ?? '',
    database: database ?? '',
    create: create === 't',
    temporary: temporary === 't',
    metadata: metadata === null || metadata === undefined ? null : metadata === 't',
    recovery: recovery === 't',
  };
}

function check(name: string, good: boolean, detail: string, fix: string): Check {
  return { name, outcome: good ? 'pass' : 'fail', detail, fix: good ? null : fix };
}

function settingChecks(facts: Rights): Check[] {
  const encodingFix = `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name it in the url`;
  return [
    check(
      'version',
      facts.version >= OLDEST,
      `server_version ${facts.release}, 13 or later is needed`,
      'upgrade the server',
    ),
    check(
      'encoding',
      facts.encoding === 'UTF8',
      `database ${facts.database} has encoding ${facts.encoding}`,
      encodingFix,
    ),
    check(
      'writes',
      !facts.recovery,
      facts.recovery ? 'the server is a standby' : 'the server takes writes',
      'point the url at the primary',
    ),
  ];
}

function rightChecks(facts: Rights, metadata: string): Check[] {
  const [database, role] = [quoteName(facts.database), quoteName(facts.role)];
  const has = (right: boolean): string => (right ? 'has' : 'lacks');
  const checks = [
    check(
      'create',
      facts.create,
      `role ${facts.role} ${has(facts.create)} CREATE on database ${facts.database}, for schemas`,
      `GRANT CREATE ON DATABASE ${database} TO ${role};`,
    ),
    check(
      'temporary',
      facts.temporary,
      `role ${facts.role} ${has(facts.temporary)} TEMPORARY on database ${facts.database}, for staging tables`,
      `GRANT TEMPORARY ON DATABASE ${database} TO ${role};`,
    ),
  ];
  if (facts.metadata === null) return checks;
  const fix = `GRANT USAGE, CREATE ON SCHEMA ${quoteName(metadata)} TO ${role};`;
  return [
    ...checks,
    check(
      'metadata',
      facts.metadata,
      `role ${facts.role} ${has(facts.metadata)} the rights on schema ${metadata}`,
      fix,
    ),
  ];
}

/** Without it triggers fire on replicated rows, and foreign keys are checked in an order that is not the source's. */
function replicaCheck(session: Session, facts: Rights): Check {
  const name = 'session_replication_role';
  if (session.replica)
    return { name, outcome: 'pass', detail: 'triggers and foreign keys are off while replicating', fix: null };
  const grant = `GRANT SET ON PARAMETER session_replication_role TO ${quoteName(facts.role)};`;
  const fix = facts.version >= 150_000 ? grant : `ALTER ROLE ${quoteName(facts.role)} SUPERUSER;`;
  const detail = `role ${facts.role} may not set it: triggers will fire, and foreign keys may refuse rows`;
  return { name, outcome: 'warn', detail, fix };
}

/** Replication fires triggers that are enabled ALWAYS or for REPLICA; without the role's right also the ordinary ones. */
async function triggerCheck(session: Session, signal: AbortSignal): Promise<Check> {
  const [outcome] = await session.query(
    `SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
    WHERE NOT tgisinternal AND tgenabled IN ('A', ${session.replica ? "'R'" : "'O'"}) AND has_table_privilege(c.oid, 'INSERT') ORDER BY 1 LIMIT 20`,
    signal,
  );
  const tables = outcome?.rows.map(([table]) => table ?? '') ?? [];
  if (tables.length === 0)
    return { name: 'triggers', outcome: 'pass', detail: 'no trigger will fire on replicated rows', fix: null };
  const detail = `triggers will fire on replicated rows of ${tables.join(', ')}`;
  return { name: 'triggers', outcome: 'warn', detail, fix: `ALTER TABLE ${tables[0] ?? ''} DISABLE TRIGGER USER;` };
}
