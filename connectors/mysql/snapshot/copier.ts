import type { Batch, Change, Checkpoint, Lane, Row } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import type { Progress } from '../../../core/progress.ts';
import { FieldRoom, PackedRow, type PackedColumn, type RowPlace } from '../../../core/row.ts';
import { Bell, sleep } from '../../../core/signals.ts';
import type { TableSchema } from '../../../core/table.ts';
import type { ForeignKey } from '../../../core/foreign-key.ts';
import type { Cursor } from '../binlog/cursor.ts';
import type { SettledXa } from '../binlog/settled-xa.ts';
import { comparePlaces, type Position } from '../position/position.ts';
import {
  beginConsistentSnapshot,
  readLogEnd,
  readPreparedXa,
  readVisiblePosition,
  type Server,
} from '../connection/server.ts';
import { readLength, requireEnd, type TextConnection } from '../connection/text-connection.ts';
import { isCircular, waitsForOthers } from './order.ts';
import { beginInShape, differenceInShape } from './current-shape.ts';
import type { Gate, HandedOn } from './gate.ts';
import { chunkStatement, formatRange, keyLiterals, planRanges, type Range } from './ranges.ts';
import type { TableCopy } from './table-copy.ts';
import { selectExpression, textColumn } from './text-column.ts';

export interface CopierOptions {
  readonly tables: ReadonlyMap<string, TableCopy>;
  readonly gate: Gate;
  readonly server: Server;
  readonly marker: string | null;
  readonly progress: Progress;
  readonly readers: number;
  /** Those that change rows of captured tables. Default: none. */
  readonly foreignKeys?: () => readonly ForeignKey[];
  readonly connect: (signal: AbortSignal) => Promise<TextConnection>;
  /** Where the stream stands; a chunk is read only at or behind it. */
  readonly handedOn: () => HandedOn & { readonly settledXa: SettledXa };
}

/** A low position, and what was prepared on a MariaDB just behind it. */
interface Low {
  readonly position: Position;
  readonly prepared: ReadonlySet<string>;
}

const none: ReadonlySet<string> = new Set();

/** A chunk aims at this time, so that the stream, which waits for it, lags no longer. */
const chunkTargetMs = 500;
const chunkTargetBytes = 16 * 1024 * 1024;
const firstChunkRows = 5_000;
const partBytes = 1024 * 1024;
const rangesPerReader = 2;
/** Below this many rows a table is not worth cutting. */
const smallTableRows = 50_000;

/** Name of the token that holds a range's progress. */
export const rangeEntry = (origin: string, index: number): string => `range/${origin}/${index}`;

/** Reads the tables' chunks with several readers side by side; every reader is a lane. */
export class Copier {
  /** Rings when a table's copy has moved on, so that the stream looks whether it is consistent. */
  readonly moved = new Bell();
  readonly #options: CopierOptions;

  constructor(options: CopierOptions) {
    this.#options = options;
  }

  lane(index: number, signal: AbortSignal): Lane {
    const pending: Pending = new Map();
    return {
      name: `copy/${index}`,
      kind: 'copy',
      batches: this.#read(pending, signal),
      acknowledge: (checkpoint) => {
        pending.get(checkpoint)?.();
        pending.delete(checkpoint);
      },
    };
  }

