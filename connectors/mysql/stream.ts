import type { Batch, Change, Checkpoint, Lane } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { Progress } from '../../core/progress.ts';
import { untilAborted } from '../../core/signals.ts';
import type { TableSchema } from '../../core/table.ts';
import type { Piece } from './binlog/reader.ts';
import { classify, type NamedTable } from './ddl.ts';
import type { Dump } from './dump.ts';
import type { Copier } from './snapshot/copier.ts';
import type { Gate } from './snapshot/gate.ts';
import type { TableCopy } from './snapshot/table-copy.ts';
import { comparePlaces, formatPosition, type Place, type Position } from './position.ts';
import { formatTable, streamEntry, tableEntry, type Tables } from './tables.ts';

export interface StreamOptions {
  readonly dump: Dump;
  readonly start: Position;
  readonly tables: Tables;
  readonly copies: Map<string, TableCopy>;
  readonly gate: Gate;
  readonly copier: Copier;
  readonly progress: Progress;
  /** The entries that make a new pipeline's beginning durable; null where the target holds them already. */
  readonly first: Checkpoint | null;
  /** Reads the schemas of the named tables as they are now; a table that is gone is missing. */
  readonly readSchemas: (named: readonly NamedTable[]) => Promise<ReadonlyMap<string, TableSchema>>;
  /** The end of the log now; with `caught-up` the stream ends there once the copy is consistent. */
  readonly readEnd: (() => Promise<Place>) | null;
  /** Keeps the control session alive and finds out when it is lost. */
  readonly ping: () => Promise<void>;
}

const takeBytes = 1024 * 1024;
/** Without changes the position is stored at most this often. */
const bareCheckpointMs = 1_000;
const pingMs = 10_000;

/** The lane of the binlog: changes in commit order, held back where a chunk of the snapshot must be durable first. */
export class Stream {
  readonly started = Promise.withResolvers<void>();
  readonly #options: StreamOptions;
  readonly #signal: AbortSignal;
  #position: Position;
  #underWay: Piece | null = null;
  #stored: string;
  #storedAtMs = 0;
  #entries = new Map<string, string>();
  #drops: string[] = [];
  /** Called once the next batch is durable. */
  #whenDurable: (() => void)[] = [];
  readonly #pending = new Map<Checkpoint, () => void>();
  #changes: Change[] = [];
  #bytes = 0;
  #end: Place | null = null;
  #pingedAtMs = Date.now();

  constructor(options: StreamOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#position = options.start;
    this.#stored = options.first === null ? formatPosition(options.start) : '';
    if (options.first === null) this.started.resolve();
  }

  /** Behind the last transaction that was handed on in whole. */
  get position(): Position {
    return this.#position;
  }

  /** The transaction behind it, where a part of that was handed on already. */
  get underWay(): Piece | null {
    return this.#underWay;
  }

  lane(): Lane {
    return {
      name: 'stream',
      kind: 'stream',
      batches: this.#batches(),
      acknowledge: (checkpoint) => this.#acknowledge(checkpoint),
    };
  }

