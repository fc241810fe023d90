import { createHash } from 'node:crypto';
import type { Checkpoint, Checkpoints, Lane, Source } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { SourceOptions } from '../../core/plugin.ts';
import { untilAborted } from '../../core/signals.ts';
import type { TableSchema } from '../../core/table.ts';
import { readCatalog, type CatalogTable } from './catalog.ts';
import { askValue, parseAddress, Session, sessionSettings, type Address } from './connect.ts';
import type { NamedTable } from './ddl.ts';
import { openDump, silenceMs, type Dump, type DumpOptions } from './dump.ts';
import { compilePatterns, type TableFilter } from './patterns.ts';
import { formatPosition, parsePosition, type Position } from './position.ts';
import { readLogEnd, readServer, readVisiblePosition, requireReadable, type Server } from './server.ts';
import { Copier } from './snapshot/copier.ts';
import { Gate } from './snapshot/gate.ts';
import { parseRange, type Range } from './snapshot/ranges.ts';
import { TableCopy } from './snapshot/table-copy.ts';
import { Stream } from './stream.ts';
import { formatTable, parseTable, streamEntry, tableEntry, Tables } from './tables.ts';
import { TextConnection } from './text-connection.ts';

const defaultReaders = 2;
const keepAliveMs = 15_000;

interface Opened {
  readonly session: Session;
  readonly server: Server;
  readonly catalog: readonly CatalogTable[];
}

