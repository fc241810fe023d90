import type { Check, TargetOptions } from '../../core/plugin.ts';
import { LockstepError } from '../../core/errors.ts';
import { untilAborted } from '../../core/signals.ts';
import { connect, type Connection } from './connect.ts';
import { targetError } from './errors.ts';

const oldest = 5;

/** The checks of `lockstep doctor`. Writes nothing. */
export async function checkTarget(options: TargetOptions, signal: AbortSignal): Promise<readonly Check[]> {
  let connection: Connection;
  try {
    connection = await untilAborted(signal, connect(options));
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    return [{ name: 'connection', outcome: 'fail', detail: error.message, fix: error.fix === '' ? null : error.fix }];
  }
  try {
    const work = Promise.all([checkVersion(connection), checkRights(connection, options)]);
    const [version, rights] = await untilAborted(signal, work);
    return [pass('connection', connection.server), version, checkTopology(connection), ...rights];
  } catch (error) {
    throw targetError(error, { server: connection.server, doing: 'checking' });
  } finally {
    await connection.client.close();
  }
}

function pass(name: string, detail: string): Check {
  return { name, outcome: 'pass', detail, fix: null };
}

async function checkVersion({ client }: Connection): Promise<Check> {
  const info: unknown = await client.db('admin').command({ buildInfo: 1 });
  const version = typeof info === 'object' && info !== null && 'version' in info ? String(info.version) : 'unknown';
  if (Number.parseInt(version, 10) >= oldest) return pass('version', `MongoDB ${version}`);
  return {
    name: 'version',
    outcome: 'fail',
    detail: `MongoDB ${version}`,
    fix: `use MongoDB ${String(oldest)}.0 or newer`,
  };
}

function checkTopology({ transactions }: Connection): Check {
  if (transactions) return pass('transactions', 'rows and checkpoint move in one transaction');
  const detail =
    'a standalone server has no transactions: rows are written before their checkpoint, so after a crash some are written twice, ' +
    'which changes nothing but in tables without a key, where they can double';
  return {
    name: 'transactions',
    outcome: 'warn',
    detail,
    fix: 'start it with --replSet and run rs.initiate(); one member is enough',
  };
}

const needed = ['find', 'insert', 'update', 'remove', 'createCollection', 'dropCollection', 'listCollections'];

async function checkRights({ client, database }: Connection, { metadata }: TargetOptions): Promise<Check[]> {
  const status: unknown = await client.db('admin').command({ connectionStatus: 1, showPrivileges: true });
  const { users, privileges } = readStatus(status);
  const names = database === null ? [metadata] : [database, metadata];
  // Without a login there is nothing to refuse: the server has authorization off, or would have refused us before.
  if (users === 0) return [pass('rights', 'the server asks for no login')];
  return names.map((name): Check => {
    const missing = needed.filter(
      (action) => !privileges.some((privilege) => covers(privilege, name) && privilege.actions.includes(action)),
    );
    if (missing.length === 0) return pass(`rights on ${name}`, 'readWrite');
    const fix = `db.getSiblingDB("admin").grantRolesToUser("<user>", [{ role: "readWrite", db: "${name}" }])`;
    return { name: `rights on ${name}`, outcome: 'fail', detail: `missing: ${missing.join(', ')}`, fix };
  });
}

interface Privilege {
  /** Empty: every database; null: the privilege is about something else. */
  readonly db: string | null;
  readonly actions: readonly unknown[];
}

function covers({ db }: Privilege, name: string): boolean {
  return db === '' || db === name;
}

/** The reply of connectionStatus. Source: MongoDB manual, "connectionStatus". */
function readStatus(status: unknown): { users: number; privileges: Privilege[] } {
  const auth = field(status, 'authInfo');
  const [users, privileges] = [field(auth, 'authenticatedUsers'), field(auth, 'authenticatedUserPrivileges')];
  return {
    users: Array.isArray(users) ? users.length : 0,
    privileges: Array.isArray(privileges) ? privileges.map(readPrivilege) : [],
  };
}

function readPrivilege(privilege: unknown): Privilege {
  const resource = field(privilege, 'resource');
  const actions = field(privilege, 'actions');
  const [db, collection] = [field(resource, 'db'), field(resource, 'collection')];
  const whole = typeof db === 'string' && collection === '';
  return {
    db: field(resource, 'anyResource') === true ? '' : whole ? db : null,
    actions: Array.isArray(actions) ? actions : [],
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
