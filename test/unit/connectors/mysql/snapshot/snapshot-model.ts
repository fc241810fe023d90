import type { Position } from '../../../../../connectors/mysql/position/position.ts';
import { Gate, type HandedOn } from '../../../../../connectors/mysql/snapshot/gate.ts';
import type { Range } from '../../../../../connectors/mysql/snapshot/ranges.ts';
import { TableCopy } from '../../../../../connectors/mysql/snapshot/table-copy.ts';
import { seeded, type Random } from '../../../../../dev/random.ts';
import { column, int, table } from '../../../../contract/changes.ts';

/** Rules that can be broken to see that they are needed. */
export interface Broken {
  /** Rule 0: a chunk is read although the stream has handed on what cannot be seen yet. */
  readonly visible?: true;
  /** Rule 1: the stream passes the low position of a chunk that is not durable. */
  readonly gate?: true;
  /** Low positions list what cannot be seen yet. */
  readonly lowPosition?: true;
  /** Rule 3: changes are dropped when they arrive, before a first chunk has begun. */
  readonly earlyDrop?: true;
  /** Rule 0 forgets a transaction of which only a part was handed on. */
  readonly underWay?: true;
  /** Rule 3 after a restart: what an earlier run may have written is forgotten. */
  readonly restored?: true;
  /** Rule 3 takes a low position that was read before the first chunk's. */
  readonly earlierLow?: true;
}

type Op =
  | { readonly kind: 'insert' | 'update'; readonly key: number; readonly value: number }
  | { readonly kind: 'delete'; readonly key: number }
  | { readonly kind: 'move'; readonly key: number; readonly to: number; readonly value: number }
  | { readonly kind: 'truncate' };
type Rows = Map<number, number>;

interface Handed {
  readonly ops: readonly Op[];
  /** Behind the transaction; null for a part of it that is not the last. */
  readonly position: number | null;
  readonly copying: boolean;
  readonly makes?: 'following' | 'restarted';
}
interface Arrived {
  readonly number: number;
  readonly ops: readonly Op[];
  readonly dropped: boolean;
}
interface Chunk {
  readonly low: Position;
  readonly rows: readonly (readonly [number, number])[];
  readonly after: Range;
  part: boolean;
}
interface Reader {
  range: Range | null;
  epoch: number;
  asked: Position | null;
  held: Position | null;
  readonly waiting: Chunk[];
}

const keys = 12;
const width = 4;
const chunkRows = 2;
const transactions = 80;
const maxSteps = 60_000;
const schema = table('t', [column('id', int), column('v', int)], ['id']);
const place = (number: number): Position['place'] => ({ file: 'binlog.000001', offset: number * 10, server: 'u' });
const position = (number: number): Position => ({ by: 'place', place: place(number) });
const transaction = (number: number): NonNullable<HandedOn['underWay']> => ({
  id: { gtid: null, source: null, number: 0, committedAtMs: null },
  at: { committedAtMs: 0, gtid: null, file: 'binlog.000001', offset: number * 10 - 5, serverId: 1 },
});

/**
 * One random run of the copy of one table against writers, crashes and a slow target, with the gate and the table's copy as they are
 * in the product. Transactions are in the log first and visible later. Gives null when the target ended equal, else what went wrong.
 */
export function simulate(seed: number, broken: Broken = {}): string | null {
  return new Simulation(seed, broken).run();
}

class Simulation {
  readonly #random: Random;
  readonly #broken: Broken;
  /** Chunks are read in a transaction whose position is known exactly, as on MariaDB. */
  readonly #exact: boolean;
  /** The target shows parts before their checkpoint. */
  readonly #atOnce: boolean;
  readonly #log: Op[][] = [];
  readonly #history: Rows[] = [new Map()];
  readonly #state: Rows = new Map();
  #visible = 0;
  // What is durable in the target.
  readonly #rows: Rows = new Map();
  #stored = 0;
  #ranges: Range[] | null = null;
  #following = false;
  /** The newest transaction of which a part can be seen. */
  #shown = 0;
  // What a process has in memory.
  #gate = new Gate();
  #copy: TableCopy | null = null;
  #readers: Reader[] = [];
  #arrived: Arrived[] = [];
  #decoded = 0;
  #handed = 0;
  #underWay: number | null = null;
  #pausedFor: number | null = null;
  #queue: Handed[] = [];
  #parts: Handed[] = [];

  constructor(seed: number, broken: Broken) {
    this.#random = seeded(seed);
    this.#broken = broken;
    this.#exact = this.#random.chance(0.5);
    this.#atOnce = this.#random.chance(0.5);
    for (let i = 0; i < 15; i += 1) this.#write();
    this.#visible = this.#log.length;
    this.#stored = this.#visible;
    this.#start();
  }

  run(): string | null {
    const end = (): boolean =>
      this.#log.length >= transactions &&
      this.#visible === this.#log.length &&
      this.#stored === this.#log.length &&
      this.#following;
    for (let step = 0; step < maxSteps; step += 1) {
      this.#step();
      const different = this.#following && this.#stored >= this.#shown && !this.#isEqual();
      if (different) return `different at transaction ${this.#stored}, step ${step}`;
      if (end()) return null;
    }
    return 'stuck';
  }

