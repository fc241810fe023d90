import type { Moment } from '../../core/contracts.ts';
import { unreachable } from '../../core/errors.ts';
import type { Progress } from '../../core/progress.ts';
import type { TableSchema } from '../../core/table.ts';
import type { Gathered } from './gathered.ts';
import type { Effect } from './schema/schema-changes.ts';
import type { Copier } from './snapshot/copier.ts';
import type { Gate } from './snapshot/gate.ts';
import { rangeEntries } from './snapshot/ranges.ts';
import { TableCopy } from './snapshot/table-copy.ts';
import { formatTable, leftOut, tableEntry, type Tables } from './tables.ts';

export interface ReshapingOptions {
  readonly tables: Tables;
  readonly copies: Map<string, TableCopy>;
  readonly gate: Gate;
  readonly copier: Copier;
  readonly progress: Progress;
  readonly gathered: Gathered;
  readonly signal: AbortSignal;
}

/** Where in the log a change of whole tables stands, and the statement that made it. */
export interface Cause {
  readonly at: Moment;
  readonly statement: string;
}

/**
 * Does what a statement of the log means to the tables that are followed: tells the target, and begins or starts over the copies of tables
 * whose rows have another shape now, are gone, or come from somewhere else.
 */
export class Reshaping {
  readonly #options: ReshapingOptions;

  constructor(options: ReshapingOptions) {
    this.#options = options;
  }

  async apply(effect: Effect, cause: Cause): Promise<void> {
    const { gathered, tables } = this.#options;
    const { at, statement } = cause;
    switch (effect.kind) {
      case 'reshape':
        for (const step of effect.steps) gathered.push({ kind: 'schema', ...step, statement, at });
        await this.#startOver(effect.after, at);
        this.#follow(effect.after, effect.standIn);
        return;
      case 'create':
        gathered.push({ kind: 'schema', before: null, after: effect.after, statement, at });
        this.#follow(effect.after, effect.standIn);
        return;
      case 'drop':
        await this.#endCopy(effect.before.origin);
        if (!effect.ignored) gathered.push({ kind: 'schema', before: effect.before, after: null, statement, at });
        this.#forget(effect.before.origin);
        return;
      case 'truncate':
        gathered.push({ kind: 'truncate', table: effect.table, at });
        await this.#startOver(effect.table, null);
        return;
      case 'move':
        await this.#move(effect.before, effect.after, cause);
        return;
      case 'copy':
        await this.#copy(effect, cause);
        return;
      case 'leave-out':
        tables.leaveOut(effect.origin);
        gathered.setEntry(tableEntry(effect.origin), leftOut);
        return;
      default:
        unreachable(effect);
    }
  }

  /** The log itself describes a table otherwise than it is known. */
  async describe(before: TableSchema, after: TableSchema, at: Moment): Promise<void> {
    const standIn = this.#options.tables.standIn(before.origin);
    await this.apply({ kind: 'reshape', steps: [{ before, after }], after, standIn }, { at, statement: '' });
  }

  /** A table without a key was read in the very moment in which it changed. */
  async readAgain(origin: string): Promise<void> {
    const copy = this.#options.copies.get(origin);
    if (copy !== undefined) await this.#restart(copy, copy.schema);
  }

  /** Rows of the table may have been missed: it is emptied and copied, again or anew. */
  async copyAgain(table: TableSchema, at: Moment): Promise<void> {
    if (this.#options.copies.has(table.origin)) await this.#startOver(table, at);
    else {
      const standIn = this.#options.tables.standIn(table.origin);
      await this.apply({ kind: 'copy', before: table, after: table, standIn }, { at, statement: '' });
    }
  }

  /** Empties a table that is being copied and begins again; `at` is null where it is emptied anyway. */
  async #startOver(table: TableSchema, at: Moment | null): Promise<void> {
    const copy = this.#options.copies.get(table.origin);
    if (copy === undefined) return;
    await this.#restart(copy, table);
    if (at !== null) this.#options.gathered.push({ kind: 'truncate', table, at });
  }

  async #move(before: TableSchema, after: TableSchema, { at, statement }: Cause): Promise<void> {
    const { gathered, copies, tables } = this.#options;
    const copying = copies.has(before.origin);
    const standIn = tables.standIn(before.origin);
    await this.#endCopy(before.origin);
    gathered.push({ kind: 'schema', before, after, statement, at });
    this.#forget(before.origin);
    if (copying) this.#begin(after, standIn, at);
    else this.#follow(after, standIn);
  }

  async #copy({ before, after, standIn }: Effect & { kind: 'copy' }, { at, statement }: Cause): Promise<void> {
    const { gathered } = this.#options;
    await this.#endCopy(after.origin);
    if (before?.fingerprint !== after.fingerprint) {
      // Emptied first: what is in it needs no conversion.
      if (before !== null) gathered.push({ kind: 'truncate', table: before, at });
      gathered.push({ kind: 'schema', before, after, statement, at });
    }
    this.#begin(after, standIn, at);
  }

  /** A copy whose first chunk is not read before the target has the table, and has it empty. */
  #begin(table: TableSchema, standIn: boolean, at: Moment): void {
    const { copies, copier, gathered, progress } = this.#options;
    const copy = new TableCopy(table, null);
    copy.pause();
    copies.set(table.origin, copy);
    gathered.push({ kind: 'truncate', table, at });
    progress.table(table.origin).state = 'waiting';
    this.#follow(table, standIn);
    gathered.onDurable(() => {
      copy.resume();
      copier.moved.notify();
    });
  }

  #follow(table: TableSchema, standIn: boolean): void {
    const { tables, gathered, copies } = this.#options;
    tables.set(table.origin, table, standIn);
    gathered.setEntry(tableEntry(table.origin), formatTable(table, copies.has(table.origin) ? 'copying' : 'following'));
  }

  #forget(origin: string): void {
    this.#options.tables.set(origin, null);
    this.#options.gathered.dropEntries(tableEntry(origin));
  }

  async #restart(copy: TableCopy, schema: TableSchema): Promise<void> {
    const { copier, gathered } = this.#options;
    await this.#halt(copy);
    copy.restart(schema);
    // While a later restart is on its way the copy stays paused: what is copied before that is durable would be wiped by it.
    gathered.onDurable(() => {
      copy.resume();
      copier.moved.notify();
    });
  }

  async #endCopy(origin: string): Promise<void> {
    const { copies, copier } = this.#options;
    const copy = copies.get(origin);
    if (copy === undefined) return;
    await this.#halt(copy);
    copies.delete(origin);
    copier.moved.notify();
  }

  async #halt(copy: TableCopy): Promise<void> {
    const { gate, gathered, signal } = this.#options;
    copy.pause();
    while (copy.inFlight > 0) await gate.opened.wait(signal);
    gathered.dropEntries(rangeEntries(copy.schema.origin));
  }
}
