import type { Batch, Change, Checkpoint, Lane } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { FirstOf, untilAborted } from '../../core/signals.ts';
import type { TableSchema } from '../../core/table.ts';
import { isRowChange } from '../../core/transform.ts';
import { behind } from './position/behind.ts';
import { errantIn, isErrant } from './position/errant.ts';
import type { Piece } from './binlog/reader.ts';
import { Cascades } from './foreign-keys/cascades.ts';
import type { Dump } from './binlog/dump.ts';
import { SettledXa } from './binlog/settled-xa.ts';
import { Definitions, type DefinitionsOptions } from './definitions.ts';
import { Gathered } from './gathered.ts';
import { Reshaping } from './reshaping.ts';
import { TableLife } from './life.ts';
import type { Asked, Requests } from './requests.ts';
import type { Copier } from './snapshot/copier.ts';
import type { Gate } from './snapshot/gate.ts';
import type { Paused } from './snapshot/paused.ts';
import { sparselyUpdated } from './snapshot/order.ts';
import { rangeEntries } from './snapshot/ranges.ts';
import type { Fate, TableCopy } from './snapshot/table-copy.ts';
import { comparePlaces, formatPosition, type Place, type Position } from './position/position.ts';
import { formatTable, formatThrottle, streamEntry, tableEntry, throttleEntry } from './tables.ts';

export interface StreamOptions extends DefinitionsOptions {
  readonly dump: Dump;
  readonly start: Position;
  readonly copies: Map<string, TableCopy>;
  readonly gate: Gate;
  readonly copier: Copier;
  /** Tables whose copy a person has paused. */
  readonly paused: Paused;
  /** What people ask of tables meanwhile. */
  readonly requests: Requests;
  /** Takes in a table that was asked for, whatever the patterns say. */
  readonly capture: (origin: string) => void;
  /** The token that says what held the copy back when the target was read; null where nothing did. */
  readonly throttle: string | null;
  /** The entries that make a new pipeline's beginning durable; null where the target holds them already. */
  readonly first: Checkpoint | null;
  /** What is to be done to tables of the target that were prepared before the first position was known. */
  readonly firstChanges: readonly Change[];
  /** With `caught-up` the stream ends where the log ended when reading began, once the copy is consistent. */
  readonly until: 'caught-up' | null;
  /** Whether the target gets the secondary indexes of the source's tables. */
  readonly makesIndexes: boolean;
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
  /** True once the lane has ended. */
  ended = false;
  readonly #options: StreamOptions;
  readonly #signal: AbortSignal;
  #position: Position;
  #underWay: Piece | null = null;
  #stored: string;
  #storedAtMs = 0;
  /** Those of XA transactions that end up to where the stream stands. */
  readonly settledXa = new SettledXa();
  readonly #gathered: Gathered;
  readonly #reshaping: Reshaping;
  readonly #definitions: Definitions;
  readonly #cascades: Cascades;
  readonly #life: TableLife;
  /** Where the log ended when a table was asked for: up to there it may tell of the table itself. */
  readonly #addedFrom = new Map<string, Place>();
  #throttle: string | null;
  #throttleAtMs = 0;
  readonly #pending = new Map<Checkpoint, () => void>();
  #end: Place | null = null;
  #pingedAtMs = Date.now();
  readonly #moreOrMoved: FirstOf;

  constructor(options: StreamOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#position = options.start;
    this.#stored = options.first === null ? formatPosition(options.start) : '';
    if (options.first === null) this.started.resolve();
    this.#throttle = options.throttle;
    this.#moreOrMoved = new FirstOf(
      async () => await options.dump.reader.arrived(signal),
      async () => await options.copier.moved.wait(signal),
    );
    this.#gathered = new Gathered(options.makesIndexes);
    this.#reshaping = new Reshaping({ ...options, gathered: this.#gathered, signal });
    this.#definitions = new Definitions(options, this.#gathered, this.#reshaping);
    this.#cascades = new Cascades({ ...options, gathered: this.#gathered, reshaping: this.#reshaping });
    const [gathered, reshaping, definitions] = [this.#gathered, this.#reshaping, this.#definitions];
    this.#life = new TableLife({ ...options, gathered, reshaping, definitions });
  }

  /** Behind the last transaction that was handed on in whole. */
  get position(): Position {
    return this.#position;
  }

