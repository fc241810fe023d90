import type { Piece } from '../../../../../connectors/mysql/binlog/reader.ts';
import { Cascades } from '../../../../../connectors/mysql/foreign-keys/cascades.ts';
import type { Position } from '../../../../../connectors/mysql/position/position.ts';
import { Gate } from '../../../../../connectors/mysql/snapshot/gate.ts';
import { isCircular, sparselyUpdated, waitsForOthers } from '../../../../../connectors/mysql/snapshot/order.ts';
import type { Range } from '../../../../../connectors/mysql/snapshot/ranges.ts';
import { TableCopy } from '../../../../../connectors/mysql/snapshot/table-copy.ts';
import { cascadesOf } from '../../../../../core/cascade.ts';
import type { Change, RowChange, Values } from '../../../../../core/contracts.ts';
import type { ForeignKey } from '../../../../../core/foreign-key.ts';
import type { TableSchema } from '../../../../../core/table.ts';
import { Transforms } from '../../../../../core/transform.ts';
import { seeded, type Random } from '../../../../../dev/random.ts';
import { column, insert, int, part, read, remove, table, truncate, update } from '../../../../contract/changes.ts';
import { MemoryServer } from '../../../../support/memory-target.ts';

/** Rules that can be broken to see that they are needed. */
export interface Broken {
  /** Rule 7: a table's copy begins whatever else is in copy. */
  readonly order?: true;
  /** Rule 8: a table of a circle is copied in chunks. */
  readonly once?: true;
  /** Rule 4 holds for tables whose rows a cascade may take away. */
  readonly sparse?: true;
  /** Rule 9: nothing is copied again. */
  readonly again?: true;
}

const pair = (name: string): TableSchema => table(name, [column('id', int), column('ref', int)], ['id']);
const [a, b, c, tree, left, right] = [pair('a'), pair('b'), pair('c'), pair('tree'), pair('left'), pair('right')];
/** Its key holds that of the row it refers to. */
const line = table('line', [column('id', int), column('n', int)], ['id', 'n']);
export const tables: readonly TableSchema[] = [a, b, c, line, tree, left, right];

function refers(child: TableSchema, at: number, parent: TableSchema, more: Partial<ForeignKey>): ForeignKey {
  const name = `${child.name}_${parent.name}`;
  return { name, child, columns: [at], parent, references: [0], onDelete: 'cascade', onUpdate: 'none', ...more };
}

const keys: readonly ForeignKey[] = [
  refers(b, 1, a, { onUpdate: 'cascade' }),
  refers(c, 1, b, { onDelete: 'set-null', onUpdate: 'cascade' }),
  refers(line, 0, b, { onUpdate: 'cascade' }),
  refers(tree, 1, tree, {}),
  refers(left, 1, right, {}),
  refers(right, 1, left, {}),
];

const ids = 7;
const chunkRows = 2;
const transactions = 60;
const position = (number: number): Position => ({
  by: 'place',
  place: { file: 'binlog.000001', offset: number * 10, server: 'u' },
});
const wholeTable: Range = {
  index: 0,
  from: null,
  to: null,
  at: null,
  done: false,
  high: null,
  rows: 0,
  estimate: null,
};

type State = ReadonlyMap<TableSchema, readonly Values[]>;
interface Reading {
  readonly copy: TableCopy;
  readonly low: Position;
  readonly range: Range;
  chunk: { readonly rows: readonly Values[]; readonly after: Range } | null;
}

/**
 * One random run of the copy of tables that refer to each other, against writers and crashes, with the gate, the copies and the cascades as they
 * are in the product. Gives null when the target took every change and was equal whenever no table was in copy, else what went wrong.
 */
export async function simulate(seed: number, broken: Broken = {}): Promise<string | null> {
  return await new Simulation(seed, broken).run().catch((error: unknown) => String(error));
}

class Simulation {
  readonly #random: Random;
  readonly #broken: Broken;
  readonly #source = new MemoryServer();
  readonly #target = new MemoryServer({ strict: true });
  readonly #log: RowChange[][] = [];
  readonly #history: State[] = [];
  readonly #stored = new Map<string, Range>();
  readonly #following = new Set<string>();
  #handed = 0;
  #gate = new Gate();
  #copies = new Map<string, TableCopy>();
  #reading: Reading[] = [];