  async *#read(pending: Pending, signal: AbortSignal): AsyncGenerator<Batch> {
    const connection = await this.#options.connect(signal);
    try {
      for (;;) {
        const work = yield* this.#nextRange(connection, pending, signal);
        if (work === null) return;
        const { copy, range } = work;
        const { epoch } = copy;
        const finished = yield* this.#walk(connection, copy, range, pending, signal);
        if (!finished && copy.epoch === epoch) copy.taken.delete(range.index);
      }
    } finally {
      connection.destroy();
    }
  }

  /** The next range to walk, cutting the next table where no cut one is left; null once every table is consistent. */
  async *#nextRange(
    connection: TextConnection,
    pending: Pending,
    signal: AbortSignal,
  ): AsyncGenerator<Batch, { copy: TableCopy; range: Range } | null> {
    for (;;) {
      if (this.#options.tables.size === 0) return null;
      for (const copy of this.#options.tables.values()) {
        if (copy.ranges === null && !copy.paused && copy.taken.size === 0 && !this.#waits(copy))
          yield* this.#plan(connection, copy, pending, signal);
        const range = copy.free();
        if (range !== null) {
          copy.taken.add(range.index);
          this.#options.progress.table(copy.schema.origin).state = 'copying';
          return { copy, range };
        }
      }
      await this.moved.wait(signal);
    }
  }

  #waits({ schema }: TableCopy): boolean {
    return waitsForOthers(this.#options.foreignKeys?.() ?? [], schema.origin, this.#options.tables.keys());
  }

  /** Whether the table must be read at one state: its rows cannot be put in order later without a key, and the way from one to another must not be missing. */
  #isAtOnce({ schema }: TableCopy): boolean {
    return schema.key.length === 0 || isCircular(this.#options.foreignKeys?.() ?? [], schema.origin);
  }

  async *#plan(
    connection: TextConnection,
    copy: TableCopy,
    pending: Pending,
    signal: AbortSignal,
  ): AsyncGenerator<Batch> {
    const { epoch, schema } = copy;
    const { origin } = schema;
    const rows = this.#options.progress.table(origin).estimatedRows ?? 0;
    copy.taken.add(planning);
    const parts = rows < smallTableRows || this.#isAtOnce(copy) ? 1 : this.#options.readers * rangesPerReader;
    const ranges = await planRanges(connection, schema, parts, signal).catch(nullIfGone);
    if (ranges === null) await sleep(200, signal);
    if (ranges === null && copy.epoch === epoch) copy.taken.delete(planning);
    if (ranges === null) return;
    const set = new Map(ranges.map((range) => [rangeEntry(origin, range.index), formatRange(range)]));
    if (copy.epoch !== epoch) return;
    // A restart waits for this as for a chunk: else two lanes would write the same new entries.
    copy.inFlight += 1;
    yield this.#durable(pending, { set, drop: [] }, () => {
      copy.inFlight -= 1;
      this.#options.gate.opened.notify();
      copy.taken.delete(planning);
      copy.ranges = ranges;
      this.moved.notify();
    });
  }

  /** Reads a range to its end; false when it was interrupted and somebody must go on with it. */
  async *#walk(
    connection: TextConnection,
    copy: TableCopy,
    start: Range,
    pending: Pending,
    signal: AbortSignal,
  ): AsyncGenerator<Batch, boolean> {
    const { epoch } = copy;
    let range = start;
    let limit = this.#isAtOnce(copy) ? Number.MAX_SAFE_INTEGER : firstChunkRows;
    while (!range.done && !copy.paused && copy.epoch === epoch) {
      const chunk = new Chunk(copy.schema);
      const held = await this.#hold(connection, copy, epoch, signal);
      if (held === null) return false;
      const low = held.position;
      if (!(await this.#isVisible(connection, copy, held, signal))) {
        this.#release(copy, low);
        await this.#endSnapshot(connection, copy, signal);
        await sleep(2, signal);
        return false;
      }
      const begun = performance.now();
      try {
        yield* this.#chunk({ connection, copy, range, chunk, low, limit, pending }, signal);
      } catch (error) {
        this.#release(copy, low);
        nullIfGone(error);
        await connection.query('COMMIT', signal);
        await sleep(200, signal);
        return false;
      }
      range = chunk.after ?? range;
      const scale = Math.min(
        chunkTargetMs / Math.max(1, performance.now() - begun),
        chunkTargetBytes / Math.max(1, chunk.bytes),
        2,
      );
      limit = Math.max(100, Math.round(limit * scale));
    }
    return range.done;
  }

  /** Reads a position that lists all the stream has handed on and keeps the stream from passing it. */
  async #hold(connection: TextConnection, copy: TableCopy, epoch: number, signal: AbortSignal): Promise<Low | null> {
    const { gate } = this.#options;
    gate.close();
    try {
      for (;;) {
        const low = await this.#low(connection, copy, signal);
        if (copy.paused || copy.epoch !== epoch) {
          await this.#endSnapshot(connection, copy, signal);
          return null;
        }
        const { position } = low;
        if (copy.isSameOrLater(position) && gate.hold(position, this.#options.handedOn())) {
          copy.inFlight += 1;
          copy.firstLow ??= position;
          return low;
        }
        await this.#endSnapshot(connection, copy, signal);
        await sleep(2, signal);
      }
    } finally {
      gate.open();
    }
  }

  /** A position that lists only what a read that starts now shows; where the server can, of a snapshot that is open then. */
  async #low(connection: TextConnection, copy: TableCopy, signal: AbortSignal): Promise<Low> {
    const { server, marker } = this.#options;
    const position = await readVisiblePosition(connection, server, marker, signal);
    const prepared = server.flavour === 'mariadb' ? await readPreparedXa(connection, signal) : none;
    if (this.#isAtOnce(copy)) await beginConsistentSnapshot(connection, signal);
    return { position, prepared };
  }

  /**
   * Whether a read that starts now shows all that the low position lists (rule 0). MariaDB lists the commit of an XA transaction for a moment
   * before its rows are visible, and as prepared until they are. Which of those have committed the stream tells, once it stands at the low position.
   */
  async #isVisible(
    connection: TextConnection,
    copy: TableCopy,
    { position, prepared }: Low,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (prepared.size === 0) return true;
    const { handedOn } = this.#options;
    const { epoch } = copy;
    while (comparePlaces(handedOn().position.place, position.place) < 0) {
      // The stream may wait for this very chunk, to begin the table's copy over.
      if (copy.paused || copy.epoch !== epoch) return false;
      await sleep(2, signal);
    }
    const { settledXa } = handedOn();
    // An open snapshot does not come to see what was not visible when it was opened.
    const still = this.#isAtOnce(copy) ? prepared : await readPreparedXa(connection, signal);
    return !settledXa.hasAnyOf(still);
  }

  async #endSnapshot(connection: TextConnection, copy: TableCopy, signal: AbortSignal): Promise<void> {
    if (this.#isAtOnce(copy)) await connection.query('COMMIT', signal);
  }

  #release(copy: TableCopy, low: Position): void {
    copy.inFlight -= 1;
    this.#options.gate.release(low);
    this.moved.notify();
  }

  async *#chunk(
    { connection, copy, range, chunk, low, limit, pending }: ChunkWork,
    signal: AbortSignal,
  ): AsyncGenerator<Batch> {
    const { server } = this.#options;
    const { schema } = copy;
    const keyless = schema.key.length === 0;
    const wipes = this.#isAtOnce(copy);
    const opened = wipes ? await readLogEnd(connection, server, signal) : null;
    const other = keyless ? null : await (wipes ? differenceInShape : beginInShape)(connection, schema, signal);
    if (other !== null) throw await this.#outrun(connection, copy, other, signal);
    await connection.start(chunkStatement(schema, range, chunk.select, limit), signal);
    const at = { committedAtMs: Date.now(), gtid: null, file: low.place.file, offset: low.place.offset, serverId: 0 };
    // It must not be handed on before the server has let us see a row: a statement that fails leaves no part behind.
    let changes: Change[] = wipes ? [{ kind: 'truncate', table: schema, at }] : [];
    for (;;) {
      const more = await connection.rows(
        (cursor) => changes.push({ kind: 'read', table: schema, before: null, after: chunk.read(cursor, at), at }),
        partBytes,
        signal,
      );
      if (!more && changes.length === 0) break;
      yield part(changes, chunk.takeBytes());
      changes = [];
      if (!more) break;
    }
    const end = opened ?? (await readLogEnd(connection, server, signal));
    await connection.query('COMMIT', signal);
    const done = wipes || chunk.rows < limit;
    const last = chunk.last === null ? range.at : keyLiterals(schema, chunk.last);
    const after: Range = { ...range, at: last, done, high: end, rows: range.rows + chunk.rows };
    chunk.after = after;
    const set = new Map([[rangeEntry(schema.origin, range.index), formatRange(after)]]);
    yield this.#durable(pending, { set, drop: [] }, () => {
      copy.update(after);
      if (wipes) copy.between = { low, high: end };
      this.#release(copy, low);
    });
  }

  /** Waits, as for a table that is gone, for the stream: to tell of the later shape, or where it has nothing more to tell, to ask for it. */
  async #outrun(
    connection: TextConnection,
    copy: TableCopy,
    difference: string,
    signal: AbortSignal,
  ): Promise<LockstepError> {
    const end = await readLogEnd(connection, this.#options.server, signal);
    if (!copy.paused && comparePlaces(this.#options.handedOn().position.place, end) >= 0) {
      copy.contradiction = difference;
      this.moved.notify();
    }
    return new LockstepError('SOURCE_SCHEMA', `${copy.schema.origin} has another shape than is known: ${difference}`);
  }

  /** A batch that ends what came before it; `durable` is called once the target holds it all. */
  #durable(pending: Pending, checkpoint: Checkpoint, durable: () => void): Batch {
    pending.set(checkpoint, durable);
    return { changes: [], checkpoint, bytes: 0, copying: new Set(), barrier: null };
  }
}

