import type { Batch, Checkpoint, Lane, Target } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { HeldDraft } from '../../core/held-keys.ts';
import type { TargetOptions } from '../../core/plugin.ts';
import type { Progress } from '../../core/progress.ts';
import type { IndexedTable, LostIndex } from '../../core/secondary-index.ts';
import type { TableSchema } from '../../core/table.ts';
import { type Work, applyAppending, applyCopied, applyFolded, applyOrdered } from './apply.ts';
import { type ServerFacts, placeKey, readFacts, readTables, selectFacts, selectTables } from './catalog.ts';
import {
  LANES,
  type Owner,
  Versions,
  createCheckpoints,
  moveCheckpoint,
  readCheckpoints,
  selectCheckpoints,
  waitForDisk,
} from './checkpoints.ts';
import { requireSame } from './compare.ts';
import { createSchema, createTable, requireNames } from './ddl.ts';
import { checkpointMoved, isMissing, sqlStateOf } from './errors.ts';
import { applyIsolated, isOfRow, sifted } from './isolate.ts';
import { HeldLetters } from './held-letters.ts';
import { Lanes } from './lanes.ts';
import { makeIndexes } from './make-indexes.ts';
import { MakingNow } from './making-now.ts';
import { createLetters, LETTERS_ENTRY } from './letters.ts';
import { type Session, Sessions } from './session.ts';
import { quoteTable, quoteText } from './sql.ts';
import { Tables } from './tables.ts';
import { Transaction } from './transaction.ts';

/** A transaction holds a lock on each table that it creates, with its index and its TOAST, and the server has room for some thousands. */
const TABLES_AT_ONCE = 250;

/** A batch that is applied again costs twice; of so many it does not show. */
const LOOKS = 100;

const UNIQUE_VIOLATION = '23505';

export function sessionOptions(options: TargetOptions): { url: string; applicationName: string } {
  return { url: options.url, applicationName: `lockstep/${options.pipeline}/${options.target}` };
}

/** Whose rows in the metadata schema are this target's. */
export function ownerOf({ metadata, pipeline, target }: TargetOptions): Owner {
  return { schema: metadata, pipeline, target };
}

/** Rows and checkpoint move in one transaction (G1); parts of a large one stay open on their lane's connection (G3). */
export class PostgresTarget implements Target {
  readonly #owner: Owner;
  readonly #sessions: Sessions;
  readonly #versions = new Versions();
  readonly #tables: Tables;
  readonly #making = new MakingNow();
  readonly #progress: Progress;
  readonly #letters: HeldLetters;
  readonly #lanes: Lanes;
  /** Transactions that wait for their next part, by lane. */
  readonly #open = new Map<string, Transaction>();
  #facts: ServerFacts | null = null;
  /** For how many more batches of a stream new rows are not simply appended. */
  #looks = 0;

  /** Two that create the same at the same time would fail each other. */
  readonly #lockCreation: string;

  constructor(options: TargetOptions) {
    this.#lockCreation = `SELECT pg_advisory_xact_lock(hashtext(${quoteText(`lockstep ${options.metadata}`)}))`;
    this.#owner = ownerOf(options);
    this.#sessions = new Sessions({ ...sessionOptions(options), relaxed: true });
    this.#progress = options.progress;
    this.#tables = new Tables(options.values);
    this.#letters = new HeldLetters(this.#owner, options.deadLetterLimit ?? 0);
    this.#lanes = new Lanes(this.#sessions, this.#owner, options.lanes ?? 1);
  }

  /** None before the first `prepare` of any pipeline has made the place they are kept in. */
  async load(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const startedAt = this.#versions.now();
    this.#lanes.loaded();
    try {
      const [outcome] = await this.#sessions.using(signal, async (session) => {
        await this.#letters.refresh(session, signal);
        return await session.query(selectCheckpoints(this.#owner, prefix), signal);
      });
      const { tokens, versions } = readCheckpoints(outcome);
      this.#versions.loaded(prefix, versions, startedAt);
      for (const name of tokens.keys()) if (name === LETTERS_ENTRY || name.startsWith(LANES)) tokens.delete(name);
      return tokens;
    } catch (error) {
      if (isMissing(error)) return new Map();
      throw error;
    }
  }