  #acknowledge(checkpoint: Checkpoint): void {
    this.started.resolve();
    this.#pending.get(checkpoint)?.();
    this.#pending.delete(checkpoint);
  }

  async *#batches(): AsyncGenerator<Batch> {
    const { dump, first } = this.#options;
    if (first !== null) yield this.#batch([], first, 0);
    await untilAborted(this.#signal, this.started.promise);
    for (;;) {
      const pieces = dump.reader.take(takeBytes);
      for (const piece of pieces) yield* this.#piece(piece);
      this.#advance();
      this.#finishCopies();
      yield* this.#flush('worthwhile');
      if (await this.#isAtEnd()) {
        yield* this.#flush('all');
        return;
      }
      if (pieces.length === 0) await this.#more();
    }
  }

  async *#piece(piece: Piece): AsyncGenerator<Batch> {
    const { gate } = this.#options;
    // A change of a whole table begins its batch, so that a target without transactions need not do what stands before it again.
    if (piece.ddl !== null || !gate.passes(piece)) yield* this.#flush('all');
    while (!gate.passes(piece)) await gate.opened.wait(this.#signal);
    this.#underWay = piece;
    await this.#take(piece);
    if (piece.ddl !== null) await this.#define(piece, piece.ddl);
    if (piece.end === null) {
      if (piece.ddl === null) yield this.#batch(this.#takeChanges(), null, piece.bytes);
      return;
    }
    this.#position = behind(this.#position, piece, piece.end);
    this.#underWay = null;
  }

  /** Adds the piece's changes but those that the copy of their table shows. */
  async #take(piece: Piece): Promise<void> {
    this.#bytes += piece.bytes;
    for (const [origin, error] of piece.unread)
      if (this.#options.copies.get(origin)?.holds(piece) !== true) throw error;
    for (const change of piece.changes) {
      const copy =
        change.kind === 'marker' || change.kind === 'schema' || this.#options.copies.size === 0
          ? undefined
          : this.#options.copies.get(change.table.origin);
      if (copy !== undefined && copy.schema.key.length > 0 && copy.holds(piece)) continue;
      if (copy !== undefined && copy.schema.key.length === 0) {
        const fate = copy.keylessFate(piece);
        if (fate === 'again') await this.#restart(copy, copy.schema);
        if (fate !== 'apply') continue;
      }
      this.#changes.push(change);
    }
  }

  async #define(piece: Piece, ddl: NonNullable<Piece['ddl']>): Promise<void> {
    const { tables } = this.#options;
    const statement = classify(ddl.statement, ddl.database);
    const named =
      'tables' in statement ? statement.tables.filter(({ database, table }) => tables.captures(database, table)) : [];
    if (statement.kind === 'drop-database') this.#refuseDropDatabase(statement.database);
    if (named.length === 0) return;
    if (statement.kind === 'unlogged')
      throw schemaChange(ddl.statement, named, 'adds or removes rows without logging them, in a table');
    if (statement.kind === 'rename') throw schemaChange(ddl.statement, named, 'renames a table');
    const now = statement.kind === 'truncate' ? null : await this.#schemasAfter(statement.kind, named);
    for (const { database, table } of named) {
      const origin = `${database}.${table}`;
      const before = tables.get(origin) ?? null;
      if (now === null) {
        if (before !== null) await this.#reshape(origin, { kind: 'truncate', table: before, at: piece.at }, before);
        continue;
      }
      const after = now.get(origin) ?? null;
      const change = { kind: 'schema', statement: ddl.statement, at: piece.at } as const;
      const replaced = statement.kind === 'replace' && before !== null;
      if (replaced) await this.#reshape(origin, { ...change, before, after: null }, null);
      const old = replaced ? null : before;
      if (old?.fingerprint === after?.fingerprint) continue;
      await this.#reshape(origin, { ...change, before: old, after }, after);
    }
  }

  /** The catalog may have a table again that is dropped here: what the log says of it counts. */
  async #schemasAfter(kind: string, named: readonly NamedTable[]): Promise<ReadonlyMap<string, TableSchema>> {
    return kind === 'drop' ? new Map() : this.#options.readSchemas(named);
  }

  /** Emits a change of a whole table; a copy that is not consistent starts over from nothing, for its rows have another shape now or are gone. */
  async #reshape(origin: string, change: Change, after: TableSchema | null): Promise<void> {
    const { copies, tables } = this.#options;
    const copy = copies.get(origin);
    if (copy !== undefined) await this.#restart(copy, after);
    tables.set(origin, after);
    this.#changes.push(change);
    if (copy !== undefined && after !== null && change.kind === 'schema')
      this.#changes.push({ kind: 'truncate', table: after, at: change.at });
    if (after === null) this.#forget(tableEntry(origin));
    else this.#entries.set(tableEntry(origin), formatTable(after, copies.has(origin) ? 'copying' : 'following'));
  }

  /** Drops an entry. Dropping goes by prefix: entries of tables whose names only begin like this one's are set again. */
  #forget(entry: string): void {
    const { copies, tables } = this.#options;
    this.#drops.push(entry);
    this.#entries.delete(entry);
    for (const table of tables.all()) {
      const name = tableEntry(table.origin);
      if (name !== entry && name.startsWith(entry))
        this.#entries.set(name, formatTable(table, copies.has(table.origin) ? 'copying' : 'following'));
    }
  }

  async #restart(copy: TableCopy, schema: TableSchema | null): Promise<void> {
    const { copies, copier, gate } = this.#options;
    const { origin } = copy.schema;
    copy.pause();
    while (copy.inFlight > 0) await gate.opened.wait(this.#signal);
    this.#drops.push(`range/${origin}/`);
    if (schema === null) {
      copies.delete(origin);
      copier.moved.notify();
      return;
    }
    copy.restart(schema);
    // While a later restart is on its way the copy stays paused: what is copied before that is durable would be wiped by it.
    this.#whenDurable.push(() => {
      copy.resume();
      copier.moved.notify();
    });
  }

  #refuseDropDatabase(database: string): void {
    const gone = [...this.#options.tables.all()].filter((table) => table.origin.startsWith(`${database}.`));
    if (gone.length > 0)
      throw schemaChange(
        `DROP DATABASE ${database}`,
        gone.map((table) => ({ database, table: table.name })),
        'drops a database',
      );
  }

  /** Between transactions the log's place may move on past events that are nothing to us. */
  #advance(): void {
    const { reader } = this.#options.dump;
    if (!reader.insideTransaction) this.#position = { ...this.#position, place: reader.place };
  }

  /** A copy is consistent once the stream has passed everything that its chunks may have shown. */
  #finishCopies(): void {
    const { copies, tables, progress, copier } = this.#options;
    for (const [origin, copy] of copies) {
      const { high } = copy;
      if (!copy.isRead || (high !== null && comparePlaces(this.#position.place, high) < 0)) continue;
      copies.delete(origin);
      this.#drops.push(`range/${origin}/`);
      this.#entries.set(tableEntry(origin), formatTable(tables.get(origin) ?? copy.schema, 'following'));
      progress.table(origin).state = 'following';
      copier.moved.notify();
    }
    if (copies.size === 0 && progress.phase === 'copying') progress.phase = 'following';
  }

  /**
   * What has gathered as one batch. A moved position alone is worth one now and again. While parts of a transaction have been handed on
   * there is none: its checkpoint would make half a transaction durable (G3).
   */
  *#flush(what: 'worthwhile' | 'all'): Generator<Batch> {
    if (this.#underWay !== null) return;
    const bare = this.#changes.length === 0 && this.#entries.size === 0 && this.#drops.length === 0;
    if (bare && what === 'worthwhile' && Date.now() - this.#storedAtMs < bareCheckpointMs) return;
    const token = formatPosition(this.#position);
    if (bare && token === this.#stored) return;
    this.#stored = token;
    this.#storedAtMs = Date.now();
    const checkpoint = { set: new Map([...this.#entries, [streamEntry, token]]), drop: this.#drops };
    const durable = this.#whenDurable;
    if (durable.length > 0) this.#pending.set(checkpoint, () => durable.forEach((call) => call()));
    this.#entries = new Map();
    this.#drops = [];
    this.#whenDurable = [];
    yield this.#batch(this.#takeChanges(), checkpoint, this.#bytes);
  }

  #takeChanges(): Change[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  #batch(changes: readonly Change[], checkpoint: Checkpoint | null, bytes: number): Batch {
    this.#bytes = 0;
    return { changes, checkpoint, bytes, copying: new Set(this.#options.copies.keys()), barrier: null };
  }

  async #isAtEnd(): Promise<boolean> {
    const { readEnd, copies, dump } = this.#options;
    if (readEnd === null || copies.size > 0) return false;
    this.#end ??= await readEnd();
    return !dump.reader.insideTransaction && comparePlaces(this.#position.place, this.#end) >= 0;
  }

  /** Waits for more of the log, a copy that moved on, or the time to store an idle position. */
  async #more(): Promise<void> {
    const { dump, copier, ping } = this.#options;
    if (Date.now() - this.#pingedAtMs > pingMs) {
      await ping();
      this.#pingedAtMs = Date.now();
    }
    const woken = new AbortController();
    const signal = AbortSignal.any([this.#signal, woken.signal]);
    const quiet = (wait: Promise<void>): Promise<void> =>
      wait.catch((error: unknown) => {
        if (!woken.signal.aborted) throw error;
      });
    try {
      await Promise.race([quiet(dump.wire.arrived(signal)), quiet(copier.moved.wait(signal))]);
    } finally {
      woken.abort(new Error('woken by something else'));
    }
  }
}

/** The position behind a transaction that ends at `place`. The set is shared: it only grows, and tokens are made from it at once. */
function behind(position: Position, piece: Piece, place: Place): Position {
  const { source, number, gtid } = piece.id;
  if (position.by === 'gtid' && source !== null) {
    position.set.add(source, number);
    return { ...position, place };
  }
  if (position.by === 'domain' && source !== null) {
    const server = Number(gtid?.split('-')[1] ?? 0);
    return {
      ...position,
      domains: new Map([...position.domains, [Number(source), { server, sequence: number }]]),
      place,
    };
  }
  return { ...position, place };
}

function schemaChange(statement: string, named: readonly NamedTable[], what: string): LockstepError {
  const tables = named.map(({ database, table }) => `${database}.${table}`).join(', ');
  return new LockstepError(
    'SOURCE_SCHEMA_CHANGE',
    `a statement ${what} that is captured (${tables}): ${statement.slice(0, 200)}`,
    {
      fix: 'make the same change in the target, then resync the table',
    },
  );
}