function part(changes: Batch['changes'], bytes: number): Batch {
  return { changes, checkpoint: null, bytes, copying: new Set(), barrier: null };
}

/** A table that is not there, or not as it was, is one that the stream will tell of; anything else is thrown. */
function nullIfGone(error: unknown): null {
  const code = error instanceof LockstepError ? error.code : null;
  if (code === 'SOURCE_SCHEMA' || code === 'SOURCE_NO_TABLES') return null;
  throw error;
}

/** What to do when a checkpoint of the lane is durable. */
type Pending = Map<Checkpoint, () => void>;

interface ChunkWork {
  readonly connection: TextConnection;
  readonly copy: TableCopy;
  readonly range: Range;
  readonly chunk: Chunk;
  readonly low: Position;
  readonly limit: number;
  readonly pending: Pending;
}

/** Stands in `TableCopy.taken` while a reader cuts the table. */
const planning = -1;

/** What a row takes in memory beside its bytes, about. */
const bytesPerRow = 200;

/** The rows of one chunk as they are read. */
class Chunk {
  readonly select: string;
  rows = 0;
  bytes = 0;
  last: Row | null = null;
  after: Range | null = null;
  readonly #columns: readonly PackedColumn[];
  readonly #room = new FieldRoom();
  readonly #where: string;
  #untaken = 0;

  constructor(table: TableSchema) {
    this.select = table.columns.map(selectExpression).join(', ');
    this.#columns = table.columns.map(textColumn);
    this.#where = table.origin;
  }

  read(cursor: Cursor, place: RowPlace): Row {
    const start = cursor.at;
    const count = this.#columns.length;
    const first = this.#room.take(count);
    const { fields } = this.#room;
    for (let i = 0; i < count; i += 1) {
      const length = readLength(cursor);
      const field = first + 2 * i;
      fields[field] = length < 0 ? -1 : cursor.at;
      if (length > 0) cursor.at += length;
      fields[field + 1] = cursor.at;
    }
    requireEnd(cursor, this.#where);
    this.rows += 1;
    this.#untaken += bytesPerRow + cursor.end - start;
    this.last = new PackedRow(this.#columns, cursor.bytes, fields, first, place);
    return this.last;
  }

  /** Bytes in memory since it was last asked. */
  takeBytes(): number {
    const bytes = this.#untaken;
    this.bytes += bytes;
    this.#untaken = 0;
    return bytes;
  }
}