  #step(): void {
    const random = this.#random;
    const dice = random.next();
    if (dice < 0.1) {
      if (this.#log.length < transactions) this.#write();
    } else if (dice < 0.2) {
      if (this.#visible < this.#log.length) this.#visible += 1;
    } else if (dice < 0.4) this.#decode();
    else if (dice < 0.55) this.#handOn();
    else if (dice < 0.7) this.#storeStream();
    else if (dice < 0.995) {
      const reader = this.#readers[random.int(this.#readers.length)];
      if (reader === undefined) return;
      if (random.chance(0.6)) this.#read(reader);
      else this.#storeChunk(reader);
    } else this.#start();
  }

  /** What a new process finds; what was not durable is gone. */
  #start(): void {
    this.#gate = new Gate();
    this.#copy = this.#following ? null : new TableCopy(schema, this.#broken.restored ? null : this.#ranges);
    if (this.#copy !== null) this.#copy.ranges = this.#ranges;
    this.#readers = [0, 1].map(() => ({ range: null, epoch: 0, asked: null, held: null, waiting: [] }));
    this.#arrived = [];
    this.#queue = [];
    this.#parts = [];
    this.#decoded = this.#stored;
    this.#handed = this.#stored;
    this.#underWay = null;
    this.#pausedFor = null;
  }

  #write(): void {
    const random = this.#random;
    const state = this.#state;
    const ops: Op[] = [];
    if (random.chance(0.02)) {
      ops.push({ kind: 'truncate' });
      state.clear();
    } else for (let i = random.between(1, 3); i > 0; i -= 1) ops.push(this.#change());
    this.#log.push(ops);
    this.#history.push(new Map(state));
  }

  #change(): Op {
    const random = this.#random;
    const [key, to, value, dice] = [random.int(keys), random.int(keys), random.next(), random.next()];
    const old = this.#state.get(key);
    const op: Op =
      old === undefined
        ? { kind: 'insert', key, value }
        : dice < 0.4
          ? { kind: 'update', key, value }
          : dice < 0.6 && !this.#state.has(to)
            ? { kind: 'move', key, to, value: old }
            : { kind: 'delete', key };
    apply(this.#state, op, false);
    return op;
  }

  /** The log is sent as soon as it is written; rows that need not be decoded are left out here. */
  #decode(): void {
    const ops = this.#log[this.#decoded];
    if (ops === undefined) return;
    this.#decoded += 1;
    const number = this.#decoded;
    const copy = this.#copy;
    const drops = this.#broken.earlyDrop ? copy?.holds(transaction(number)) : copy?.willHold(transaction(number));
    this.#arrived.push({ number, ops, dropped: drops === true });
  }

