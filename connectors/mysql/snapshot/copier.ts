import type { Batch, Change, Lane } from '../../../core/contracts.ts';
import { LockstepError } from '../../../core/errors.ts';
import type { Progress } from '../../../core/progress.ts';
import { Bell, sleep } from '../../../core/signals.ts';
import type { ForeignKey } from '../../../core/foreign-key.ts';
import { comparePlaces, momentAt, type Position } from '../position/position.ts';
import { readLogEnd } from '../connection/server.ts';
import type { TextConnection } from '../connection/text-connection.ts';
import { isCircular, waitsForOthers } from './order.ts';
import { beginInShape, differenceInShape } from './current-shape.ts';
import { LowPositions, type LowPositionsOptions } from './low-positions.ts';
import { Chunk } from './chunk.ts';
import { readMostShown } from './most-shown.ts';
import { ending, nullIfGone, part, partBytes, type Pending } from './handing-on.ts';
import type { Paused } from './paused.ts';
import { SmallTables } from './small-tables.ts';
import type { Throttle } from './throttle.ts';
import { chunkStatement, formatRange, keyLiterals, planRanges, rangeEntry, wholeTable, type Range } from './ranges.ts';
import type { TableCopy } from './table-copy.ts';

export interface CopierOptions extends LowPositionsOptions {
  readonly tables: ReadonlyMap<string, TableCopy>;
  readonly progress: Progress;
  readonly readers: number;
  /** Those that change rows of captured tables. Default: none. */
  readonly foreignKeys?: () => readonly ForeignKey[];
  /** Tables of which no further chunk is begun for now. Default: none. */
  readonly paused?: Paused;
  /** Default: nothing holds the copy back. */
  readonly throttle?: Throttle;
  readonly connect: (signal: AbortSignal) => Promise<TextConnection>;
}

/** A chunk aims at this time, so that the stream, which waits for it, lags no longer. */
const chunkTargetMs = 500;
const chunkTargetBytes = 16 * 1024 * 1024;
const firstChunkRows = 5_000;
const rangesPerReader = 2;
/** Below this many rows a table is not worth cutting. */
const smallTableRows = 50_000;

/** Reads the tables' chunks with several readers side by side; every reader is a lane. */
export class Copier {
  /** Rings when a table's copy has moved on, so that the stream looks whether it is consistent. */
  readonly moved = new Bell();
  readonly #options: CopierOptions;
  readonly #lows: LowPositions;
  readonly #small: SmallTables;

  constructor(options: CopierOptions) {
    this.#options = options;
    this.#lows = new LowPositions(options, (copy) => this.#isAtOnce(copy), this.moved);
    this.#small = new SmallTables({
      ...options,
      lows: this.#lows,
      isApart: (copy) => this.#isAtOnce(copy) || this.#waits(copy) || this.#isPaused(copy),
      moved: () => this.moved.notify(),
    });
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
        if (yield* this.#small.copySome(connection, pending, signal)) continue;
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
      if (this.#options.tables.size === 0) {
        this.#options.throttle?.rest();
        return null;
      }
      for (const copy of this.#options.tables.values()) {
        if (this.#isPaused(copy)) continue;
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

  #isPaused({ schema }: TableCopy): boolean {
    return this.#options.paused?.has(schema.origin) === true;
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
    const cut = copy.where === null ? planRanges(connection, schema, parts, signal) : Promise.resolve([wholeTable]);
    const ranges = withEstimate(await cut.catch(nullIfGone), copy.where === null ? rows : 0);
    if (ranges === null) await sleep(200, signal);
    if (ranges === null && copy.epoch === epoch) copy.taken.delete(planning);
    if (ranges === null) return;
    const set = new Map(ranges.map((range) => [rangeEntry(origin, range.index), formatRange(range)]));
    if (copy.epoch !== epoch) return;
    // A restart waits for this as for a chunk: else two lanes would write the same new entries.
    copy.inFlight += 1;
    yield ending(pending, set, () => {
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
    const { throttle } = this.#options;
    const most = throttle?.chunk ?? { rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
    const [mostRows, targetBytes] = [most.rows, Math.min(chunkTargetBytes, most.bytes)];
    let range = start;
    let limit = this.#isAtOnce(copy) ? Number.MAX_SAFE_INTEGER : Math.min(firstChunkRows, mostRows);
    const mayGoOn = (): boolean => !copy.paused && !this.#isPaused(copy) && copy.epoch === epoch;
    while (!range.done && mayGoOn()) {
      await throttle?.admit(signal);
      if (!mayGoOn()) break;
      const chunk = new Chunk(copy.schema);
      const low = await this.#lows.take(connection, [copy], signal);
      if (low === null) return false;
      const begun = performance.now();
      try {
        yield* this.#chunk({ connection, copy, range, chunk, low, limit, pending }, signal);
      } catch (error) {
        this.#lows.release([copy], low);
        nullIfGone(error);
        await connection.query('COMMIT', signal);
        await sleep(200, signal);
        return false;
      }
      range = chunk.after ?? range;
      const { rows, bytes, first } = chunk;
      throttle?.spent({ origin: copy.schema.origin, rows, bytes, first });
      const scale = Math.min(
        chunkTargetMs / Math.max(1, performance.now() - begun),
        targetBytes / Math.max(1, chunk.bytes),
        2,
      );
      limit = Math.min(mostRows, Math.max(100, Math.round(limit * scale)));
    }
    return range.done;
  }

  async *#chunk(
    { connection, copy, range, chunk, low, limit, pending }: ChunkWork,
    signal: AbortSignal,
  ): AsyncGenerator<Batch> {
    const { server } = this.#options;
    const { schema } = copy;
    const keyless = schema.key.length === 0;
    const wipes = this.#isAtOnce(copy);
    const opened = wipes ? await readMostShown(connection, server, signal) : null;
    const other = keyless ? null : await (wipes ? differenceInShape : beginInShape)(connection, schema, signal);
    if (other !== null) throw await this.#outrun(connection, copy, other, signal);
    // What is emptied must be read as a whole.
    const condition = wipes ? null : (copy.where?.sql ?? null);
    chunk.begin();
    await connection.start(chunkStatement(schema, range, chunk.select, limit, condition), signal);
    const at = momentAt(low.place);
    // It must not be handed on before the server has let us see a row: a statement that fails leaves no part behind.
    let changes: Change[] = wipes ? [{ kind: 'truncate', table: schema, at }] : [];
    for (;;) {
      const more = await connection.rows(
        (cursor) => changes.push({ kind: 'read', table: schema, before: null, after: chunk.read(cursor, at), at }),
        partBytes,
        signal,
      );
      chunk.arrived();
      if (!more && changes.length === 0) break;
      yield part(changes, chunk.takeBytes());
      changes = [];
      if (!more) break;
    }
    const most = opened ?? (await readMostShown(connection, server, signal));
    await connection.query('COMMIT', signal);
    const done = wipes || chunk.rows < limit;
    const last = chunk.last === null ? range.at : keyLiterals(schema, chunk.last);
    const after: Range = { ...range, ...most, at: last, done, rows: range.rows + chunk.rows };
    chunk.after = after;
    const set = new Map([[rangeEntry(schema.origin, range.index), formatRange(after)]]);
    yield ending(pending, set, () => {
      copy.update(after);
      if (wipes) copy.between = { low, high: most.high };
      this.#lows.release([copy], low);
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
}

function withEstimate(ranges: readonly Range[] | null, rows: number): Range[] | null {
  return ranges?.map((range) => (range.index === 0 && rows > 0 ? { ...range, estimate: rows } : range)) ?? null;
}

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
