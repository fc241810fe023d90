import type { Batch, Change } from '../../../core/contracts.ts';
import type { Progress } from '../../../core/progress.ts';
import type { Server } from '../connection/server.ts';
import type { TextConnection } from '../connection/text-connection.ts';
import { momentAt, type Position } from '../position/position.ts';
import { Chunk } from './chunk.ts';
import { beginInShapes } from './current-shape.ts';
import { ending, nullIfGone, part, partBytes, type Pending } from './handing-on.ts';
import type { LowPositions } from './low-positions.ts';
import { readMostShown, type MostShown } from './most-shown.ts';
import { chunkStatement, formatRange, keyLiterals, rangeEntry, wholeTable, type Range } from './ranges.ts';
import type { TableCopy } from './table-copy.ts';
import type { Throttle } from './throttle.ts';

export interface SmallTablesOptions {
  readonly tables: ReadonlyMap<string, TableCopy>;
  readonly progress: Progress;
  readonly server: Server;
  readonly lows: LowPositions;
  /** Whether a table is one that is read at one moment, or one whose copy must not begin yet or go on. */
  readonly isApart: (copy: TableCopy) => boolean;
  readonly throttle?: Throttle;
  /** To be called when a table's copy has moved on. */
  readonly moved: () => void;
}

/** By the source's estimate; a table that turns out to be larger goes on as any other. */
const smallRows = 1_000;
const mostTables = 200;
const mostRows = 5_000;
/** The stream waits meanwhile, so it is as short as a chunk of one table. */
const targetMs = 500;
/** Stands in `TableCopy.taken` while tables are planned. */
const planning = -1;

/**
 * Copies many small tables as one chunk: for one of them alone the low position, the look at its shape, the end of the log and the target's
 * commits would take most of the time. The rules are those of a chunk, for each of the tables.
 */
export class SmallTables {
  readonly #options: SmallTablesOptions;
  /** Those that stood in the way of the others, to be read alone. */
  readonly #alone = new WeakSet<TableCopy>();

  constructor(options: SmallTablesOptions) {
    this.#options = options;
  }

  /** Copies some; false where there are not at least two. */
  async *copySome(connection: TextConnection, pending: Pending, signal: AbortSignal): AsyncGenerator<Batch, boolean> {
    const chosen = this.#choose();
    if (chosen.length < 2) return false;
    yield* this.#plan(chosen, pending);
    const { lows, moved, throttle, isApart } = this.#options;
    await throttle?.admit(signal);
    const copies = chosen.filter((copy) => isWhole(copy) && copy.taken.size === 0 && !copy.paused && !isApart(copy));
    for (const { taken } of copies) taken.add(wholeTable.index);
    const epochs = copies.map(({ epoch }) => epoch);
    try {
      const low = copies.length === 0 ? null : await lows.take(connection, copies, signal);
      if (low !== null) yield* this.#read(connection, copies, low, pending, signal);
    } finally {
      copies.forEach((copy, i) => copy.epoch === epochs[i] && copy.taken.delete(wholeTable.index));
      moved();
    }
    return true;
  }

  #choose(): TableCopy[] {
    const { tables, progress, isApart } = this.#options;
    const chosen: TableCopy[] = [];
    for (const copy of tables.values()) {
      if (copy.paused || copy.taken.size > 0 || copy.where !== null || this.#alone.has(copy)) continue;
      if (copy.ranges !== null && !isWhole(copy)) continue;
      if ((progress.table(copy.schema.origin).estimatedRows ?? 0) > smallRows || isApart(copy)) continue;
      chosen.push(copy);
      if (chosen.length === mostTables) break;
    }
    return chosen;
  }

