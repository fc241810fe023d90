import { createHash } from 'node:crypto';
import type { Change, Checkpoints, Lane, Source } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { ForeignKey } from '../../core/foreign-key.ts';
import type { CopyLimits, SourceOptions } from '../../core/plugin.ts';
import type { IndexedTable } from '../../core/secondary-index.ts';
import { sleep, untilAborted } from '../../core/signals.ts';
import type { TableSchema } from '../../core/table.ts';
import { catalogNow, showsAll } from './catalog/catalog-now.ts';
import { readCatalog, type CatalogTable } from './catalog/catalog.ts';
import { readIndexes } from './catalog/indexes.ts';
import { askValue, parseAddress, Session, sessionSettings, type Address } from './connection/session.ts';
import { readDeclaredKeys } from './foreign-keys/declared-keys.ts';
import { openDump, silenceMs, type Dump, type DumpOptions } from './binlog/dump.ts';
import { readResolvedKeys } from './foreign-keys/resolved-keys.ts';
import { compilePatterns, type TableFilter } from './catalog/patterns.ts';
import { momentAt, type Place, type Position } from './position/position.ts';
import { describeServer, readRole, requireReplicatedLogged } from './connection/role.ts';
import { logsForeignKeys, readLogEnd, readServer, requireReadable, requireSameServer } from './connection/server.ts';
import { restore } from './restore.ts';
import { readCollations } from './schema/collations.ts';
import { Requests } from './requests.ts';
import { originOf } from './schema/ddl.ts';
import { copyLanes } from './snapshot/copy-lanes.ts';
import { Copier } from './snapshot/copier.ts';
import { Gate } from './snapshot/gate.ts';
import { LoadMeter } from './snapshot/load.ts';
import { Throttle } from './snapshot/throttle.ts';
import { Stream } from './stream.ts';
import { Tables, throttleEntry } from './tables.ts';
import { requireStillLed } from './connection/still-led.ts';
import { TextConnection } from './connection/text-connection.ts';
import { beginHere, goOnHere, type Answering } from './start.ts';

const defaultReaders = 2;
const unlimited: CopyLimits = {
  rowsPerSecond: null,
  bytesPerSecond: null,
  backOff: { threadsRunning: null, replicaLag: null, replicas: [], latency: null },
};
const keepAliveMs = 15_000;

interface Opened extends Answering {
  readonly catalog: readonly CatalogTable[];
}