  /** Whether the table is the target's business where the stream stands. */
  follows(origin: string): boolean {
    return this.#options.tables.get(origin) !== undefined;
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
    if (first !== null) yield this.#batch(this.#options.firstChanges, first, 0);
    await untilAborted(this.#signal, this.started.promise);
    const begun = await this.#options.readEnd();
    for (;;) {
      const pieces = dump.reader.take(takeBytes);
      for (const piece of pieces) if (!this.#takesAtOnce(piece)) yield* this.#piece(piece);
      this.#advance();
      if (this.#options.tables.passesUnknown && this.#hasReached(begun))
        await this.#definitions.join(this.#position.place);
      if (this.#definitions.contradicted.length > 0) {
        yield* this.#flush('all');
        await this.#definitions.correct(this.#position.place);
      }
      yield* this.#answer();
      this.#finishCopies();
      this.#noteThrottle();
      yield* this.#flush('worthwhile');
      if (await this.#isAtEnd()) {
        yield* this.#flush('all');
        if (this.#options.copies.size > 0) throw copyPaused([...this.#options.copies.keys()]);
        this.ended = true;
        this.#options.copier.moved.notify();
        return;
      }
      if (pieces.length === 0) await this.#more();
    }
  }

  /** Takes a whole transaction in where nothing about it needs a wait: nearly all of them, and a promise for each would cost as much as its rows. */
  #takesAtOnce(piece: Piece): boolean {
    const { copies, gate, tables } = this.#options;
    const { changes, end } = piece;
    if (end === null || piece.ddl !== null || piece.unread.size > 0 || piece.cascading.size > 0) return false;
    if (copies.size > 0 || !gate.passes(piece) || isErrant(this.#position, piece)) return false;
    let known: TableSchema | null = null;
    for (const change of changes) {
      if (!isRowChange(change) || change.table === known) continue;
      if (tables.get(change.table.origin) !== change.table) return false;
      known = change.table;
    }
    this.#gathered.bytes += piece.bytes;
    for (const change of changes) this.#gathered.push(change);
    this.#leave(piece, end);
    return true;
  }

  #leave(piece: Piece, end: Place): void {
    if (piece.xa !== null) this.settledXa.add(piece.xa);
    this.#position = behind(this.#position, piece, end);
    this.#underWay = null;
  }

  /** Does what was asked of tables, between two transactions. Each begins a batch, as a change of a whole table does. */
  async *#answer(): AsyncGenerator<Batch> {
    const { requests } = this.#options;
    for (const asked of requests.waiting) {
      if (this.#underWay !== null || !(await this.#isTime(asked))) continue;
      yield* this.#flush('all');
      await this.#life.apply(asked.request, this.#position.place);
      this.#gathered.dropEntries(asked.name);
      requests.done(asked);
      this.#addedFrom.delete(asked.name);
      yield* this.#flush('all');
    }
  }

  /** Kept for those who look while this process runs, or after it is gone. */
  #noteThrottle(): void {
    const { throttle } = this.#options.progress;
    const token = throttle === null ? null : formatThrottle(throttle);
    if (token === this.#throttle) return;
    if (token === null) this.#gathered.dropEntries(throttleEntry);
    else if (Date.now() - this.#throttleAtMs < bareCheckpointMs) return;
    else this.#gathered.setEntry(throttleEntry, token);
    [this.#throttle, this.#throttleAtMs] = [token, Date.now()];
  }

  async #isTime({ name, request }: Asked): Promise<boolean> {
    if (request.action !== 'add') return this.#life.isTime(request);
    let from = this.#addedFrom.get(name);
    if (from === undefined) this.#addedFrom.set(name, (from = await this.#options.readEnd()));
    return !this.#options.tables.passesUnknown && this.#hasReached(from);
  }

  async *#piece(piece: Piece): AsyncGenerator<Batch> {
    const { gate } = this.#options;
    // A change of a whole table begins its batch, so that a target without transactions need not do what stands before it again.
    const reshapes = piece.ddl !== null || this.#options.tables.isDescribed(piece.changes);
    if (reshapes || !gate.passes(piece)) yield* this.#flush('all');
    while (!gate.passes(piece)) await gate.opened.wait(this.#signal);
    this.#underWay = piece;
    const errant = isErrant(this.#position, piece);
    if (errant && piece.changes.some(isRowChange)) throw errantIn(this.#options.where, piece);
    await this.#take(piece);
    if (piece.ddl !== null) await this.#definitions.follow(piece, piece.ddl, errant);
    if (piece.end === null) {
      if (piece.ddl === null) yield this.#batch(this.#gathered.takeChanges(), null, this.#gathered.takeBytes());
      return;
    }
    this.#leave(piece, piece.end);
  }

  /** Adds the piece's changes but those that the copy of their table shows. */
  async #take(piece: Piece): Promise<void> {
    const gathered = this.#gathered;
    gathered.bytes += piece.bytes;
    for (const [origin, error] of piece.unread) {
      const held = this.#options.copies.get(origin)?.holds(piece) === true;
      if (!held || this.#options.foreignKeys.leadFrom(origin)) throw error;
    }
    let settled: TableSchema | null = null;
    for (const change of piece.changes) {
      if (!isRowChange(change) || change.table === settled || (await this.#isWanted(piece, change.table))) {
        if (isRowChange(change)) settled = this.#options.copies.size === 0 ? change.table : null;
        gathered.push(change);
      }
      if (piece.cascading.has(change) && isRowChange(change)) await this.#cascades.follow(piece, change);
    }
  }

  async #isWanted(piece: Piece, table: TableSchema): Promise<boolean> {
    // Read ahead of where it was removed.
    if (this.#options.tables.isLeftOut(table.origin)) return false;
    let fate = this.#fate(piece, table);
    if (fate === 'described') {
      await this.#reshaping.describe(this.#options.tables.get(table.origin) ?? table, table, piece.at);
      fate = this.#fate(piece, table);
    }
    if (fate === 'again') await this.#reshaping.readAgain(table.origin);
    return fate === 'apply';
  }

  /** `described`: the log has told that the table is not as it was known. */
  #fate(piece: Piece, table: TableSchema): Fate | 'described' {
    const { copies, tables } = this.#options;
    const copy = copies.size === 0 ? undefined : copies.get(table.origin);
    const fate = copy?.fate(piece) ?? 'apply';
    if (fate === 'drop' && copy?.schema.key.length !== 0) return fate;
    return tables.get(table.origin) === table ? fate : 'described';
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
      this.#gathered.dropEntries(rangeEntries(origin));
      this.#gathered.setEntry(tableEntry(origin), formatTable(tables.get(origin) ?? copy.schema, 'following'));
      if (copy.where === null) this.#gathered.askForIndexes(origin);
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
    const gathered = this.#gathered;
    if (gathered.isBare && what === 'worthwhile' && Date.now() - this.#storedAtMs < bareCheckpointMs) return;
    const token = formatPosition(this.#position);
    if (gathered.isBare && token === this.#stored) return;
    this.#stored = token;
    this.#storedAtMs = Date.now();
    const { checkpoint, durable } = gathered.takeCheckpoint(streamEntry, token);
    if (durable !== null) this.#pending.set(checkpoint, durable);
    yield this.#batch(gathered.takeChanges(), checkpoint, gathered.takeBytes());
  }

  #batch(changes: readonly Change[], checkpoint: Checkpoint | null, bytes: number): Batch {
    const { copies, foreignKeys } = this.#options;
    // Rows that leave those that are copied again are in no chunk: an update brings them.
    const copied = copies
      .values()
      .filter(({ where }) => where === null)
      .map(({ schema }) => schema);
    return { changes, checkpoint, bytes, copying: sparselyUpdated(foreignKeys.all, copied), barrier: null };
  }

  #hasReached(place: Place): boolean {
    return !this.#options.dump.reader.insideTransaction && comparePlaces(this.#position.place, place) >= 0;
  }

  async #isAtEnd(): Promise<boolean> {
    const { readEnd, until, copies } = this.#options;
    const { tables, requests, paused } = this.#options;
    if (until === null || tables.passesUnknown) return false;
    if (![...copies].every(([origin, { inFlight }]) => paused.has(origin) && inFlight === 0)) return false;
    if (copies.size === 0 && requests.waiting.length > 0) return false;
    this.#end ??= await readEnd();
    return this.#hasReached(this.#end);
  }

  /** Waits for more of the log, a copy that moved on, or the time to store an idle position. */
  async #more(): Promise<void> {
    const { ping } = this.#options;
    if (Date.now() - this.#pingedAtMs > pingMs) {
      await ping();
      this.#pingedAtMs = Date.now();
    }
    await this.#moreOrMoved.wait();
  }
}

function copyPaused(origins: readonly string[]): LockstepError {
  const message = `the copy of ${origins.join(', ')} is paused, so it cannot catch up; everything else has`;
  return new LockstepError('SOURCE_COPY_PAUSED', message, { fix: 'lockstep table resume' });
}
