import type { Target } from './contracts.ts';
import { LockstepError } from './errors.ts';

/** What may be asked of a table while a pipeline runs. */
export const tableActions = ['add', 'remove', 'pause', 'resume', 'resync'] as const;
export type TableAction = (typeof tableActions)[number];

/** What a person asks of one table. It is an entry of the target until the pipeline has done it, in the same step as what it does (G1). */
export interface TableRequest {
  readonly action: TableAction;
  /** `database.table` at the source. */
  readonly origin: string;
  /** Of `remove`: whether the target drops the table too. */
  readonly drop: boolean;
  /** Of `resync`: the rows that are meant, in the source's own words; null for all. */
  readonly where: string | null;
}

/** Entries that are written beside the process that works, and that it drops. */
export const requestEntries = 'request/';

let lastMs = 0;

/** A name of its own, so that none is ever replaced; in order of time. */
export function requestEntry(nowMs: number): string {
  lastMs = Math.max(nowMs, lastMs + 1);
  return `${requestEntries}${String(lastMs).padStart(14, '0')}-${crypto.randomUUID()}/`;
}

export function formatRequest(request: TableRequest): string {
  return JSON.stringify(request);
}

export function parseRequest(token: string): TableRequest {
  const stored: unknown = JSON.parse(token);
  if (typeof stored === 'object' && stored !== null && 'action' in stored && 'origin' in stored) {
    const action = tableActions.find((known) => known === stored.action);
    const where = 'where' in stored && typeof stored.where === 'string' ? stored.where : null;
    const drop = 'drop' in stored && stored.drop === true;
    if (action !== undefined && typeof stored.origin === 'string')
      return { action, origin: stored.origin, drop, where };
  }
  throw new LockstepError('BUG', `an entry of the target asks for something unknown: ${token.slice(0, 80)}`);
}

/** `resync shop.orders where customer_id = 7`, for people. */
export function describeRequest({ action, drop, where }: TableRequest): string {
  return `${action}${drop ? ' with its rows' : ''}${where === null ? '' : ` where ${where}`}`;
}

/** Makes a request durable beside whoever works for the target; gives the entry's name. */
export async function writeRequest(target: Target, request: TableRequest, signal: AbortSignal): Promise<string> {
  const name = requestEntry(Date.now());
  const token = formatRequest(request);
  if (target.note !== undefined) {
    await target.note(name, token, signal);
    return name;
  }
  const checkpoint = { set: new Map([[name, token]]), drop: [] };
  const batch = { changes: [], checkpoint, bytes: 0, copying: new Set<string>(), barrier: null };
  // A lane of its own: the ones of the process that works stay that one's (G8).
  await target.apply({ name: 'requests', kind: 'stream' }, batch, signal);
  await target.sync?.(signal);
  return name;
}
