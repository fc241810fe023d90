import type { ClientSession } from 'mongodb';
import type { Batch, Cascade, Change, Checkpoint, Lane, Target } from '../../core/contracts.ts';
import { Counts } from '../../core/counts.ts';
import { type LockstepError, toLockstepError } from '../../core/errors.ts';
import { type HeldDraft, refusedKey } from '../../core/held-keys.ts';
import type { TargetOptions } from '../../core/plugin.ts';
import type { Progress } from '../../core/progress.ts';
import { untilAborted } from '../../core/signals.ts';
import type { TableSchema } from '../../core/table.ts';
import { endAbandoned } from './abandoned.ts';
import { Checkpoints, collectionName, type Move } from './checkpoints.ts';
import { type CascadeWrite, expand } from './cascade.ts';
import { type Chunk, chunksOf, isSmall } from './chunks.ts';
import { appNameOf, connect, type Connection } from './connect.ts';
import { type Destination, destinations } from './destination.ts';
import { isDuplicateKey, targetError } from './errors.ts';
import { HeldLetters } from './held-letters.ts';
import { letterCollections, StoredLetters } from './letters.ts';
import { keyOfWrite, type RefusedWrite, RowsRefused } from './refused.ts';
import { type Step, stepsOf } from './fold.ts';
import { checkNames } from './names.ts';
import { applySchemaChange, createCollection, stepName, truncate } from './schema.ts';
import { inTransaction } from './transaction.ts';
import { type Expect, hasInserts, writeCascade, writeInside, writeOutside } from './writes.ts';

/** Connects. Errors: TARGET_UNREACHABLE, TARGET_HOST_UNKNOWN, TARGET_AUTH, CONFIG_INVALID. */
export async function openTarget(options: TargetOptions): Promise<Target> {
  const connection = await connect(options);
  if (connection.transactions) await endAbandoned(connection.client, appNameOf(options));
  const checkpoints = new Checkpoints(connection.metadata, options.pipeline, options.target);
  return new MongoTarget(connection, checkpoints, options);
}

/** How many transactions of one lane are under way at once where their order does not matter. */
const inFlight = 3;

/** How many documents of a cascade are written in one transaction. */
const cascadesAtOnce = 1_000;

/** Says that a cascade goes beyond one transaction. */
class TooMany extends Error {}

/**
 * Rows as documents. On a replica set every row is written in a transaction that also proves that the lane is still this process's (G8): a
 * small batch is one transaction together with its checkpoint; a large one, and parts without a checkpoint, are several, and the checkpoint comes
 * with the last (G1; in between readers see a part of a large source transaction). On a standalone server the lane is claimed, the
 * rows are written, then the checkpoint: a process that was overtaken between its claim and its rows can overwrite newer rows.
 * Truncates and schema changes are no part of transactions: each is noted in the lane once it is done, so that a batch that comes again
 * goes on behind it.
 */
class MongoTarget implements Target {
  readonly #connection: Connection;
  readonly #checkpoints: Checkpoints;
  readonly #destination: (table: TableSchema) => Destination;
  readonly #progress: Progress;
  readonly #letters: HeldLetters;

  constructor(connection: Connection, checkpoints: Checkpoints, options: TargetOptions) {
    this.#connection = connection;
    this.#checkpoints = checkpoints;
    this.#destination = destinations(connection, options.values);
    this.#progress = options.progress;
    this.#letters = new HeldLetters(new StoredLetters(connection.metadata, options), options.deadLetterLimit ?? 0);
  }

  prepare(tables: readonly TableSchema[], signal: AbortSignal): Promise<void> {
    return this.#run(
      () => 'preparing',
      signal,
      async () => {
        checkNames(this.#connection, tables);
        for (const name of [collectionName, ...letterCollections])
          await createCollection(this.#connection.metadata, name);
        for (const table of tables) {
          signal.throwIfAborted();
          await this.#create(table);
        }
      },
    );
  }

  async #create(table: TableSchema): Promise<void> {
    const { collection } = this.#destination(table);
    await createCollection(this.#connection.client.db(collection.dbName), collection.collectionName);
  }

  load(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    return this.#run(
      () => 'reading checkpoints',
      signal,
      async () => {
        await this.#letters.refresh();
        return await this.#checkpoints.load(prefix);
      },
    );
  }