/** MySQL or MariaDB as a source: a lock-free snapshot by chunks and the binlog behind it. */
export class MysqlSource implements Source {
  readonly #options: SourceOptions;
  readonly #address: Address;
  readonly #captures: TableFilter;
  readonly #added: Set<string>;
  readonly #readers: number;
  readonly #marker: string | null;
  readonly #limits: CopyLimits;
  #load: LoadMeter | null = null;
  #opened: Opened | null = null;
  #dump: Dump | null = null;
  #stream: Stream | null = null;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#address = parseAddress(options.url);
    const captures = compilePatterns(options.tables);
    this.#added = options.added ?? new Set();
    this.#captures = (database, table) => this.#added.has(originOf({ database, table })) || captures(database, table);
    this.#readers = options.copy?.readers ?? defaultReaders;
    this.#marker = options.copy?.marker ?? null;
    this.#limits = options.copy?.limits ?? unlimited;
  }

  async tables(signal: AbortSignal): Promise<readonly TableSchema[]> {
    const { catalog } = await this.#open(signal);
    return catalog.map((table) => table.schema);
  }

  async foreignKeys(signal: AbortSignal): Promise<{ keys: readonly ForeignKey[]; warnings: readonly string[] }> {
    const { session, catalog, server } = await this.#open(signal);
    if (logsForeignKeys(server)) return { keys: [], warnings: [] };
    const tables = catalog.map(({ schema }) => schema);
    return await readResolvedKeys(session, server, tables, signal);
  }

  /** Over a connection of its own: the stream's must not wait for a slow catalog. */
  async indexes(origins: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, IndexedTable>> {
    const { server } = await this.#open(signal);
    const followed = new Set(origins.filter((origin) => this.#stream?.follows(origin) !== false));
    const isFollowed: TableFilter = (database, table) => followed.has(originOf({ database, table }));
    const session = await this.#openSame(signal);
    try {
      await showsAll(session, this.#stream?.position ?? null, signal);
      const tables = (await readCatalog(session, server, isFollowed, signal)).map(({ schema }) => schema);
      const found = await readIndexes(session, tables, signal);
      return new Map(tables.map((table) => [table.origin, { table, indexes: found.get(table.origin) ?? [] }]));
    } finally {
      session.destroy();
    }
  }

  async *lanes(checkpoints: Checkpoints, signal: AbortSignal): AsyncIterable<Lane> {
    const opened = await this.#open(signal);
    const { session, server } = opened;
    await this.#claim(session, signal);
    const entries = await checkpoints.load('', signal);
    const identity = this.#identity();
    const dump = { address: this.#address, identity, onHeard: () => this.#heard() };
    const goingOn = await goOnHere(entries, opened, dump, signal);
    const { start, history } = goingOn ?? (await beginHere(opened, this.#marker, signal));
    const end = await readLogEnd(session, server, signal);
    // Read behind the position: what changes a table in between is in the log then, and does no harm when it is done again.
    const catalog = await readCatalog(session, server, this.#captures, signal);
    const collations = await readCollations(session, server, signal);
    const tables = new Tables(this.#captures, { flavour: server.flavour, collations });
    const named = catalog.map(({ schema: { database, name: table } }) => ({ database, table }));
    const declared = await readDeclaredKeys(session, server, named, signal);
    const { progress } = this.#options;
    const known = { catalog, entries, start, server, history, end, declared };
    const { copies, first, emptied, newcomers, foreignKeys, paused } = restore(tables, progress, known);
    if (catalog.length === 0 && goingOn === null) throw this.#noTables();
    const firstChanges =
      goingOn === null ? changesSince(opened.catalog, catalog, start) : emptied.map((table) => emptying(table, end));
    const gate = new Gate();
    const connect = (stop: AbortSignal): Promise<TextConnection> => this.#connectReader(stop);
    const load = new LoadMeter({
      session,
      server,
      replicas: this.#limits.backOff.replicas,
      onHeard: () => this.#heard(),
    });
    this.#load = load;
    const throttle = new Throttle({
      limits: this.#limits,
      readers: this.#readers,
      load: async (stop) => await load.measure(stop),
      progress,
      clock: { now: () => performance.now(), sleep },
      onChange: () => copier.moved.notify(),
    });
    const copier: Copier = new Copier({
      tables: copies,
      gate,
      server,
      marker: this.#marker,
      progress,
      readers: this.#readers,
      foreignKeys: () => foreignKeys.all,
      paused,
      throttle,
      connect,
      handedOn: () => stream,
    });
    const requests = new Requests(checkpoints, entries, () => copier.moved.notify());
    const lookup: DumpOptions['lookup'] = (name, transaction, map) => {
      const schema = tables.lookup(name, map);
      // Its rows are needed for what foreign keys make of them elsewhere, also where its own copy shows them.
      if (schema === null || foreignKeys.leadFrom(schema.origin)) return schema;
      return copies.get(schema.origin)?.willHold(transaction) === true ? null : schema;
    };
    this.#dump = await openDump(
      {
        ...dump,
        server,
        from: start,
        lookup,
        captured: () => tables.origins(),
        leads: ({ origin }) => foreignKeys.leadFrom(origin),
      },
      signal,
    );
    const stream = new Stream(
      {
        dump: this.#dump,
        start,
        where: this.#address.where,
        tables,
        copies,
        foreignKeys,
        gate,
        copier,
        paused,
        requests,
        throttle: entries.get(throttleEntry) ?? null,
        capture: (origin) => void this.#added.add(origin),
        progress,
        first,
        firstChanges,
        newcomers,
        schemaChanges: {
          flavour: server.flavour,
          policies: this.#options.schemaChanges ?? {},
          movesTables: this.#options.movesTables ?? true,
          changesKeys: this.#options.changesKeys ?? true,
          catalog: catalogNow(session, server, signal),
        },
        readEnd: () => readLogEnd(session, server, signal),
        until: this.#options.until,
        makesIndexes: this.#options.makesIndexes ?? false,
        ping: async () => {
          await session.ping(silenceMs, signal);
          await requireStillLed(this.#address, opened, signal);
        },
      },
      signal,
    );
    this.#stream = stream;
    progress.phase = copies.size > 0 ? 'copying' : 'following';
    void requests.watch(signal);
    yield stream.lane();
    await untilAborted(signal, stream.started.promise);
    yield* copyLanes({ copier, copies, readers: this.#readers, done: () => stream.ended }, signal);
  }

  close(): Promise<void> {
    clearInterval(this.#keepAlive);
    this.#load?.close();
    this.#dump?.reader.close();
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
    const role = await readRole(session, server, signal);
    requireReplicatedLogged(server, role, this.#address.where);
    const catalog = await readCatalog(session, server, this.#captures, signal);
    this.#opened = { session, server, role, catalog };
    this.#options.progress.server = describeServer(server, role);
    return this.#opened;
  }

  #noTables(): LockstepError {
    const message = `${this.#address.where}: no table matches ${this.#options.tables.join(', ')}`;
    return new LockstepError('SOURCE_NO_TABLES', message, {
      fix: 'check source.tables (database.table, * allowed) and that the account may SELECT from them',
    });
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
    const session = await this.#openSame(signal);
    const connection = new TextConnection(
      session.intoWire({ silenceMs: 10 * silenceMs, onHeard: () => this.#heard() }),
      this.#address.where,
    );
    await connection.query(sessionSettings, signal);
    return connection;
  }

  /** A further connection to the server that is read. Errors: SOURCE_CONNECTION_LOST where the address leads elsewhere by now. */
  async #openSame(signal: AbortSignal): Promise<Session> {
    const { server } = await this.#open(signal);
    const session = await Session.open(this.#address, signal);
    try {
      await requireSameServer(session, server, signal);
      return session;
    } catch (error) {
      session.destroy();
      throw error;
    }
  }

  #heard(): void {
    this.#options.progress.lastHeardAtMs = Date.now();
  }

  #identity(): string {
    return `${this.#options.pipeline}/${this.#options.target}`;
  }
}

function emptying(table: TableSchema, place: Place): Change {
  return { kind: 'truncate', table, at: momentAt(place) };
}

/** What became of the tables between the catalog that the target was prepared with and the one behind the first position. */
function changesSince(prepared: readonly CatalogTable[], now: readonly CatalogTable[], { place }: Position): Change[] {
  const at = momentAt(place);
  const known = new Map(prepared.map(({ schema }) => [schema.origin, schema]));
  return now.flatMap(({ schema: after }): Change[] => {
    const before = known.get(after.origin) ?? null;
    return before?.fingerprint === after.fingerprint ? [] : [{ kind: 'schema', before, after, statement: '', at }];
  });
}
