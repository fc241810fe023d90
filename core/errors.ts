/** What we do about an error: try again with backoff, stop for a person, or admit a bug of ours. */
export type Verdict = 'retry' | 'operator' | 'bug';

/** Every error code and its verdict. A code is part of the product: it is documented, stable, and searched for. */
export const codes = {
  BUG: 'bug',
  CONFIG_INVALID: 'operator',
  CONFIG_UNREADABLE: 'operator',
  CONFIG_SECRET_MISSING: 'operator',
  CHECKPOINT_MOVED: 'retry',
  REQUEST_REFUSED: 'operator',
  SOURCE_HOST_UNKNOWN: 'operator',
  SOURCE_UNREACHABLE: 'retry',
  SOURCE_CONNECTION_LOST: 'retry',
  SOURCE_SILENT: 'retry',
  SOURCE_BUSY: 'retry',
  SOURCE_AUTH: 'operator',
  SOURCE_GRANT: 'operator',
  SOURCE_BINLOG_OFF: 'operator',
  SOURCE_BINLOG_FORMAT: 'operator',
  SOURCE_ROW_IMAGE: 'operator',
  SOURCE_HISTORY_LOST: 'operator',
  SOURCE_CHANGED: 'operator',
  SOURCE_BEHIND: 'retry',
  SOURCE_DIVERGED: 'operator',
  SOURCE_NO_TABLES: 'operator',
  SOURCE_SCHEMA: 'operator',
  SOURCE_SCHEMA_CHANGE: 'operator',
  SOURCE_SNAPSHOT_POSITION: 'operator',
  SOURCE_COPY_PAUSED: 'operator',
  SOURCE_EVENT_UNSUPPORTED: 'operator',
  SOURCE_EVENT_CORRUPT: 'operator',
  SOURCE_INCIDENT: 'operator',
  SOURCE_TYPE_UNSUPPORTED: 'operator',
  SOURCE_QUERY: 'operator',
  TARGET_HOST_UNKNOWN: 'operator',
  TARGET_UNREACHABLE: 'retry',
  TARGET_CONNECTION_LOST: 'retry',
  TARGET_BUSY: 'retry',
  TARGET_FULL: 'retry',
  TARGET_AUTH: 'operator',
  TARGET_GRANT: 'operator',
  TARGET_SCHEMA: 'operator',
  TARGET_NAME_COLLISION: 'operator',
  TARGET_ROW_REFUSED: 'operator',
  TARGET_VALUE_UNSUPPORTED: 'operator',
  TARGET_DEAD_LETTERS: 'operator',
  TARGET_UNSUPPORTED: 'operator',
  TARGET_QUERY: 'operator',
  KAFKA_UNREACHABLE: 'retry',
  KAFKA_CONNECTION_LOST: 'retry',
  KAFKA_FENCED: 'operator',
  KAFKA_TOPIC: 'operator',
  KAFKA_AUTH: 'operator',
  KAFKA_MESSAGE: 'operator',
  REGISTRY_UNREACHABLE: 'retry',
  REGISTRY_REFUSED: 'operator',
  TRANSFORM_INVALID: 'operator',
  TRANSFORM_FAILED: 'operator',
} as const satisfies Record<string, Verdict>;

export type Code = keyof typeof codes;

/** What a person needs to act: what happened and where (`message`), what to do (`fix`). Neither may hold a row's value or a secret (G5, G12). */
export class LockstepError extends Error {
  override readonly name = 'LockstepError';
  readonly code: Code;
  readonly fix: string;

  constructor(code: Code, message: string, options: { fix?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.fix = options.fix ?? '';
  }

  get verdict(): Verdict {
    return codes[this.code];
  }
}

/** An error as one of ours: what no driver's translation recognised is a bug of ours, said with its stack. */
export function toLockstepError(error: unknown): LockstepError {
  if (error instanceof LockstepError) return error;
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new LockstepError('BUG', message, { fix: 'please report this with the lines above', cause: error });
}

/** For the default branch that a type-checked switch never takes. */
export function unreachable(value: never): never {
  throw new LockstepError('BUG', `unexpected ${JSON.stringify(value)}`);
}