  #handOn(): void {
    const [piece] = this.#arrived;
    if (piece !== undefined && (this.#broken.gate || this.#gate.passes(transaction(piece.number)))) {
      if (piece.ops[0]?.kind === 'truncate') this.#handTruncateOn(piece);
      else this.#handPartOn(piece);
    }
    const copy = this.#copy;
    if (copy === null || !copy.isRead || (copy.high?.offset ?? 0) > place(this.#handed).offset) return;
    if (this.#underWay !== null) return;
    this.#copy = null;
    this.#queue.push({ ops: [], position: this.#handed, copying: false, makes: 'following' });
  }

  #handTruncateOn(piece: Arrived): void {
    const copy = this.#copy;
    if (copy !== null) {
      if (this.#pausedFor !== piece.number) copy.pause();
      this.#pausedFor = piece.number;
      if (copy.inFlight > 0) return;
      copy.restart(schema);
    }
    this.#arrived.shift();
    this.#handed = piece.number;
    const makes = copy === null ? {} : ({ makes: 'restarted' } as const);
    this.#queue.push({ ops: piece.ops, position: piece.number, copying: copy !== null, ...makes });
  }

  #handPartOn(piece: Arrived): void {
    const copy = this.#copy;
    const [first, ...rest] = piece.ops;
    const isPart = rest.length > 0 && this.#random.chance(0.5);
    const held = this.#broken.earlyDrop ? false : copy?.holds(transaction(piece.number));
    const ops = piece.dropped || held === true ? [] : isPart && first !== undefined ? [first] : piece.ops;
    this.#queue.push({ ops, position: isPart ? null : piece.number, copying: copy !== null });
    if (isPart) {
      this.#arrived[0] = { ...piece, ops: rest };
      this.#underWay = piece.number;
    } else {
      this.#arrived.shift();
      this.#handed = piece.number;
      this.#underWay = null;
    }
  }

  #storeStream(): void {
    const batch = this.#queue.shift();
    if (batch === undefined) return;
    this.#parts.push(batch);
    if (this.#atOnce) {
      applyAll(this.#rows, batch);
      this.#shown = Math.max(this.#shown, batch.position ?? this.#stored + 1);
    }
    if (batch.position === null) return;
    if (!this.#atOnce) for (const part of this.#parts) applyAll(this.#rows, part);
    this.#parts = [];
    this.#stored = batch.position;
    if (batch.makes === 'following') this.#following = true;
    if (batch.makes !== undefined) this.#ranges = null;
    if (batch.makes === 'restarted' && this.#copy !== null) this.#copy.resume();
  }

  #read(reader: Reader): void {
    const copy = this.#copy;
    if (copy === null) return;
    if (reader.held !== null) this.#readChunk(reader, reader.held);
    else if (reader.range === null) this.#takeRange(reader, copy);
    else if (copy.paused || copy.epoch !== reader.epoch || reader.range.done) {
      this.#leaveRange(reader, reader.range, copy);
    } else this.#hold(reader, copy);
  }

  /** A reader that is interrupted leaves its range to others, once its chunks are durable. */
  #leaveRange(reader: Reader, range: Range, copy: TableCopy): void {
    if (reader.asked !== null) this.#gate.open();
    reader.asked = null;
    const unfinished = copy.epoch === reader.epoch && !range.done;
    if (unfinished && reader.waiting.length > 0) return;
    if (unfinished) copy.taken.delete(range.index);
    reader.range = null;
  }

  #takeRange(reader: Reader, copy: TableCopy): void {
    if (copy.ranges === null && !copy.paused) {
      this.#ranges = Array.from({ length: keys / width }, (_, index) => rangeOf(index));
      copy.ranges = this.#ranges;
    }
    const range = copy.free();
    if (range === null) return;
    copy.taken.add(range.index);
    reader.range = range;
    reader.epoch = copy.epoch;
  }

  /** The answer of the server takes its time, and meanwhile the stream waits. */
  #hold(reader: Reader, copy: TableCopy): void {
    if (reader.asked === null) {
      this.#gate.close();
      reader.asked = position(this.#broken.lowPosition ? this.#log.length : this.#visible);
      return;
    }
    const low = reader.asked;
    const underWay = this.#underWay === null || this.#broken.underWay ? null : transaction(this.#underWay);
    const stream = this.#broken.visible
      ? { position: position(0), underWay: null }
      : { position: position(this.#handed), underWay };
    this.#gate.open();
    reader.asked = null;
    if (!this.#broken.earlierLow && !copy.isSameOrLater(low)) return;
    if (!this.#gate.hold(low, stream)) return;
    copy.inFlight += 1;
    copy.firstLow ??= low;
    reader.held = low;
  }

  /** Reads the next rows of the range as they are visible: at the low position itself, or at some later moment. */
  #readChunk(reader: Reader, low: Position): void {
    const { range } = reader;
    if (range === null) return;
    const state =
      this.#history[this.#exact ? Math.min(low.place.offset / 10, this.#visible) : this.#visible] ?? new Map();
    const from = range.at === null ? Number(range.from) : Number(range.at[0]) + 1;
    const rows = [...state].filter(([key]) => key >= from && key < Number(range.to)).toSorted(([a], [b]) => a - b);
    const taken = rows.slice(0, chunkRows);
    const last = taken.at(-1);
    const after: Range = {
      ...range,
      at: last === undefined ? range.at : [String(last[0])],
      done: taken.length < chunkRows,
      high: this.#exact ? low.place : place(this.#log.length),
    };
    reader.waiting.push({ low, rows: taken, after, part: false });
    reader.range = after;
    reader.held = null;
  }

  #storeChunk(reader: Reader): void {
    const [chunk] = reader.waiting;
    const copy = this.#copy;
    if (chunk === undefined || copy === null) return;
    if (this.#atOnce && !chunk.part && this.#random.chance(0.5)) {
      for (const [key, value] of chunk.rows.slice(0, 1)) this.#rows.set(key, value);
      chunk.part = true;
      return;
    }
    reader.waiting.shift();
    for (const [key, value] of chunk.rows) this.#rows.set(key, value);
    copy.update(chunk.after);
    this.#ranges = copy.ranges;
    copy.inFlight -= 1;
    this.#gate.release(chunk.low);
  }

  #isEqual(): boolean {
    const expected = this.#history[this.#stored] ?? new Map<number, number>();
    return expected.size === this.#rows.size && [...expected].every(([key, value]) => this.#rows.get(key) === value);
  }
}

function rangeOf(index: number): Range {
  const [from, to] = [String(index * width), String((index + 1) * width)];
  return { index, from, to, at: null, done: false, high: null, rows: 0, estimate: null };
}

function applyAll(rows: Rows, batch: Handed): void {
  for (const op of batch.ops) apply(rows, op, batch.copying);
}

/** As targets apply a change: while a table is copied an update touches only a row that is there (rule 4). */
function apply(rows: Rows, op: Op, copying: boolean): void {
  if (op.kind === 'truncate') rows.clear();
  else if (op.kind === 'delete') rows.delete(op.key);
  else if (op.kind === 'move') {
    rows.delete(op.key);
    rows.set(op.to, op.value);
  } else if (op.kind === 'insert' || !copying || rows.has(op.key)) rows.set(op.key, op.value);
}
