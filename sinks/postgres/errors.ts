import { DatabaseError } from 'pg';
import { type Code, LockstepError } from '../../core/errors.ts';
import { isTlsFailure } from '../../core/tls.ts';

/** The constraint that a lost compare-and-set violates on purpose; see checkpoints.ts. */
export const MOVED_CONSTRAINT = 'checkpoint_moved';

/** What may be said about a server's error: never its detail and, where it can hold a row's value, never its message (G5). */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  readonly sqlState: string;
  readonly constraint: string | null;

  constructor(error: DatabaseError) {
    super(`SQLSTATE ${error.code ?? 'unknown'} (${error.routine ?? 'unknown routine'})`);
    this.sqlState = error.code ?? '';
    this.constraint = error.constraint ?? null;
  }
}

/** The SQLSTATE behind an error of this sink, null where the server has not said one. */
export function sqlStateOf(error: unknown): string | null {
  return error instanceof LockstepError && error.cause instanceof SqlError ? error.cause.sqlState : null;
}

/** Whether the table that was asked for is not there, or not even its schema. */
export function isMissing(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === '42P01' || state === '3F000';
}

interface Meaning {
  readonly code: Code;
  readonly what: string;
  readonly fix: string;
}

const schemaDiffers =
  'compare the table with `lockstep plan`; add what is missing, or drop the table and let Lockstep create it';

/** By SQLSTATE, else by its class; PostgreSQL's manual, appendix A. */
const meanings: Readonly<Record<string, Meaning>> = {
  '08': { code: 'TARGET_CONNECTION_LOST', what: 'the connection was lost', fix: '' },
  '57P01': { code: 'TARGET_CONNECTION_LOST', what: 'the server was shut down or ended the session', fix: '' },
  '57P02': { code: 'TARGET_CONNECTION_LOST', what: 'the server crashed', fix: '' },
  '57P03': { code: 'TARGET_UNREACHABLE', what: 'the server is starting or stopping', fix: '' },
  '57P05': { code: 'TARGET_CONNECTION_LOST', what: 'the server ended an idle session', fix: '' },
  '25P03': { code: 'TARGET_CONNECTION_LOST', what: 'the server ended an idle transaction', fix: '' },
  '57014': { code: 'TARGET_BUSY', what: 'the server cancelled a statement', fix: "raise the role's statement_timeout" },
  '28': {
    code: 'TARGET_AUTH',
    what: 'the server refused the login',
    fix: 'check user and password in the url, and pg_hba.conf',
  },
  '42501': {
    code: 'TARGET_GRANT',
    what: 'the role lacks a right',
    fix: 'run `lockstep doctor` for the GRANT statements',
  },
  '40': { code: 'TARGET_BUSY', what: 'the transaction lost against another one', fix: '' },
  '55P03': { code: 'TARGET_BUSY', what: 'a lock was not available', fix: '' },
  '53100': { code: 'TARGET_FULL', what: 'the disk is full', fix: 'free or add disk space' },
  '53': {
    code: 'TARGET_BUSY',
    what: 'the server is out of connections or memory',
    fix: 'raise max_connections or end other sessions',
  },
  '3D000': {
    code: 'TARGET_SCHEMA',
    what: 'the database does not exist',
    fix: 'CREATE DATABASE, or mend the name in the url',
  },
  '25006': { code: 'TARGET_UNSUPPORTED', what: 'the server takes no writes', fix: 'point the url at the primary' },
  '22': { code: 'TARGET_ROW_REFUSED', what: 'the table refused a value', fix: schemaDiffers },
  '23': {
    code: 'TARGET_ROW_REFUSED',
    what: 'a constraint refused a row',
    fix: 'drop or mend the constraint, or filter the row',
  },
  '44': {
    code: 'TARGET_ROW_REFUSED',
    what: 'the check of a view refused a row',
    fix: 'mend the view, or filter the row',
  },
  '54000': {
    code: 'TARGET_ROW_REFUSED',
    what: 'a row or its entry in an index is too large',
    fix: 'drop the index, or exclude the large column',
  },
  P0001: { code: 'TARGET_ROW_REFUSED', what: 'a trigger refused a row', fix: 'mend the trigger, or filter the row' },
  '42P01': { code: 'TARGET_SCHEMA', what: 'a table is missing', fix: schemaDiffers },
  '42703': { code: 'TARGET_SCHEMA', what: 'a column is missing', fix: schemaDiffers },
  '42P10': { code: 'TARGET_SCHEMA', what: 'the table has no unique index on its key columns', fix: schemaDiffers },
  '2BP01': {
    code: 'TARGET_SCHEMA',
    what: 'other objects depend on it',
    fix: 'drop the views or constraints that depend on it',
  },
};

