import {
  MongoBulkWriteError,
  MongoClientClosedError,
  MongoError,
  MongoErrorLabel,
  MongoExpiredSessionError,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerClosedError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from 'mongodb';
import { type Code, LockstepError } from '../../core/errors.ts';
import { isTlsFailure } from '../../core/tls.ts';

/** One statement of a command that the server did not carry out. Its text stays out: it can hold a document (G5). */
export class StatementRefused extends Error {
  override readonly name = 'StatementRefused';
  /** The server's number for the reason. */
  readonly code: number;
  /** Which of the command's statements it is. */
  readonly index: number;

  constructor(code: number, index: number) {
    super(`the server refused a statement (${String(code)})`);
    this.code = code;
    this.index = index;
  }
}

interface Meaning {
  readonly code: Code;
  readonly what: string;
  readonly fix: string;
}

const grants = 'run `lockstep doctor` to see the missing rights: readWrite on the target and on the metadata database';
const lost: Meaning = { code: 'TARGET_CONNECTION_LOST', what: 'the server is not the primary any more', fix: '' };
const refused: Meaning = {
  code: 'TARGET_ROW_REFUSED',
  what: 'a document is larger than the 16 MB that MongoDB holds',
  fix: 'exclude the large column, or filter the row',
};
const nameInvalid: Meaning = {
  code: 'TARGET_SCHEMA',
  what: 'the name of a database or collection is not allowed',
  fix: 'rename or route the table',
};

/** By the server's numbers. Source: mongo/base/error_codes.yml, stable since 3.6. */
const meanings: ReadonlyMap<number, Meaning> = new Map([
  [
    8000,
    {
      code: 'TARGET_AUTH',
      what: 'the server refused the login',
      fix: 'check user, password and authSource in the url',
    },
  ],
  [
    18,
    {
      code: 'TARGET_AUTH',
      what: 'the server refused the login',
      fix: 'check user, password and authSource in the url',
    },
  ],
  [13, { code: 'TARGET_GRANT', what: 'the user lacks a right', fix: grants }],
  [33, { code: 'TARGET_GRANT', what: 'the user lacks a right', fix: grants }],
  [6, lost],
  [7, lost],
  [89, lost],
  [91, lost],
  [189, lost],
  [9001, lost],
  [10058, lost],
  [10107, lost],
  [11600, lost],
  [11602, lost],
  [13435, lost],
  [13436, lost],
  [
    64,
    {
      code: 'TARGET_BUSY',
      what: 'the write did not reach a majority in time',
      fix: 'are enough members of the replica set up?',
    },
  ],
  [24, { code: 'TARGET_BUSY', what: 'a lock was not available', fix: '' }],
  [46, { code: 'TARGET_BUSY', what: 'a lock was not available', fix: '' }],
  [50, { code: 'TARGET_BUSY', what: 'the server ran out of time', fix: '' }],
  [112, { code: 'TARGET_BUSY', what: 'the transaction lost against another one', fix: '' }],
  [202, { code: 'TARGET_BUSY', what: 'the server ran out of time', fix: '' }],
  [251, { code: 'TARGET_BUSY', what: 'the server gave the transaction up', fix: '' }],
  [262, { code: 'TARGET_BUSY', what: 'the server ran out of time', fix: '' }],
  [276, { code: 'TARGET_BUSY', what: 'an index was given up, for its collection changed', fix: '' }],
  [12587, { code: 'TARGET_BUSY', what: 'indexes of the collection are being made', fix: '' }],
  [290, { code: 'TARGET_BUSY', what: 'the transaction took too long', fix: 'raise transactionLifetimeLimitSeconds' }],
  [14031, { code: 'TARGET_FULL', what: 'the disk is full', fix: 'free or add disk space' }],
  [
    121,
    {
      code: 'TARGET_ROW_REFUSED',
      what: 'the collection’s validator refused a document',
      fix: 'mend the validator, or filter the row',
    },
  ],
  [
    11000,
    {
      code: 'TARGET_ROW_REFUSED',
      what: 'a unique index refused a document',
      fix: 'drop the index of the target that the source does not have',
    },
  ],
  [
    171,
    {
      code: 'TARGET_ROW_REFUSED',
      what: 'an index has several fields, and the document arrays in two of them',
      fix: 'drop the index',
    },
  ],
  [10334, refused],
  [17419, refused],
  [17420, refused],
  [73, nameInvalid],
  [13297, nameInvalid],
  [20, { code: 'TARGET_UNSUPPORTED', what: 'the server does not do this', fix: 'use MongoDB 5.0 or newer' }],
  [59, { code: 'TARGET_UNSUPPORTED', what: 'the server does not know a command', fix: 'use MongoDB 5.0 or newer' }],
]);

/** Where an error came up, for its message. */
interface Scene {
  /** `host:port`, without user and password. */
  readonly server: string;
  /** What was being done: `writing shop.orders`. */
  readonly doing: string;
}

/** A driver's error as one of ours. The server's text and the driver's error stay out: both can hold documents (G5). */
export function targetError(thrown: unknown, { server, doing }: Scene): unknown {
  const error = unwrapped(thrown);
  if (error instanceof LockstepError) return error;
  const place = `${doing} at ${server}`;
  if (isOfSocket(error)) return connectionLost(error, place, error.code);
  if (error instanceof StatementRefused) return fromServer(error, error.code, place);
  if (!(error instanceof MongoError)) return error;
  if (error instanceof MongoServerSelectionError) return selectionError(error, server);
  if (error instanceof MongoInvalidArgumentError && doing.startsWith('writing')) {
    return new LockstepError(refused.code, `${place}: ${refused.what}`, { fix: refused.fix });
  }
  const number = numberOf(error);
  if (number !== null) return fromServer(error, number, place);
  if (error instanceof MongoNetworkError || disconnected.has(error.constructor)) {
    return connectionLost(error, place, error.name);
  }
  return error;
}

function connectionLost(cause: Error, place: string, said: string): LockstepError {
  return new LockstepError('TARGET_CONNECTION_LOST', `${place}: the connection was lost (${said})`, { cause });
}

/** The driver hands on as it is what the system says while it writes to a connection that was cut. */
function isOfSocket(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

/** What the driver throws where the client has no connection at the moment, or none any more. */
const disconnected: ReadonlySet<unknown> = new Set([
  MongoNotConnectedError,
  MongoTopologyClosedError,
  MongoServerClosedError,
  MongoClientClosedError,
  MongoExpiredSessionError,
]);

/** A bulk write puts errors of the connection into one of its own. */
function unwrapped(error: unknown): unknown {
  const inner: unknown = error instanceof MongoBulkWriteError ? error.errorResponse : null;
  return inner instanceof Error ? inner : error;
}

function fromServer(error: Error, number: number, place: string): LockstepError {
  const meaning = meanings.get(number);
  const name = error instanceof MongoServerError && error.codeName !== undefined ? ` ${error.codeName}` : '';
  const message = `${place}: ${meaning?.what ?? 'the server refused a command'} (${String(number)}${name})`;
  return new LockstepError(meaning?.code ?? 'TARGET_QUERY', message, { fix: meaning?.fix ?? '' });
}

function selectionError(error: MongoServerSelectionError, server: string): LockstepError {
  const codes = [error.cause, ...rootCauses(error)].map(systemCode);
  const code = codes.find((code) => code !== null) ?? null;
  if (code === 'ENOTFOUND') {
    const fix = 'mend the host name in the url, or the name service';
    return new LockstepError('TARGET_HOST_UNKNOWN', `the host of ${server} is not known (${code})`, {
      fix,
      cause: error,
    });
  }
  if (code !== null && isTlsFailure(code)) {
    const fix =
      'give the certificate authority with tlsCAFile in the url, and connect to a host that the certificate names';
    return new LockstepError('TARGET_AUTH', `TLS with ${server} failed (${code})`, { fix, cause: error });
  }
  const fix = 'is the server running, are host and port right, and is replicaSet in the url the name of its set?';
  const said = code === null ? 'no primary answers' : code;
  return new LockstepError('TARGET_UNREACHABLE', `${server} does not answer (${said})`, { fix, cause: error });
}

/** What the driver last saw of each server it tried. */
function rootCauses(error: MongoServerSelectionError): unknown[] {
  const servers = error.reason?.servers ?? new Map<string, { error: unknown }>();
  return [...servers.values()].flatMap((server) => [server.error, causeOf(server.error)]);
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function systemCode(error: unknown): string | null {
  const found = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof found === 'string') return found;
  return error instanceof Error && error.cause !== undefined ? systemCode(error.cause) : null;
}

/** The server's number for what went wrong, null where the server said nothing. */
export function numberOf(error: unknown): number | null {
  const written = error instanceof MongoBulkWriteError ? writeErrorsOf(error)[0]?.code : undefined;
  if (written !== undefined) return written;
  if (error instanceof StatementRefused) return error.code;
  return error instanceof MongoError && typeof error.code === 'number' ? error.code : null;
}

/** The single refusals of an unordered bulk write: which operation, and the server's number. */
export function writeErrorsOf(error: MongoBulkWriteError): { readonly index: number; readonly code: number }[] {
  const found = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  return found.map(({ index, code }) => ({ index, code }));
}

/** Whether the server has the key already. */
export function isDuplicateKey(error: unknown): boolean {
  return numberOf(error) === 11000;
}

/** Whether the same transaction may succeed when it is run again (driver manual, "Transactions": error labels). */
export function isTransient(error: unknown): boolean {
  return error instanceof MongoError && error.hasErrorLabel('TransientTransactionError');
}

/** Whether a commit may or may not have happened, so that it must be sent again. */
export function isUnknownCommit(error: unknown): boolean {
  return error instanceof MongoError && error.hasErrorLabel('UnknownTransactionCommitResult');
}

/**
 * What a commit ended with. Where the system itself says that a connection broke, the driver (7.8) takes that for an error of its own and fails over
 * it with a TypeError: then nobody knows the outcome either.
 */
export function ofCommit(thrown: unknown): unknown {
  if (!(thrown instanceof TypeError) && !isOfSocket(thrown)) return thrown;
  const error = new MongoNetworkError('the connection broke while a transaction was being committed', {
    cause: thrown,
  });
  error.addErrorLabel(MongoErrorLabel.UnknownTransactionCommitResult);
  return error;
}

/** Whether a collection was already as a command wanted it: it exists (48), or it does not (26). */
export function isDoneAlready(error: unknown): boolean {
  const number = numberOf(error);
  return number === 48 || number === 26;
}
