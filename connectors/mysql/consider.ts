import { LockstepError, unreachable } from '../../core/errors.ts';
import type { Considered, SourceOptions } from '../../core/plugin.ts';
import type { TableRequest } from '../../core/request.ts';
import { readCatalog } from './catalog/catalog.ts';
import { compilePatterns } from './catalog/patterns.ts';
import { parseAddress, Session } from './connection/session.ts';
import { readServer } from './connection/server.ts';
import { foreignKeysEntry, parseForeignKeys, resolveKeys } from './foreign-keys/foreign-keys.ts';
import { namedOf } from './schema/ddl.ts';
import { conditionOf } from './snapshot/condition.ts';
import { isCircular } from './snapshot/order.ts';
import { storedPaused } from './snapshot/paused.ts';
import { parseTable, streamEntry, tableTokens, type StoredTable } from './tables.ts';

/**
 * Whether what is asked of a table can be done where the target stands, and what it comes to. Errors: REQUEST_REFUSED, CONFIG_INVALID for a table
 * that the configuration does not take in, and those of connecting.
 */
export async function consider(
  options: SourceOptions,
  request: TableRequest,
  entries: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Considered> {
  const { action, origin } = request;
  if (!entries.has(streamEntry))
    throw refused(request, 'the pipeline has not run yet', 'start it with lockstep run: it copies every table anyway');
  const { tokens } = tableTokens(entries);
  const token = tokens.get(origin);
  const stored = token === undefined ? undefined : parseTable(token);
  if (action === 'add') return await considerAdd(options, request, stored, signal);
  if (action === 'remove' && stored === null && !request.drop)
    return { notes: ['it is left out already'], needed: false, tells: null };
  if (stored === undefined || stored === null) throw notFollowed(request, [...tokens.keys()]);
  const following = stored.state === 'following';
  switch (action) {
    case 'pause':
      return noted(
        following
          ? ['it is consistent, so there is no copy to pause: its changes go on, and its next copy waits for resume']
          : ['its copy stops behind the chunks under way; its changes go on'],
      );
    case 'resume':
      if (storedPaused(entries).has(origin)) return noted(['its copy goes on where it was']);
      return { notes: ['its copy is not paused'], needed: false, tells: null };
    case 'remove':
      return noted([
        request.drop ? 'the target drops it with its rows' : 'the target keeps it as it is then; --drop takes it away',
        'source.tables still takes it in: `lockstep table add` copies and follows it again',
      ]);
    case 'resync':
      return request.where === null
        ? noted(['it is emptied in the target and copied again, while its changes go on'])
        : considerRows(request, request.where, stored, tokens, entries);
    default:
      return unreachable(action);
  }
}

async function considerAdd(
  options: SourceOptions,
  request: TableRequest,
  stored: StoredTable | null | undefined,
  signal: AbortSignal,
): Promise<Considered> {
  const { origin } = request;
  const { database, table } = namedOf(origin);
  if (!compilePatterns(options.tables)(database, table)) {
    throw new LockstepError('CONFIG_INVALID', `source.tables does not take in ${origin}`, {
      fix: `add '${origin}' to source.tables and repeat the command: a running pipeline need not be restarted`,
    });
  }
  if (stored !== undefined && stored !== null) {
    const notes = ['it is followed already; `lockstep table resync` copies it again'];
    return { notes, needed: false, tells: null };
  }
  const session = await Session.open(parseAddress(options.url), signal);
  try {
    const server = await readServer(session, signal);
    const found = await readCatalog(session, server, (...named) => named[0] === database && named[1] === table, signal);
    if (found.length === 0)
      throw refused(
        request,
        'the source has no such table, or the account may not read it',
        'check its name, and GRANT SELECT',
      );
  } finally {
    session.destroy();
  }
  return noted(['what the target has of it is emptied, and it is copied and followed']);
}

function considerRows(
  request: TableRequest,
  where: string,
  { schema }: StoredTable,
  tokens: ReadonlyMap<string, string>,
  entries: ReadonlyMap<string, string>,
): Considered {
  const keys = entries.get(foreignKeysEntry);
  const known = (origin: string) => {
    const token = tokens.get(origin);
    return (token === undefined ? null : parseTable(token))?.schema;
  };
  const circular = keys !== undefined && isCircular(resolveKeys(parseForeignKeys(keys), known), schema.origin);
  const condition = conditionOf(where, schema, circular);
  if ('refusal' in condition)
    throw refused(request, condition.refusal, 'resync the whole table, without --where, or say it in such terms');
  const notes = ['these rows are removed in the target and copied again, while changes go on'];
  return { notes, needed: true, tells: { table: schema, columns: condition.columns } };
}

function noted(notes: readonly string[]): Considered {
  return { notes, needed: true, tells: null };
}

function notFollowed(request: TableRequest, origins: readonly string[]): LockstepError {
  const same = origins.find((origin) => origin.toLowerCase() === request.origin.toLowerCase());
  const fix =
    same === undefined
      ? 'lockstep status lists the tables; `lockstep table add` takes one in'
      : `did you mean ${same}?`;
  return refused(request, 'the pipeline does not follow it', fix);
}

function refused({ action, origin }: TableRequest, reason: string, fix: string): LockstepError {
  return new LockstepError('REQUEST_REFUSED', `${action} ${origin}: ${reason}`, { fix });
}
