import type { ClientSession } from 'mongodb';
import type { Batch, Cascade, Change, Checkpoint, Lane, Target } from '../../core/contracts.ts';
import type { TargetOptions } from '../../core/plugin.ts';
import { untilAborted } from '../../core/signals.ts';
import type { TableSchema } from '../../core/table.ts';
import { endAbandoned } from './abandoned.ts';
import { Checkpoints, collectionName, type Move } from './checkpoints.ts';
import { type CascadeWrite, expand } from './cascade.ts';
import { type Chunk, chunksOf, isSmall } from './chunks.ts';
import { appNameOf, connect, type Connection } from './connect.ts';
import { type Destination, destinations } from './destination.ts';
import { isDuplicateKey, targetError } from './errors.ts';
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
  return new MongoTarget(connection, checkpoints);
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

  constructor(connection: Connection, checkpoints: Checkpoints) {
    this.#connection = connection;
    this.#checkpoints = checkpoints;
    this.#destination = destinations(connection);
  }

  prepare(tables: readonly TableSchema[], signal: AbortSignal): Promise<void> {
    return this.#run(
      () => 'preparing',
      signal,
      async () => {
        checkNames(this.#connection, tables);
        await createCollection(this.#connection.metadata, collectionName);
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
      () => this.#checkpoints.load(prefix),
    );
  }

  apply(lane: Pick<Lane, 'name' | 'kind'>, batch: Batch, signal: AbortSignal): Promise<void> {
    const doing = (): string => `writing ${placesOf(batch, this.#destination)}`;
    return this.#run(doing, signal, async () => {
      const all = stepsOf(batch, this.#destination);
      // A copy's truncate belongs to the rows that come with it, and so is done again with them.
      const steps = lane.kind === 'copy' ? all : this.#ahead(lane.name, all);
      if (batch.checkpoint !== null && (await this.#atOnce(lane.name, steps, batch, batch.checkpoint, signal))) return;
      const last = await this.#applyBut(lane.name, steps, batch.bytes, batch.checkpoint !== null, signal);
      if (batch.checkpoint !== null) await this.#finish(lane.name, last, batch.checkpoint, signal);
    });
  }

  /** Without what the lane has done of them already: up to the last truncate or schema change that it noted. */
  #ahead(lane: string, steps: readonly Step[]): readonly Step[] {
    const done = this.#checkpoints.step(lane);
    return done === null ? steps : steps.slice(steps.findLastIndex((step) => stepName(step) === done) + 1);
  }

  /** Does all steps in one transaction where cascades are among them and they are few; false where they are not. */
  async #atOnce(
    lane: string,
    steps: readonly Step[],
    { bytes }: Batch,
    checkpoint: Checkpoint,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (!this.#connection.transactions || !isSmall(steps, bytes)) return false;
    const move = this.#checkpoints.move(lane, checkpoint);
    const work = async (session: ClientSession): Promise<void> => {
      await this.#checkpoints.write(move, session);
      for (const step of steps) {
        if (step.kind === 'rows') await writeInside(session, step.segment, 'any');
        if (step.kind !== 'cascade') continue;
        const writes = await expand(step.change, this.#destination, session);
        if (writes.length > cascadesAtOnce) throw new TooMany();
        await writeCascade(session, writes);
      }
    };
    try {
      await inTransaction(this.#connection.client, work, signal);
    } catch (error) {
      if (error instanceof TooMany) return false;
      throw error;
    }
    this.#checkpoints.moved(move);
    return true;
  }

  /** Those farthest from the cause first: what is left of it when it is interrupted is found again (G1). */
  async #cascade(lane: string, change: Cascade, signal: AbortSignal): Promise<void> {
    const { transactions, client } = this.#connection;
    if (!transactions || !this.#checkpoints.isHeld(lane)) await this.#checkpoints.claim(lane);
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
  async #applyBut(
    lane: string,
    steps: readonly Step[],
    bytes: number,
    keep: boolean,
    signal: AbortSignal,
  ): Promise<Chunk | null> {
    for (const [index, step] of steps.entries()) {
      signal.throwIfAborted();
      if (step.kind === 'rows') {
        const chunks = chunksOf(step.segment, bytes);
        const last = keep && index === steps.length - 1 ? chunks.pop() : undefined;
        await this.#writeChunks(lane, chunks, signal);
        if (last !== undefined) return last;
        continue;
      }
      if (step.kind === 'cascade') {
        await this.#cascade(lane, step.change, signal);
        continue;
      }
      await this.#checkpoints.claim(lane);
      if (step.kind === 'truncate') await truncate(this.#destination(step.change.table).collection);
      else await applySchemaChange(this.#connection, step.change);
      await this.#checkpoints.claim(lane, stepName(step));
    }
    return null;
  }

  async #writeChunks(lane: string, chunks: readonly Chunk[], signal: AbortSignal): Promise<void> {
    if (chunks.length === 0) return;
    if (!this.#connection.transactions || !this.#checkpoints.isHeld(lane)) await this.#checkpoints.claim(lane);
    const waiting = chunks.filter(({ unkeyed }) => unkeyed.length === 0);
    const write = async (): Promise<void> => {
      for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
        signal.throwIfAborted();
        await this.#writeChunk(lane, chunk, signal);
      }
    };
    const writers = await Promise.allSettled(Array.from({ length: inFlight }, write));
    for (const writer of writers) if (writer.status === 'rejected') throw writer.reason;
    for (const chunk of chunks) if (chunk.unkeyed.length > 0) await this.#writeChunk(lane, chunk, signal);
  }

  #writeChunk(lane: string, chunk: Chunk, signal: AbortSignal): Promise<void> {
    if (!this.#connection.transactions) return writeOutside(chunk);
    return optimistic(chunk, (expect) =>
      inTransaction(
        this.#connection.client,
        async (session) => {
          await this.#checkpoints.verify(lane, session);
          await writeInside(session, chunk, expect);
        },
        signal,
      ),
    );
  }

  async #finish(lane: string, last: Chunk | null, checkpoint: Checkpoint, signal: AbortSignal): Promise<void> {
    if (!this.#connection.transactions) {
      if (last !== null) await this.#writeChunks(lane, [last], signal);
      const move = this.#checkpoints.move(lane, checkpoint);
      await this.#checkpoints.write(move, null);
      this.#checkpoints.moved(move);
      return;
    }
    const move = this.#checkpoints.move(lane, checkpoint);
    if (last === null) await this.#commit(move, null, 'any', signal);
    else await optimistic(last, (expect) => this.#commit(move, last, expect, signal));
    this.#checkpoints.moved(move);
  }

  /** The checkpoint goes first: who lost the lane waits for nothing else. */
  #commit(move: Move, chunk: Chunk | null, expect: Expect, signal: AbortSignal): Promise<void> {
    return inTransaction(
      this.#connection.client,
      async (session) => {
        await this.#checkpoints.write(move, session);
        if (chunk !== null) await writeInside(session, chunk, expect);
      },
      signal,
    );
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
