import type { Moment } from '../../core/contracts.ts';
import { unreachable } from '../../core/errors.ts';
import type { ForeignKey } from '../../core/foreign-key.ts';
import type { Progress } from '../../core/progress.ts';
import type { TableSchema } from '../../core/table.ts';
import type { Gathered } from './gathered.ts';
import type { Effect } from './schema/schema-changes.ts';
import type { Copier } from './snapshot/copier.ts';
import type { Gate } from './snapshot/gate.ts';
import type { RowCondition } from './snapshot/condition.ts';
import { pausedEntry, type Paused } from './snapshot/paused.ts';
import { rangeEntries } from './snapshot/ranges.ts';
import { TableCopy } from './snapshot/table-copy.ts';
import { formatTable, leftOut, tableEntry, type Tables } from './tables.ts';

export interface ReshapingOptions {
  readonly tables: Tables;
  readonly copies: Map<string, TableCopy>;
  readonly gate: Gate;
  readonly copier: Copier;
  /** Tables whose copy a person has paused. */
  readonly paused: Paused;
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
    this.#options.gathered.askForIndexes(after.origin);
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

  /** Rows of a table that is consistent and has a key are removed and copied again. */
  copyRowsAgain(table: TableSchema, where: RowCondition, at: Moment): void {
    const { columns } = where;
    const rows = where.rows.map((before) => ({ before, after: null }));
    this.#options.gathered.push({ kind: 'cascade', table, columns, rows, keys: noKeys, at });
    this.#copyFrom(new TableCopy(table, null, where));
    this.#note(table);
  }

  /** Empties a table that is being copied and begins again; `at` is null where it is emptied anyway. */
  async #startOver(table: TableSchema, at: Moment | null): Promise<void> {
    const copy = this.#options.copies.get(table.origin);
    if (copy === undefined) return;
    await this.#restart(copy, table);
    if (at !== null) this.#options.gathered.push({ kind: 'truncate', table, at });
  }

  async #move(before: TableSchema, after: TableSchema, { at, statement }: Cause): Promise<void> {
    const { gathered, copies, tables, paused } = this.#options;
    const copying = copies.has(before.origin);
    const standIn = tables.standIn(before.origin);
    const wasPaused = paused.has(before.origin);
    await this.#endCopy(before.origin);
    gathered.push({ kind: 'schema', before, after, statement, at });
    this.#forget(before.origin);
    if (wasPaused) {
      paused.add(after.origin);
      gathered.setEntry(pausedEntry(after.origin), '');
    }
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
    this.#options.gathered.push({ kind: 'truncate', table, at });
    this.#copyFrom(new TableCopy(table, null));
    this.#follow(table, standIn);
  }

  /** Begins a copy once what has gathered is durable. */
  #copyFrom(copy: TableCopy): void {
    const { copies, copier, gathered, progress, paused } = this.#options;
    const { origin } = copy.schema;
    const seen = progress.table(origin);
    copy.pause();
    copies.set(origin, copy);
    seen.state = paused.has(origin) ? 'paused' : 'waiting';
    seen.copiedBefore = seen.copied;
    gathered.onDurable(() => {
      copy.resume();
      copier.moved.notify();
    });
  }

  #follow(table: TableSchema, standIn: boolean): void {
    this.#options.tables.set(table.origin, table, standIn);
    this.#note(table);
  }

  #note(table: TableSchema): void {
    const { gathered, copies } = this.#options;
    const copy = copies.get(table.origin);
    const state = copy === undefined ? 'following' : 'copying';
    gathered.setEntry(tableEntry(table.origin), formatTable(table, state, copy?.where?.text ?? null));
  }

  #forget(origin: string): void {
    const { tables, gathered, paused } = this.#options;
    tables.set(origin, null);
    gathered.dropEntries(tableEntry(origin));
    if (paused.delete(origin)) gathered.dropEntries(pausedEntry(origin));
  }

  async #restart(copy: TableCopy, schema: TableSchema): Promise<void> {
    const { copier, gathered } = this.#options;
    await this.#halt(copy);
    const wasPartial = copy.where !== null;
    copy.restart(schema);
    if (wasPartial) this.#note(schema);
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

/** What referring rows do is in the log, or done for the changes that are. */
const noKeys: readonly ForeignKey[] = [];