/** Classes whose messages name objects and settings only. */
const speaking = /^(0A|25|28|2BP01|3D|3F|42(?!601)|53|55|57)/;

/** Where an error came up, for its message. */
export interface Scene {
  /** `host:port/database`, without user and password. */
  readonly server: string;
  readonly connecting: boolean;
  /** Whether the socket is gone. */
  readonly lost: boolean;
}

/** A driver's error as one of ours; errors that are ours already pass through. */
export function translate(error: unknown, scene: Scene): unknown {
  if (error instanceof LockstepError) return error;
  if (error instanceof DatabaseError) return fromServer(error, scene);
  return error instanceof Error ? fromSocket(error, scene) : error;
}

function fromServer(error: DatabaseError, scene: Scene): LockstepError {
  const cause = new SqlError(error);
  if (error.constraint === MOVED_CONSTRAINT) {
    return checkpointMoved(cause, ` at ${scene.server}`);
  }
  const state = cause.sqlState;
  // Two sessions that create the same at the same time: the catalog's own index refuses one of them.
  const meaning = error.schema === 'pg_catalog' ? meanings['40'] : (meanings[state] ?? meanings[state.slice(0, 2)]);
  const place = placeOf(error);
  const said = speaking.test(state) ? `: ${error.message}` : '';
  const what = meaning?.what ?? 'the server refused a statement';
  const message = `${what} at ${scene.server}${place} (SQLSTATE ${state})${said}`;
  return new LockstepError(meaning?.code ?? 'TARGET_QUERY', message, { cause, fix: meaning?.fix ?? '' });
}

/** What a process gets that another one has overtaken. */
export function checkpointMoved(cause: unknown, where = ''): LockstepError {
  const message = `another process moved the checkpoint${where}; nothing of the batch was applied`;
  return new LockstepError('CHECKPOINT_MOVED', message, { cause, fix: 'run one process per pipeline and target' });
}

function placeOf(error: DatabaseError): string {
  const table = error.table === undefined ? '' : `, table ${error.schema ?? ''}.${error.table}`;
  const column = error.column === undefined ? '' : `, column ${error.column}`;
  const constraint = error.constraint === undefined ? '' : `, constraint ${error.constraint}`;
  return table + column + constraint;
}

function fromSocket(error: Error, scene: Scene): unknown {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const options = { cause: error };
  if (code === 'EAI_AGAIN') {
    const fix = 'name resolution failed for now';
    return new LockstepError('TARGET_UNREACHABLE', `the host of ${scene.server} cannot be looked up (${code})`, {
      ...options,
      fix,
    });
  }
  if (code === 'ENOTFOUND') {
    const fix = 'mend the host name in the url, or the name service';
    return new LockstepError('TARGET_HOST_UNKNOWN', `the host of ${scene.server} is not known (${code})`, {
      ...options,
      fix,
    });
  }
  if (isTlsFailure(code)) {
    const fix = 'give the certificate authority with sslrootcert in the url, or choose another sslmode';
    return new LockstepError('TARGET_AUTH', `TLS with ${scene.server} failed (${code})`, { ...options, fix });
  }
  const said = code === '' ? '' : ` (${code})`;
  if (scene.connecting)
    return new LockstepError('TARGET_UNREACHABLE', `${scene.server} does not answer${said}`, options);
  const gone = scene.lost || /^E[A-Z]+$/.test(code);
  return gone
    ? new LockstepError('TARGET_CONNECTION_LOST', `the connection to ${scene.server} was lost${said}`, options)
    : error;
}
