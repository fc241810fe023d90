import { unreachable } from '../../core/errors.ts';
import type { Progress } from '../../core/progress.ts';
import type { TableRequest } from '../../core/request.ts';
import type { Definitions } from './definitions.ts';
import type { Gathered } from './gathered.ts';
import { momentAt, type Place } from './position/position.ts';
import type { Reshaping } from './reshaping.ts';
import { namedOf } from './schema/ddl.ts';
import { conditionOf } from './snapshot/condition.ts';
import { isCircular } from './snapshot/order.ts';
import { pausedEntry, type Paused } from './snapshot/paused.ts';
import type { TableCopy } from './snapshot/table-copy.ts';
import type { ForeignKeys } from './foreign-keys/foreign-keys.ts';
import { formatRefused, refusedEntry, type Tables } from './tables.ts';
import type { Copier } from './snapshot/copier.ts';

export interface LifeOptions {
  readonly tables: Tables;
  readonly copies: ReadonlyMap<string, TableCopy>;
  readonly foreignKeys: Pick<ForeignKeys, 'all'>;
  readonly copier: Pick<Copier, 'moved'>;
  readonly paused: Paused;
  /** Takes a table in for as long as the process lives, whatever the patterns say that it began with. */
  readonly capture: (origin: string) => void;
  readonly progress: Progress;
  readonly gathered: Gathered;
  readonly reshaping: Reshaping;
  readonly definitions: Pick<Definitions, 'copyAnew'>;
}

/** Does what people ask of tables, at the stream's place in the log: it becomes durable together with the entry that asked for it. */
export class TableLife {
  readonly #options: LifeOptions;

  constructor(options: LifeOptions) {
    this.#options = options;
  }

  /** False for what has to wait: rows of a table are copied again once the copy under way is consistent. */
  isTime({ action, origin, where }: TableRequest): boolean {
    return action !== 'resync' || where === null || !this.#options.copies.has(origin);
  }

  async apply(request: TableRequest, place: Place): Promise<void> {
    const { gathered } = this.#options;
    const { origin } = request;
    gathered.dropEntries(refusedEntry(origin));
    const refusal = await this.#apply(request, place);
    if (refusal !== null) gathered.setEntry(refusedEntry(origin), formatRefused({ ...request, reason: refusal }));
  }

  /** Null, or why it cannot be done. */
  async #apply(request: TableRequest, place: Place): Promise<string | null> {
    const { action, origin, where } = request;
    switch (action) {
      case 'add':
        return await this.#add(origin, place);
      case 'remove':
        return await this.#remove(origin, request.drop, place);
      case 'pause':
        return this.#pause(origin);
      case 'resume':
        return this.#resume(origin);
      case 'resync':
        return where === null ? await this.#resync(origin, place) : this.#resyncRows(origin, where, place);
      default:
        return unreachable(action);
    }
  }

  async #add(origin: string, place: Place): Promise<string | null> {
    const { tables, capture, definitions } = this.#options;
    if (tables.get(origin) !== undefined) return null;
    capture(origin);
    const found = await definitions.copyAnew([namedOf(origin)], place);
    return found ? null : 'the source has no such table, or the account may not read it';
  }

  async #remove(origin: string, drop: boolean, place: Place): Promise<string | null> {
    const { tables, reshaping, progress } = this.#options;
    const before = tables.get(origin);
    const cause = { at: momentAt(place), statement: '' };
    if (before !== undefined) await reshaping.apply({ kind: 'drop', before, ignored: !drop }, cause);
    else if (!tables.isLeftOut(origin)) return notFollowed;
    else if (drop) return 'it was removed before: what the target has of it has to be dropped there';
    await reshaping.apply({ kind: 'leave-out', origin }, cause);
    progress.table(origin).state = 'removed';
    return null;
  }

  #pause(origin: string): string | null {
    const { tables, copies, paused, gathered, progress } = this.#options;
    if (tables.get(origin) === undefined) return notFollowed;
    paused.add(origin);
    gathered.setEntry(pausedEntry(origin), '');
    if (copies.has(origin)) progress.table(origin).state = 'paused';
    return null;
  }

  #resume(origin: string): string | null {
    const { copies, paused, gathered, progress, copier } = this.#options;
    if (!paused.delete(origin)) return null;
    gathered.dropEntries(pausedEntry(origin));
    if (copies.has(origin)) progress.table(origin).state = 'waiting';
    copier.moved.notify();
    return null;
  }

  async #resync(origin: string, place: Place): Promise<string | null> {
    const { tables, reshaping } = this.#options;
    const table = tables.get(origin);
    if (table === undefined) return notFollowed;
    await reshaping.copyAgain(table, momentAt(place));
    return null;
  }

  #resyncRows(origin: string, where: string, place: Place): string | null {
    const { tables, foreignKeys, reshaping } = this.#options;
    const table = tables.get(origin);
    if (table === undefined) return notFollowed;
    const condition = conditionOf(where, table, isCircular(foreignKeys.all, origin));
    if ('refusal' in condition) return condition.refusal;
    reshaping.copyRowsAgain(table, condition, momentAt(place));
    return null;
  }
}

const notFollowed = 'the pipeline does not follow it';