/** MySQL or MariaDB as a source: a lock-free snapshot by chunks and the binlog behind it. */
export class MysqlSource implements Source {
  readonly #options: SourceOptions;
  readonly #address: Address;
  readonly #captures: TableFilter;
  readonly #readers: number;
  readonly #marker: string | null;
  #opened: Opened | null = null;
  #dump: Dump | null = null;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#address = parseAddress(options.url);
    this.#captures = compilePatterns(options.tables);
    this.#readers = options.copy?.readers ?? defaultReaders;
    this.#marker = options.copy?.marker ?? null;
  }

  async tables(signal: AbortSignal): Promise<readonly TableSchema[]> {
    const { catalog } = await this.#open(signal);
    return catalog.map((table) => table.schema);
  }

  async *lanes(checkpoints: Checkpoints, signal: AbortSignal): AsyncIterable<Lane> {
    const { session, server, catalog } = await this.#open(signal);
    await this.#claim(session, signal);
    const entries = await checkpoints.load('', signal);
    const stored = entries.get(streamEntry);
    const start =
      stored === undefined ? await readVisiblePosition(session, server, this.#marker, signal) : parsePosition(stored);
    const { tables, copies, first } = this.#restore(catalog, entries, start, server, stored === undefined);
    const { progress } = this.#options;
    const gate = new Gate();
    const connect = (stop: AbortSignal): Promise<TextConnection> => this.#connectReader(stop);
    const copier: Copier = new Copier({
      tables: copies,
      gate,
      server,
      marker: this.#marker,
      progress,
      readers: this.#readers,
      connect,
      handedOn: () => stream,
    });
    const lookup: DumpOptions['lookup'] = (database, table, transaction) => {
      const schema = tables.lookup(database, table);
      return schema === null || copies.get(schema.origin)?.willHold(transaction) === true ? null : schema;
    };
    const identity = this.#identity();
    this.#dump = await openDump(
      { address: this.#address, server, from: start, identity, lookup, onHeard: () => this.#heard() },
      signal,
    );
    const stream = new Stream(
      {
        dump: this.#dump,
        start,
        tables,
        copies,
        gate,
        copier,
        progress,
        first,
        readSchemas: (named) => this.#readSchemas(session, server, named, signal),
        readEnd: this.#options.until === 'caught-up' ? () => readLogEnd(session, server, signal) : null,
        ping: () => session.ping(silenceMs, signal),
      },
      signal,
    );
    progress.phase = copies.size > 0 ? 'copying' : 'following';
    yield stream.lane();
    if (copies.size === 0) return;
    await untilAborted(signal, stream.started.promise);
    for (let index = 0; index < this.#readers; index += 1) yield copier.lane(index, signal);
  }

  close(): Promise<void> {
    clearInterval(this.#keepAlive);
    this.#dump?.wire.destroy();
    this.#opened?.session.destroy();
    this.#dump = null;
    this.#opened = null;
    return Promise.resolve();
  }

  async #open(signal: AbortSignal): Promise<Opened> {
    if (this.#opened !== null) return this.#opened;
    const session = await Session.open(this.#address, signal);
    const server = await readServer(session, signal);
    requireReadable(server, this.#address.where);
    const catalog = await readCatalog(session, server, this.#captures, signal);
    if (catalog.length === 0) {
      throw new LockstepError(
        'SOURCE_NO_TABLES',
        `${this.#address.where}: no table matches ${this.#options.tables.join(', ')}`,
        {
          fix: 'check source.tables (database.table, * allowed) and that the account may SELECT from them',
        },
      );
    }
    this.#opened = { session, server, catalog };
    return this.#opened;
  }

  /** What the target's tokens and the catalog say together: schemas, copies to make or go on with, and what is new to the target. */
  #restore(
    catalog: readonly CatalogTable[],
    entries: ReadonlyMap<string, string>,
    start: Position,
    server: Server,
    fresh: boolean,
  ): { tables: Tables; copies: Map<string, TableCopy>; first: Checkpoint | null } {
    const tables = new Tables(this.#captures);
    const copies = new Map<string, TableCopy>();
    const set = new Map<string, string>();
    for (const { schema, estimatedRows } of catalog) {
      const { origin } = schema;
      const token = entries.get(tableEntry(origin));
      const known = token === undefined ? null : parseTable(token);
      const current = known?.schema ?? schema;
      tables.set(origin, current);
      const progress = this.#options.progress.table(origin);
      progress.estimatedRows = estimatedRows;
      progress.state = known?.state === 'following' ? 'following' : 'waiting';
      if (known === null) set.set(tableEntry(origin), formatTable(schema, 'copying'));
      if (known?.state !== 'following')
        copies.set(origin, new TableCopy(current, storedRanges(entries, origin, start, server)));
    }
    this.#restoreDropped(tables, entries);
    if (set.size === 0) return { tables, copies, first: null };
    return { tables, copies, first: { set: fresh ? set.set(streamEntry, formatPosition(start)) : set, drop: [] } };
  }

  /** Tables that the log still speaks of although they are gone by now. */
  #restoreDropped(tables: Tables, entries: ReadonlyMap<string, string>): void {
    for (const [name, token] of entries) {
      if (!name.startsWith(tableEntry(''))) continue;
      const { schema } = parseTable(token);
      if (tables.get(schema.origin) === undefined && this.#captures(schema.database, schema.name))
        tables.set(schema.origin, schema);
    }
  }

  async #readSchemas(
    session: Session,
    server: Server,
    named: readonly NamedTable[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, TableSchema>> {
    const wanted = new Set(named.map(({ database, table }) => `${database}.${table}`));
    const found = await readCatalog(session, server, (database, table) => wanted.has(`${database}.${table}`), signal);
    return new Map(found.map(({ schema }) => [schema.origin, schema]));
  }

  /**
   * One process reads for a pipeline's target at a time (G8): a named lock of the server, which goes with the session. Others stand
   * by. It is only a courtesy; what keeps the data right is the target's compare-and-set.
   */
  async #claim(session: Session, signal: AbortSignal): Promise<void> {
    const name = `lockstep-${createHash('sha256').update(this.#identity()).digest('hex').slice(0, 40)}`;
    await session.query('SET SESSION wait_timeout = 60', signal);
    // The lock must outlive times in which the stream stands still and does not ping; that the session is lost is the ping's to find out.
    this.#keepAlive = setInterval(() => void session.query('DO 1', signal).catch(() => undefined), keepAliveMs).unref();
    while ((await askValue(session, 'SELECT GET_LOCK(?, 1)', signal, [name])) !== '1') {
      this.#options.progress.phase = 'standby';
      this.#heard();
    }
  }

  async #connectReader(signal: AbortSignal): Promise<TextConnection> {
    const session = await Session.open(this.#address, signal);
    const connection = new TextConnection(
      session.intoWire({ silenceMs: 10 * silenceMs, onHeard: () => this.#heard() }),
      this.#address.where,
    );
    await connection.query(sessionSettings, signal);
    return connection;
  }

  #heard(): void {
    this.#options.progress.lastHeardAtMs = Date.now();
  }

  #identity(): string {
    return `${this.#options.pipeline}/${this.#options.target}`;
  }
}

/** Ranges of an earlier run; a place on another server says nothing here, so the end of this server's log as it is now stands for it. */
function storedRanges(
  entries: ReadonlyMap<string, string>,
  origin: string,
  start: Position,
  server: Server,
): Range[] | null {
  const prefix = `range/${origin}/`;
  const ranges: Range[] = [];
  for (const [name, token] of entries) {
    if (name.startsWith(prefix)) ranges.push(parseRange(Number(name.slice(prefix.length)), token));
  }
  if (ranges.length === 0) return null;
  const here = (range: Range): Range =>
    range.high === null || range.high.server === server.id ? range : { ...range, high: start.place };
  return ranges.toSorted((a, b) => a.index - b.index).map(here);
}