  async prepare(tables: readonly TableSchema[], signal: AbortSignal): Promise<void> {
    for (const table of tables) {
      requireNames(table);
      this.#tables.claim(table);
    }
    await this.#sessions.using(signal, async (session) => {
      for (let at = 0; at === 0 || at < tables.length; at += TABLES_AT_ONCE) {
        await session.query(`BEGIN; ${this.#lockCreation}`, signal);
        await this.#create(session, tables.slice(at, at + TABLES_AT_ONCE), signal);
        await session.query('COMMIT', signal);
      }
    });
  }

  async #create(session: Session, tables: readonly TableSchema[], signal: AbortSignal): Promise<void> {
    await createPlace(session, this.#owner, signal);
    const facts = await this.#serverFacts(session, signal);
    if (tables.length === 0) return;
    const existing = readTables((await session.query(selectTables(tables), signal))[0]);
    const started = (await session.query(`${selectCheckpoints(this.#owner, '')} LIMIT 1`, signal))[0]?.count !== 0;
    const schemas = new Set<string>();
    const statements: string[] = [];
    for (const table of tables) {
      const found = existing.get(placeKey(table));
      if (found === undefined) {
        schemas.add(table.database);
        statements.push(createTable(table, facts.geometry));
      } else if (!started) requireSame(table, found, facts); // later on a schema change may still be on its way in the stream
    }
    const missing = await missingSchemas(session, [...schemas], signal);
    const text = [...missing.map(createSchema), ...statements].join(';\n');
    if (text !== '') await session.query(text, signal);
  }

  async #serverFacts(session: Session, signal: AbortSignal): Promise<ServerFacts> {
    this.#facts ??= readFacts((await session.query(selectFacts, signal))[0]);
    return this.#facts;
  }

  async apply(lane: Pick<Lane, 'name' | 'kind'>, batch: Batch, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (lane.kind === 'stream') await this.#lanes.own(lane.name, signal);
    const transaction = this.#open.get(lane.name) ?? (await this.#newTransaction(signal));
    this.#open.delete(lane.name);
    const bars = this.#making.bars();
    try {
      const facts = await this.#serverFacts(transaction.session, signal);
      await this.#write(lane, {
        transaction,
        tables: this.#tables,
        owner: this.#owner,
        facts,
        lockCreation: this.#lockCreation,
        making: bars,
        batch,
        signal,
      });
    } catch (error) {
      this.#sessions.discard(transaction.session);
      this.#tables.changed(null);
      throw (await this.#overtaken(error, batch.checkpoint, signal)) ?? error;
    } finally {
      bars.lift();
    }
    this.#progress.made({ setAside: transaction.letters.takeCounts(), changed: transaction.changed.take() });
    if (batch.checkpoint === null) {
      this.#open.set(lane.name, transaction);
      return;
    }
    this.#versions.moved(batch.checkpoint);
    this.#sessions.release(transaction.session);
  }

  async #newTransaction(signal: AbortSignal): Promise<Transaction> {
    const session = await this.#sessions.take(signal);
    try {
      return new Transaction(session, await this.#letters.draft(session, signal));
    } catch (error) {
      this.#sessions.discard(session);
      throw error;
    }
  }

  /** Tries the fastest way first; each further one is for rows that the one before runs into. */
  async #write({ name, kind }: Pick<Lane, 'name' | 'kind'>, work: Work): Promise<void> {
    const { transaction, signal, batch } = work;
    const ways = [...(kind === 'copy' ? [applyCopied] : this.#appending()), applyFolded, applyOrdered].map(sifted);
    const before = transaction.state();
    transaction.begin();
    if (kind === 'stream' && batch.checkpoint !== null) {
      const { checkpoint } = batch;
      if (await this.#lanes.apply(name, work, () => this.#move(work, checkpoint))) return;
      await transaction.undo(signal);
    }
    for (let way = ways.shift(); way !== undefined;) {
      transaction.restore(before);
      try {
        await way(work);
        if (batch.checkpoint === null) await transaction.endPart(signal);
        else await this.#commit(work, batch.checkpoint);
        return;
      } catch (error) {
        if (!isOfRow(error)) throw error;
        way = nextWay(way, ways, error, transaction.letters);
        if (way === undefined) throw error;
        if (kind === 'stream') this.#looks = LOOKS;
        await transaction.undo(signal);
        work.tables.changed(null);
      }
    }
  }

  /** Whether new rows are appended without a look: not for a while once that went wrong, for what did it once may do so again. */
  #appending(): Way[] {
    if (this.#looks === 0) return [applyAppending];
    this.#looks -= 1;
    return [];
  }

  async #move({ transaction, signal }: Work, checkpoint: Checkpoint): Promise<void> {
    for (const statement of moveCheckpoint(this.#owner, checkpoint, this.#versions))
      await transaction.add(statement, signal);
  }

  async #commit(work: Work, checkpoint: Checkpoint): Promise<void> {
    const { transaction, signal } = work;
    const commit = async (): Promise<void> => {
      await this.#move(work, checkpoint);
      await transaction.commit(signal);
    };
    await (transaction.letters.touched ? this.#letters.move(transaction, commit, signal) : commit());
  }

  /**
   * Where another process has moved the checkpoint, that is why the rows did not fit: what they change is changed already. Null where
   * nobody has, or nobody can tell.
   */
  async #overtaken(error: unknown, checkpoint: Checkpoint | null, signal: AbortSignal): Promise<LockstepError | null> {
    if (!(error instanceof LockstepError) || error.verdict !== 'operator' || checkpoint === null) return null;
    const select = selectCheckpoints(this.#owner, '');
    try {
      const outcomes = await this.#sessions.using(signal, (session) => session.query(select, signal));
      const { versions } = readCheckpoints(outcomes[0]);
      const moved = [...checkpoint.set.keys()].some((name) => (versions.get(name) ?? 0) !== this.#versions.of(name));
      return moved ? checkpointMoved(error) : null;
    } catch {
      return null;
    }
  }

  async createIndexes(wanted: IndexedTable, onMade: () => void, signal: AbortSignal): Promise<readonly LostIndex[]> {
    return await this.#sessions.using(signal, async (session) => {
      const facts = await this.#serverFacts(session, signal);
      const make = async (stop: AbortSignal): Promise<readonly LostIndex[]> =>
        await makeIndexes(wanted, { session, facts, onMade }, stop);
      return await this.#making.run(wanted.table, session, make, signal);
    });
  }

  async sync(signal: AbortSignal): Promise<void> {
    await this.#sessions.using(signal, async (session) => await session.query(waitForDisk(this.#owner), signal));
  }

  async close(): Promise<void> {
    this.#open.clear();
    await this.#sessions.close();
  }
}

type Way = (work: Work) => Promise<void>;

/** Rows that only stand in each other's way are applied one by one; from others, those that are refused are set aside. */
function nextWay(failed: Way, ways: Way[], error: unknown, letters: HeldDraft): Way | undefined {
  const further = sqlStateOf(error) === UNIQUE_VIOLATION ? ways.shift() : undefined;
  return further ?? (letters.sets && failed !== applyIsolated ? applyIsolated : undefined);
}

/** Nothing is created that is there, so that a role without the right to create can work where an owner has prepared all. */
async function createPlace(session: Session, owner: Owner, signal: AbortSignal): Promise<void> {
  const places = ['checkpoints', 'dead_letters'].map((name) => quoteText(quoteTable({ database: owner.schema, name })));
  const [outcome] = await session.query(`SELECT ${places.map((place) => `to_regclass(${place})`).join(', ')}`, signal);
  const [checkpoints, letters] = outcome?.rows[0] ?? [];
  const statements: string[] = [];
  if (typeof checkpoints !== 'string') {
    const missing = await missingSchemas(session, [owner.schema], signal);
    statements.push(...missing.map(createSchema), createCheckpoints(owner));
  }
  if (typeof letters !== 'string') statements.push(createLetters(owner));
  if (statements.length > 0) await session.query(statements.join(';\n'), signal);
}

async function missingSchemas(session: Session, names: readonly string[], signal: AbortSignal): Promise<string[]> {
  if (names.length === 0) return [];
  const [outcome] = await session.query(
    `SELECT nspname FROM pg_namespace WHERE nspname IN (${names.map(quoteText).join(', ')})`,
    signal,
  );
  const there = new Set(outcome?.rows.map(([name]) => name));
  return names.filter((name) => !there.has(name));
}

/** Opens the target; throws when it cannot be reached. */
export async function openTarget(options: TargetOptions): Promise<Target> {
  if (options.metadata === '')
    throw new LockstepError('CONFIG_INVALID', 'the target needs a name for its metadata schema');
  return new PostgresTarget(options);
}