  constructor(seed: number, broken: Broken) {
    this.#random = seeded(seed);
    this.#broken = broken;
    for (const server of [this.#source, this.#target]) for (const one of tables) server.prepare(one);
    this.#history.push(this.#state());
    for (let i = 0; i < 25; i += 1) this.#write();
    this.#handed = this.#log.length;
    this.#start();
  }

  async run(): Promise<string | null> {
    for (let step = 0; step < 20_000; step += 1) {
      const dice = this.#random.next();
      if (dice < 0.25) this.#write();
      else if (dice < 0.55) await this.#follow();
      else if (dice < 0.997) this.#copy();
      else this.#start();
      if (this.#copies.size > 0) continue;
      const different = tables.find(
        (one) => textOf(this.#target.rows(one)) !== textOf(this.#history[this.#handed]?.get(one)),
      );
      if (different !== undefined) return `${different.name} is different at ${this.#handed}, step ${step}`;
      if (this.#log.length >= transactions && this.#handed === this.#log.length) return null;
    }
    return 'stuck';
  }

  /** What a new process finds. */
  #start(): void {
    this.#gate = new Gate();
    this.#reading = [];
    const copied = tables.filter(({ origin }) => !this.#following.has(origin));
    this.#copies = new Map(
      copied.map((one) => [one.origin, this.#stored.has(one.origin) ? this.#restored(one) : new TableCopy(one, null)]),
    );
  }

  #restored(one: TableSchema): TableCopy {
    const copy = new TableCopy(one, [this.#stored.get(one.origin) ?? wholeTable]);
    if (this.#isAtOnce(copy)) copy.forget();
    return copy;
  }

  #state(): State {
    return new Map(tables.map((one) => [one, this.#source.rows(one)]));
  }

  #write(): void {
    if (this.#log.length >= transactions) return;
    const changes: RowChange[] = [];
    for (let left = this.#random.between(1, 3); left > 0; left -= 1) {
      const change = this.#change();
      if (change === null) continue;
      changes.push(change);
      this.#source.write([change, ...cascadesOf(change, keys)], new Set());
    }
    this.#log.push(changes);
    this.#history.push(this.#state());
  }

  /** What the server lets happen: a row refers to one that is there, and no key comes twice. */
  #change(): RowChange | null {
    const random = this.#random;
    const to = random.pick([a, a, b, c, line, tree, left, right]);
    const id = random.between(1, ids);
    const row: Values = to === line ? [id, random.int(2)] : [id, random.chance(0.3) ? null : random.between(1, ids)];
    const isOld = (other: Values): boolean => to.key.every((index) => other[index] === row[index]);
    const old = this.#source.rows(to).find(isOld);
    if (old === undefined) return this.#refersWell(to, row) ? insert(to, row) : null;
    if (random.chance(0.5)) return remove(to, old);
    const moves = (to === a || to === b) && random.chance(0.5);
    const now: Values = moves ? [random.between(1, ids), old[1] ?? null] : row;
    const taken = moves && this.#source.rows(to).some((other) => other[0] === now[0]);
    return !taken && this.#refersWell(to, now) ? update(to, old, now) : null;
  }

  #refersWell(to: TableSchema, row: Values): boolean {
    return keys.every(({ child, columns: [at = 0], parent }) => {
      const value = row[at] ?? null;
      return child !== to || value === null || this.#source.rows(parent).some((other) => other[0] === value);
    });
  }

  /** The stream's next transaction, if it may pass. */
  async #follow(): Promise<void> {
    const changes = this.#log[this.#handed];
    if (changes === undefined) return;
    const piece = pieceOf(this.#handed + 1, changes);
    if (!this.#gate.passes(piece)) return;
    const gathered: Change[] = [];
    const cascades = new Cascades({
      foreignKeys: { all: keys },
      copies: this.#copies,
      gathered: { push: (change) => gathered.push(change) },
      reshaping: { readAgain: () => Promise.resolve(), copyAgain: (one) => this.#copyAgain(one, gathered) },
    });
    for (const change of changes) {
      if (this.#copies.get(change.table.origin)?.holds(piece) !== true) gathered.push(change);
      await cascades.follow(piece, change);
    }
    this.#target.write(new Transforms([]).batch(part(gathered)).batch.changes, this.#copying());
    this.#handed += 1;
    this.#finish();
  }

  #copying(): Set<string> {
    if (this.#broken.sparse === true) return new Set(this.#copies.keys());
    return sparselyUpdated(
      keys,
      this.#copies.values().map(({ schema }) => schema),
    );
  }

  #copyAgain(one: TableSchema, gathered: Change[]): Promise<void> {
    if (this.#broken.again === true) return Promise.resolve();
    // The product waits for what is on its way.
    for (const reading of this.#reading.filter(({ copy }) => copy.schema === one)) this.#end(reading);
    const copy = this.#copies.get(one.origin);
    copy?.restart(one);
    if (copy === undefined) this.#copies.set(one.origin, new TableCopy(one, null));
    this.#stored.delete(one.origin);
    this.#following.delete(one.origin);
    gathered.push(truncate(one));
    return Promise.resolve();
  }

  #finish(): void {
    for (const [origin, copy] of this.#copies) {
      if (!copy.isRead || (copy.high?.offset ?? 0) > this.#handed * 10) continue;
      this.#copies.delete(origin);
      this.#following.add(origin);
    }
  }

  #copy(): void {
    const reading =
      this.#reading.length > 0 && this.#random.chance(0.7) ? this.#random.pick([...this.#reading] as [Reading]) : null;
    if (reading?.chunk === null) this.#read(reading);
    else if (reading !== null) this.#end(reading);
    else this.#begin();
    this.#finish();
  }

  #begin(): void {
    const idle = [...this.#copies.values()].filter((copy) => !this.#reading.some((reading) => reading.copy === copy));
    const copy = idle[this.#random.int(idle.length)];
    if (copy === undefined || copy.isRead) return;
    const waits = copy.ranges === null && waitsForOthers(keys, copy.schema.origin, this.#copies.keys());
    if (waits && this.#broken.order !== true) return;
    const low = position(this.#log.length);
    if (!copy.isSameOrLater(low) || !this.#gate.hold(low, { position: position(this.#handed), underWay: null })) return;
    copy.ranges ??= [wholeTable];
    copy.inFlight += 1;
    copy.firstLow ??= low;
    this.#reading.push({ copy, low, range: copy.ranges[0] ?? wholeTable, chunk: null });
  }

  /** Reads at the low position or at some later moment. */
  #read(reading: Reading): void {
    const { copy, range } = reading;
    const at = range.at?.map(Number) ?? null;
    const isCopied = (row: Values): boolean => at !== null && !isAfter(row, at, copy.schema);
    const all = this.#history.at(-1)?.get(copy.schema) ?? [];
    const rest = all.filter((row) => !isCopied(row)).toSorted((x, y) => (isAfter(x, y, copy.schema) ? 1 : -1));
    const rows = this.#isAtOnce(copy) ? rest : rest.slice(0, chunkRows);
    const last = rows.at(-1)?.map(String) ?? range.at;
    const high = position(this.#log.length).place;
    const after: Range = { ...range, at: last, done: this.#isAtOnce(copy) || rows.length < chunkRows, high };
    reading.chunk = { rows, after };
  }

  #isAtOnce({ schema }: TableCopy): boolean {
    return isCircular(keys, schema.origin) && this.#broken.once !== true;
  }

  /** The chunk becomes durable. */
  #end(reading: Reading): void {
    const { copy, chunk, low } = reading;
    if (chunk === null) this.#read(reading);
    const { rows, after } = reading.chunk ?? { rows: [], after: reading.range };
    const first = this.#isAtOnce(copy) ? [truncate(copy.schema)] : [];
    this.#target.write([...first, ...rows.map((row) => read(copy.schema, row))], new Set());
    copy.update(after);
    if (this.#isAtOnce(copy)) copy.between = { low, high: after.high ?? low.place };
    this.#stored.set(copy.schema.origin, after);
    copy.inFlight -= 1;
    this.#gate.release(low);
    this.#reading = this.#reading.filter((other) => other !== reading);
  }
}

function pieceOf(number: number, changes: readonly RowChange[]): Piece {
  return {
    id: { gtid: null, source: null, number: 0, committedAtMs: null },
    at: { committedAtMs: 0, gtid: null, file: 'binlog.000001', offset: number * 10 - 5, serverId: 1 },
    changes,
    cascading: new Set(changes),
    unread: new Map(),
    ddl: null,
    xa: null,
    again: false,
    isCatchingUp: false,
    end: position(number).place,
    bytes: 0,
  };
}

function isAfter(row: Values, other: Values, { key }: TableSchema): boolean {
  const at = key.find((index) => row[index] !== other[index]);
  return at !== undefined && Number(row[at]) > Number(other[at]);
}

function textOf(rows: readonly Values[] = []): string {
  return rows
    .map((row) => row.join())
    .toSorted()
    .join(' ');
}
