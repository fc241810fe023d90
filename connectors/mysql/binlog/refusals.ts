import { LockstepError } from '../../../core/errors.ts';

/** Errors that events of the log bring about; the reader adds where it stands. */
export function unsupported(what: string): LockstepError {
  return new LockstepError('SOURCE_EVENT_UNSUPPORTED', `the log holds ${what}`, {
    fix: 'report it; resync the tables it touched to go on',
  });
}

export function unknownEvent(type: number): LockstepError {
  return new LockstepError('SOURCE_EVENT_UNSUPPORTED', `the log holds an event of type ${type}`, {
    fix: 'this event type is not known; please report it with the server’s version',
  });
}

export function statementLogged(): LockstepError {
  return new LockstepError(
    'SOURCE_BINLOG_FORMAT',
    'a session logged a statement in place of its rows (binlog_format is not ROW there)',
    {
      fix: "SET GLOBAL binlog_format = 'ROW', end the sessions that still have another value, then resync the tables they wrote",
    },
  );
}

export function incident(): LockstepError {
  return new LockstepError('SOURCE_INCIDENT', 'the server reports an incident: changes may be missing from its log', {
    fix: 'find out what happened in the server’s error log, then resync by verify and repair',
  });
}
