import type { Moment } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import { GtidSet } from './gtid-set.ts';
import { Seen } from './seen.ts';

/** A place in a server's binary log: everything before `offset` of `file` and in older files. */
export interface Place {
  readonly file: string;
  readonly offset: number;
  /** The server's `id`. Places of different servers do not compare. */
  readonly server: string;
}

/** A moment that no transaction of the log has, at a place in it. */
export function momentAt({ file, offset }: Place): Moment {
  return { committedAtMs: Date.now(), gtid: null, file, offset, serverId: 0 };
}

/** MariaDB's GTID position: the last transaction of each domain. */
export type DomainPositions = ReadonlyMap<number, { readonly server: number; readonly sequence: number }>;

/** Where the stream stands. The GTIDs say where to start again, the place compares quickly on one server. */
export type Position = (
  | {
      readonly by: 'gtid';
      readonly set: GtidSet;
      readonly place: Place;
      /** The transaction that was handed on last, as a GTID. */
      readonly last?: string;
      readonly mixed?: Mixed;
    }
  | {
      readonly by: 'domain';
      readonly domains: DomainPositions;
      readonly place: Place;
      /** Shared, as the set is. */
      readonly seen?: Seen;
    }
  | { readonly by: 'place'; readonly place: Place }
) & {
  /** XA transactions that are prepared before here and not committed or rolled back: by name, the token of where each began; the oldest first. */
  readonly prepared?: ReadonlyMap<string, string>;
};

/**
 * A stretch at the log's beginning that was handed on already, from the log of another server. A transaction in it that is new stands before others that
 * it should come after, unless it is of the same source as the last of those: replicas may commit what does not depend on each other in another order.
 */
export interface Mixed {
  readonly until: Pick<Place, 'file' | 'offset'>;
  readonly source: string;
}

/** A position as the token that targets store. `from` in it: where to begin reading so that all prepared XA transactions are met again. */
export function formatPosition(position: Position): string {
  const from = position.prepared?.values().next().value;
  const token = formatPlain(position);
  return from === undefined ? token : `${token.slice(0, -1)},"from":${from}}`;
}

/** The same without what is prepared. */
export function formatPlain(position: Position): string {
  const { place } = position;
  switch (position.by) {
    case 'gtid':
      return JSON.stringify({
        gtid: position.set.toString(),
        ...place,
        ...(position.last === undefined ? {} : { last: position.last }),
        ...(position.mixed === undefined ? {} : { mixed: formatMixed(position.mixed) }),
      });
    case 'domain':
      return JSON.stringify({
        domains: formatDomains(position.domains),
        ...place,
        ...(position.seen === undefined ? {} : { seen: position.seen.toString() }),
      });
    case 'place':
      return JSON.stringify(place);
  }
}

/** A stored token as a position. Errors: BUG for a token that is not ours. */
export function parsePosition(token: string): Position {
  const stored: unknown = JSON.parse(token);
  if (typeof stored !== 'object' || stored === null) throw foreign(token);
  const fields = stored as Record<string, unknown>;
  const from = fields['from'];
  const prepared = from === undefined ? {} : { prepared: new Map([[unnamed, JSON.stringify(from)]]) };
  return { ...parsePlain(fields, token), ...prepared };
}

/** Stands for XA transactions that were prepared in an earlier run, until the log has named them again. */
export const unnamed = '';

function parsePlain(fields: Record<string, unknown>, token: string): Position {
  const place = parsePlace(fields, token);
  const { gtid, domains, last, mixed, seen } = fields;
  if (typeof gtid === 'string') {
    const known = typeof last === 'string' ? { last } : {};
    return { by: 'gtid', set: GtidSet.parse(gtid), place, ...known, ...parseMixed(mixed, token) };
  }
  if (typeof domains === 'string') {
    const known = typeof seen === 'string' ? { seen: Seen.parse(seen) } : {};
    return { by: 'domain', domains: parseDomains(domains), place, ...known };
  }
  return { by: 'place', place };
}

function formatMixed({ until: { file, offset }, source }: Mixed): object {
  return { file, offset, source };
}

function parseMixed(stored: unknown, token: string): { readonly mixed?: Mixed } {
  if (typeof stored !== 'object' || stored === null) return {};
  const { file, offset, source } = stored as Record<string, unknown>;
  if (typeof file !== 'string' || typeof offset !== 'number' || typeof source !== 'string') throw foreign(token);
  return { mixed: { until: { file, offset }, source } };
}

export function parsePlace(fields: Record<string, unknown>, token: string): Place {
  const { file, offset, server } = fields;
  if (typeof file !== 'string' || typeof offset !== 'number' || typeof server !== 'string') throw foreign(token);
  return { file, offset, server };
}

function foreign(token: string): LockstepError {
  return new LockstepError(
    'BUG',
    `the target holds a position that MySQL positions do not look like: ${token.slice(0, 200)}`,
  );
}

/** Reads `0-1-100,1-2-5` (domain-server-sequence). */
export function parseDomains(text: string): DomainPositions {
  const domains = new Map<number, { server: number; sequence: number }>();
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const [domain, server, sequence] = part.split('-').map(Number);
    if (domain === undefined || server === undefined || sequence === undefined)
      throw new LockstepError('BUG', `not a MariaDB GTID: ${part}`);
    domains.set(domain, { server, sequence });
  }
  return domains;
}

export function formatDomains(domains: DomainPositions): string {
  return [...domains].map(([domain, { server, sequence }]) => `${domain}-${server}-${sequence}`).join(',');
}

/** Negative, zero or positive as `a` is before, at or behind `b` in the log of one server. */
export function comparePlaces(a: Pick<Place, 'file' | 'offset'>, b: Pick<Place, 'file' | 'offset'>): number {
  return fileNumber(a.file) - fileNumber(b.file) || a.offset - b.offset;
}

function fileNumber(file: string): number {
  return Number(file.slice(file.lastIndexOf('.') + 1));
}

/** The beginning of a server's log, whatever its files are called. */
export function atBeginning(server: string): Place {
  return { file: '', offset: 0, server };
}

/** The log file behind this one. */
export function nextFile(file: string): string {
  const dot = file.lastIndexOf('.') + 1;
  return file.slice(0, dot) + String(fileNumber(file) + 1).padStart(file.length - dot, '0');
}

/** The position in words for people. */
export function describePosition(position: Position): string {
  const { file, offset } = position.place;
  switch (position.by) {
    case 'gtid':
      return `${position.set.toString() || '(empty GTID set)'} (${file}:${offset})`;
    case 'domain':
      return `${formatDomains(position.domains) || '(no GTID yet)'} (${file}:${offset})`;
    case 'place':
      return `${file}:${offset}`;
  }
}