  apply(lane: Pick<Lane, 'name' | 'kind'>, batch: Batch, signal: AbortSignal): Promise<void> {
    const doing = (): string => `writing ${placesOf(batch, this.#destination)}`;
    return this.#run(doing, signal, async () => {
      const refused = new Map<string, LockstepError>();
      for (;;) {
        const draft = await this.#letters.draft();
        try {
          const changes = draft.sift(batch.changes, refused);
          const made = await this.#applySifted(lane, { ...batch, changes }, draft, signal);
          this.#progress.made({ setAside: draft.takeCounts(), changed: made.take() });
          return;
        } catch (error) {
          if (!(error instanceof RowsRefused)) throw error;
          if (!draft.sets || !this.#learn(refused, error, doing())) throw error.cause;
        }
      }
    });
  }

  /** Takes note of the keys whose rows were refused; false where none is new. */
  #learn(known: Map<string, LockstepError>, { refused }: RowsRefused, doing: string): boolean {
    const before = known.size;
    for (const { write, error } of refused) {
      const { origin, key } = keyOfWrite(write);
      known.set(
        refusedKey(origin, key),
        toLockstepError(targetError(error, { server: this.#connection.server, doing })),
      );
    }
    return known.size > before;
  }

  /** Gives the values that policies changed. Errors: RowsRefused with nothing of the last transaction written. */
  async #applySifted(
    lane: Pick<Lane, 'name' | 'kind'>,
    batch: Batch,
    draft: HeldDraft,
    signal: AbortSignal,
  ): Promise<Counts> {
    const changed = new Counts();
    const all = stepsOf(batch, this.#destination);
    // A copy's truncate belongs to the rows that come with it, and so is done again with them.
    const steps = lane.kind === 'copy' ? all : this.#ahead(lane.name, all);
    const write = { lane: lane.name, changed, draft, signal };
    if (batch.checkpoint !== null && (await this.#atOnce(write, steps, batch.bytes, batch.checkpoint))) return changed;
    const last = await this.#applyBut(write, steps, batch.bytes, batch.checkpoint !== null);
    if (batch.checkpoint !== null) await this.#finish(write, last, batch.checkpoint);
    else if (draft.touched) await this.#finishPart(write);
    return changed;
  }

  /** Without what the lane has done of them already: up to the last truncate or schema change that it noted. */
  #ahead(lane: string, steps: readonly Step[]): readonly Step[] {
    const done = this.#checkpoints.step(lane);
    return done === null ? steps : steps.slice(steps.findLastIndex((step) => stepName(step) === done) + 1);
  }

  /** Does all steps in one transaction where cascades are among them, they are few and set nothing aside; false where they are not. */
  async #atOnce(write: Writing, steps: readonly Step[], bytes: number, checkpoint: Checkpoint): Promise<boolean> {
    const { lane, changed, draft, signal } = write;
    if (!this.#connection.transactions || draft.touched || !isSmall(steps, bytes)) return false;
    const move = this.#checkpoints.move(lane, checkpoint);
    try {
      await this.#inTransaction(changed, signal, async (session, counts) => {
        await this.#checkpoints.write(move, session);
        for (const step of steps) {
          if (step.kind === 'rows') await writeInside(session, step.segment, 'any', counts);
          else if (step.kind === 'cascade') await this.#cascadeAtOnce(session, step.change);
        }
      });
    } catch (error) {
      if (error instanceof TooMany) return false;
      throw error;
    }
    this.#checkpoints.moved(move);
    return true;
  }

  /** Errors: TooMany where one transaction would get too large. */
  async #cascadeAtOnce(session: ClientSession, change: Cascade): Promise<void> {
    const writes = await expand(change, this.#destination, session);
    if (writes.length > cascadesAtOnce) throw new TooMany();
    await writeCascade(session, writes);
  }

  /** Those farthest from the cause first: what is left of it when it is interrupted is found again (G1). */
  async #cascade({ lane, signal }: Writing, change: Cascade): Promise<void> {
    const { transactions, client } = this.#connection;
    await this.#take(lane);
    const writes = await expand(change, this.#destination, null);
    for (let at = 0; at < writes.length; at += cascadesAtOnce) {
      const some: readonly CascadeWrite[] = writes.slice(at, at + cascadesAtOnce);
      signal.throwIfAborted();
      const inside = async (session: ClientSession): Promise<void> => {
        await this.#checkpoints.verify(lane, session);
        await writeCascade(session, some);
      };
      if (transactions) await inTransaction(client, inside, signal);
      else await writeCascade(null, some);
    }
  }

  /** Applies the steps, but leaves the last chunk for the checkpoint's transaction where there is one to come. */
  async #applyBut(write: Writing, steps: readonly Step[], bytes: number, keep: boolean): Promise<Chunk | null> {
    const { lane, signal } = write;
    for (const [index, step] of steps.entries()) {
      signal.throwIfAborted();
      if (step.kind === 'rows') {
        const chunks = chunksOf(step.segment, bytes);
        const last = keep && index === steps.length - 1 ? chunks.pop() : undefined;
        await this.#writeChunks(write, chunks);
        if (last !== undefined) return last;
        continue;
      }
      if (step.kind === 'cascade') {
        await this.#cascade(write, step.change);
        continue;
      }
      await this.#checkpoints.claim(lane);
      if (step.kind === 'truncate') await truncate(this.#destination(step.change.table).collection);
      else await applySchemaChange(this.#connection, step.change);
      await this.#checkpoints.claim(lane, stepName(step));
    }
    return null;
  }

  async #writeChunks(write: Writing, chunks: readonly Chunk[]): Promise<void> {
    const { lane, signal } = write;
    if (chunks.length === 0) return;
    await this.#take(lane);
    const waiting = chunks.filter(({ unkeyed }) => unkeyed.length === 0);
    const refused: RefusedWrite[] = [];
    const work = async (): Promise<void> => {
      for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
        signal.throwIfAborted();
        refused.push(...(await this.#refusedOf(write, chunk)));
      }
    };
    const writers = await Promise.allSettled(Array.from({ length: inFlight }, work));
    for (const writer of writers) if (writer.status === 'rejected') throw writer.reason;
    if (refused.length > 0) throw new RowsRefused(refused);
    for (const chunk of chunks) if (chunk.unkeyed.length > 0) await this.#writeChunk(write, chunk);
  }

  /**
   * Writes a chunk and gives what was refused of it. Without that the rest is tried, to find all that is refused; but no deletes, for one may belong
   * to a change of a key whose new row is among the refused.
   */
  async #refusedOf(write: Writing, chunk: Chunk): Promise<readonly RefusedWrite[]> {
    const refused: RefusedWrite[] = [];
    for (let { keyed } = chunk; ;) {
      try {
        await this.#writeChunk(write, { keyed, unkeyed: [] });
        return refused;
      } catch (error) {
        if (!(error instanceof RowsRefused) || !write.draft.sets) throw error;
        refused.push(...error.refused);
        const known = new Set(refused.map(({ write }) => write));
        keyed = keyed.filter((write) => write.fate !== 'delete' && !known.has(write));
      }
    }
  }

  /** Makes sure that a transaction can prove that the lane is ours. */
  async #take(lane: string): Promise<void> {
    if (!this.#connection.transactions || !this.#checkpoints.isHeld(lane)) await this.#checkpoints.claim(lane);
  }

  #writeChunk({ lane, changed, signal }: Writing, chunk: Chunk): Promise<void> {
    if (!this.#connection.transactions) return writeOutside(chunk, changed);
    return optimistic(chunk, (expect) =>
      this.#inTransaction(changed, signal, async (session, counts) => {
        await this.#checkpoints.verify(lane, session);
        await writeInside(session, chunk, expect, counts);
      }),
    );
  }

  /** On a standalone server the letters come before the checkpoint: after a crash between the two they are written once more. */
  async #finish(write: Writing, last: Chunk | null, checkpoint: Checkpoint): Promise<void> {
    const { lane, draft } = write;
    if (!this.#connection.transactions && last !== null) await this.#writeChunks(write, [last]);
    const move = this.#checkpoints.move(lane, checkpoint);
    await this.#letters.move(draft, async (writeLetters) => {
      if (!this.#connection.transactions) {
        await writeLetters(null);
        await this.#checkpoints.write(move, null);
      } else if (last === null) await this.#commit(write, move, null, 'any', writeLetters);
      else await optimistic(last, (expect) => this.#commit(write, move, last, expect, writeLetters));
    });
    this.#checkpoints.moved(move);
  }

  /** What a part of a large transaction sets aside is kept at once, as its rows are; a part that comes again adds the same again. */
  async #finishPart({ lane, changed, draft, signal }: Writing): Promise<void> {
    await this.#take(lane);
    await this.#letters.move(draft, async (writeLetters) => {
      if (!this.#connection.transactions) return await writeLetters(null);
      await this.#inTransaction(changed, signal, async (session) => {
        await this.#checkpoints.verify(lane, session);
        await writeLetters(session);
      });
    });
  }

  /** The checkpoint goes first: who lost the lane waits for nothing else. */
  #commit(
    { changed, signal }: Writing,
    move: Move,
    chunk: Chunk | null,
    expect: Expect,
    writeLetters: (session: ClientSession) => Promise<void>,
  ): Promise<void> {
    return this.#inTransaction(changed, signal, async (session, counts) => {
      await this.#checkpoints.write(move, session);
      if (chunk !== null) await writeInside(session, chunk, expect, counts);
      await writeLetters(session);
    });
  }

  /** Counts the values that policies changed in the one attempt that succeeds. */
  async #inTransaction(
    changed: Counts,
    signal: AbortSignal,
    work: (session: ClientSession, counts: Counts) => Promise<void>,
  ): Promise<void> {
    let counts = new Counts();
    const attempt = async (session: ClientSession): Promise<void> => {
      counts = new Counts();
      await work(session, counts);
    };
    await inTransaction(this.#connection.client, attempt, signal);
    changed.addAll(counts.take());
  }

  async close(): Promise<void> {
    await this.#connection.client.close();
  }

  async #run<T>(doing: () => string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await untilAborted(signal, work());
    } catch (error) {
      throw signal.aborted ? error : targetError(error, { server: this.#connection.server, doing: doing() });
    }
  }
}

/** What the writes of a batch have in common. */
interface Writing {
  readonly lane: string;
  readonly changed: Counts;
  readonly draft: HeldDraft;
  readonly signal: AbortSignal;
}

/** Takes inserts for new; where a key is there already, does the same again as replacements. */
async function optimistic(chunk: Chunk, write: (expect: Expect) => Promise<void>): Promise<void> {
  try {
    await write('new');
  } catch (error) {
    if (!isDuplicateKey(error) || !hasInserts(chunk)) throw error;
    await write('any');
  }
}

/** The collections that a batch touches, for messages. */
function placesOf(batch: Batch, destination: (table: TableSchema) => Destination): string {
  const tables = new Set(batch.changes.map((change) => tableOf(change)).filter((table) => table !== null));
  const places = [...new Set([...tables].map((table) => destination(table).place))];
  return places.length === 0 ? 'the checkpoint' : places.slice(0, 5).join(', ');
}

function tableOf(change: Change): TableSchema | null {
  if (change.kind === 'marker') return null;
  return change.kind === 'schema' ? (change.after ?? change.before) : change.table;
}