  /** That they are begun must be durable before anything of them is: an interrupted copy of today may show rows of another moment. */
  *#plan(chosen: readonly TableCopy[], pending: Pending): Generator<Batch> {
    const fresh = chosen.filter(({ ranges }) => ranges === null);
    if (fresh.length === 0) return;
    for (const copy of fresh) {
      copy.taken.add(planning);
      copy.inFlight += 1;
    }
    const planned = fresh.map((copy) => ({ copy, range: this.#range(copy) }));
    const set = new Map(
      planned.map(({ copy: { schema }, range }) => [rangeEntry(schema.origin, range.index), formatRange(range)]),
    );
    yield ending(pending, set, () => {
      for (const { copy, range } of planned) {
        copy.inFlight -= 1;
        copy.taken.delete(planning);
        copy.ranges = [range];
      }
      this.#options.moved();
    });
  }

  #range({ schema }: TableCopy): Range {
    const rows = this.#options.progress.table(schema.origin).estimatedRows ?? 0;
    return { ...wholeTable, estimate: rows > 0 ? rows : null };
  }

  async *#read(
    connection: TextConnection,
    copies: readonly TableCopy[],
    low: Position,
    pending: Pending,
    signal: AbortSignal,
  ): AsyncGenerator<Batch> {
    const { lows, server } = this.#options;
    const found: Found[] = [];
    try {
      const sameShape = await this.#inShape(connection, copies, signal);
      const rest = yield* this.#rows(connection, sameShape, low, found, signal);
      const most = await readMostShown(connection, server, signal);
      // Before most of it goes to the target: who wants to alter one of the tables waits for this, and need not wait for the target.
      await connection.query('COMMIT', signal);
      if (found.length === 0) {
        lows.release(copies, low);
        return;
      }
      yield rest;
      const done = found.map(({ copy, chunk, limit }) => ({ copy, range: rangeBehind(copy, chunk, limit, most) }));
      const set = new Map(
        done.map(({ copy: { schema }, range }) => [rangeEntry(schema.origin, range.index), formatRange(range)]),
      );
      yield ending(pending, set, () => {
        for (const { copy, range } of done) copy.update(range);
        lows.release(copies, low);
      });
    } catch (error) {
      lows.release(copies, low);
      throw error;
    }
  }

  /** Begins a transaction in which they keep their shape; those that have another one than is known are left to be read alone. */
  async #inShape(
    connection: TextConnection,
    copies: readonly TableCopy[],
    signal: AbortSignal,
  ): Promise<readonly TableCopy[]> {
    const schemas = copies.map(({ schema }) => schema);
    const others = await beginInShapes(connection, schemas, signal).catch(nullIfGone);
    const same = copies.filter(({ schema }) => others?.has(schema.origin) === false);
    for (const copy of copies) if (!same.includes(copy)) this.#alone.add(copy);
    return same;
  }

  /** Hands on what is too much to keep, and gives the rest. */
  async *#rows(
    connection: TextConnection,
    copies: readonly TableCopy[],
    low: Position,
    found: Found[],
    signal: AbortSignal,
  ): AsyncGenerator<Batch, Batch> {
    const { throttle } = this.#options;
    const begun = performance.now();
    const at = momentAt(low.place);
    let left = throttle?.chunk ?? { rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
    let changes: Change[] = [];
    let bytes = 0;
    for (const copy of copies) {
      if (performance.now() - begun > targetMs || left.rows < 1 || left.bytes < 1) break;
      const { schema } = copy;
      const chunk = new Chunk(schema);
      this.#options.progress.table(schema.origin).state = 'copying';
      const limit = Math.min(mostRows, left.rows);
      const select = chunkStatement(schema, wholeTable, chunk.select, limit, null);
      chunk.begin();
      // A statement that fails leaves no row behind.
      const started = await connection.start(select, signal).catch(nullIfGone);
      if (started === null) {
        this.#alone.add(copy);
        continue;
      }
      for (let more = true; more;) {
        more = await connection.rows(
          (cursor) => changes.push({ kind: 'read', table: schema, before: null, after: chunk.read(cursor, at), at }),
          Math.max(1, partBytes - bytes),
          signal,
        );
        chunk.arrived();
        bytes += chunk.takeBytes();
        if (bytes < partBytes) continue;
        yield part(changes, bytes);
        [changes, bytes] = [[], 0];
      }
      const { rows, bytes: read, first } = chunk;
      throttle?.spent({ origin: schema.origin, rows, bytes: read, first });
      left = { rows: left.rows - rows, bytes: left.bytes - read };
      found.push({ copy, chunk, limit });
    }
    return part(changes, bytes);
  }
}

/** A table of which a chunk has been read. */
interface Found {
  readonly copy: TableCopy;
  readonly chunk: Chunk;
  /** How many rows it was asked for. */
  readonly limit: number;
}

/** Whether it is to be read as a whole, and nothing of it has been. */
function isWhole({ ranges }: TableCopy): boolean {
  const [range, ...others] = ranges ?? [];
  return (
    range !== undefined &&
    others.length === 0 &&
    range.to === null &&
    range.from === null &&
    range.at === null &&
    !range.done
  );
}

function rangeBehind({ ranges }: TableCopy, chunk: Chunk, limit: number, most: MostShown): Range {
  const at = chunk.last === null ? null : keyLiterals(chunk.table, chunk.last);
  return { ...(ranges?.[0] ?? wholeTable), ...most, at, done: chunk.rows < limit, rows: chunk.rows };
}
