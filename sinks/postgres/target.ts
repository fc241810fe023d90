import type { Batch, Checkpoint, Lane, Target } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { TargetOptions } from '../../core/plugin.ts';
import type { TableSchema } from '../../core/table.ts';
import { type Work, applyCopied, applyFolded, applyOrdered } from './apply.ts';
import { type ServerFacts, placeKey, readFacts, readTables, selectFacts, selectTables } from './catalog.ts';
import {
  type Owner,
  Versions,
  createCheckpoints,
  moveCheckpoint,
  readCheckpoints,
  selectCheckpoints,
} from './checkpoints.ts';
import { requireSame } from './compare.ts';
import { createSchema, createTable, requireNames } from './ddl.ts';
import { checkpointMoved, sqlStateOf } from './errors.ts';
import { type Session, Sessions } from './session.ts';
import { quoteText } from './sql.ts';
import { Tables } from './tables.ts';
import { Transaction } from './transaction.ts';

const UNIQUE_VIOLATION = '23505';

export function sessionOptions(options: TargetOptions): { url: string; applicationName: string } {
  return { url: options.url, applicationName: `lockstep/${options.pipeline}/${options.target}` };
}

/** Rows and checkpoint move in one transaction (G1); parts of a large one stay open on their lane's connection (G3). */
export class PostgresTarget implements Target {
  readonly #owner: Owner;
  readonly #sessions: Sessions;
  readonly #versions = new Versions();
  readonly #tables = new Tables();
  /** Transactions that wait for their next part, by lane. */
  readonly #open = new Map<string, Transaction>();
  #facts: ServerFacts | null = null;

  /** Two that create the same at the same time would fail each other. */
  readonly #lockCreation: string;

  constructor(options: TargetOptions) {
    this.#lockCreation = `SELECT pg_advisory_xact_lock(hashtext(${quoteText(`lockstep ${options.metadata}`)}))`;
    this.#owner = { schema: options.metadata, pipeline: options.pipeline, target: options.target };
    this.#sessions = new Sessions(sessionOptions(options));
  }

  /** None before the first `prepare` of any pipeline has made the place they are kept in. */
  async load(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const startedAt = this.#versions.now();
    try {
      const [outcome] = await this.#sessions.using(signal, (session) =>
        session.query(selectCheckpoints(this.#owner, prefix), signal),
      );
      const { tokens, versions } = readCheckpoints(outcome);
      this.#versions.loaded(prefix, versions, startedAt);
      return tokens;
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === '42P01' || state === '3F000') return new Map();
      throw error;
    }
  }

  async prepare(tables: readonly TableSchema[], signal: AbortSignal): Promise<void> {
    for (const table of tables) {
      requireNames(table);
      this.#tables.claim(table);
    }
    await this.#sessions.using(signal, async (session) => {
      await session.query(`BEGIN; ${this.#lockCreation}`, signal);
      await this.#create(session, tables, signal);
      await session.query('COMMIT', signal);
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
    const transaction = this.#open.get(lane.name) ?? new Transaction(await this.#sessions.take(signal));
    this.#open.delete(lane.name);
    try {
      const facts = await this.#serverFacts(transaction.session, signal);
      await this.#write(lane.kind, {
        transaction,
        tables: this.#tables,
        facts,
        lockCreation: this.#lockCreation,
        batch,
        signal,
      });
    } catch (error) {
      this.#sessions.discard(transaction.session);
      this.#tables.changed(null);
      throw (await this.#overtaken(error, batch.checkpoint, signal)) ?? error;
    }
    if (batch.checkpoint === null) {
      this.#open.set(lane.name, transaction);
      return;
    }
    this.#versions.moved(batch.checkpoint);
    this.#sessions.release(transaction.session);
  }

  /** Tries the fastest way first; each further one is for rows that the one before runs into. */
  async #write(kind: Lane['kind'], work: Work): Promise<void> {
    const ways = kind === 'copy' ? [applyCopied, applyFolded, applyOrdered] : [applyFolded, applyOrdered];
    const { transaction, signal } = work;
    transaction.begin();
    for (const [n, way] of ways.entries()) {
      try {
        await way(work);
        if (work.batch.checkpoint === null) await transaction.endPart(signal);
        else await this.#commit(work, work.batch.checkpoint);
        return;
      } catch (error) {
        if (sqlStateOf(error) !== UNIQUE_VIOLATION || n === ways.length - 1) throw error;
        await transaction.undo(signal);
        work.tables.changed(null);
      }
    }
  }

  async #commit({ transaction, signal }: Work, checkpoint: Checkpoint): Promise<void> {
    for (const statement of moveCheckpoint(this.#owner, checkpoint, this.#versions))
      await transaction.add(statement, signal);
    await transaction.commit(signal);
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

  async close(): Promise<void> {
    this.#open.clear();
    await this.#sessions.close();
  }
}

/** Nothing is created that is there, so that a role without the right to create can work where an owner has prepared all. */
async function createPlace(session: Session, owner: Owner, signal: AbortSignal): Promise<void> {
  const there = `SELECT to_regclass(${quoteText(`"${owner.schema.replaceAll('"', '""')}".checkpoints`)})`;
  const [outcome] = await session.query(there, signal);
  if (typeof outcome?.rows[0]?.[0] === 'string') return;
  const missing = await missingSchemas(session, [owner.schema], signal);
  const statements = createCheckpoints(owner);
  await session.query(missing.length === 0 ? statements.slice(statements.indexOf('CREATE TABLE')) : statements, signal);
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
