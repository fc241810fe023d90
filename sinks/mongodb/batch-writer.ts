import type { ClientSession, Collection } from 'mongodb';
import type { Batch, Cascade, Checkpoint, Lane } from '../../core/contracts.ts';
import { Counts } from '../../core/counts.ts';
import type { HeldDraft } from '../../core/held-keys.ts';
import type { TableSchema } from '../../core/table.ts';
import { type CascadeWrite, expand } from './cascade.ts';
import type { Checkpoints, Move } from './checkpoints.ts';
import { type Chunk, chunksOf, isSmall } from './chunks.ts';
import type { Connection } from './connect.ts';
import type { Destination } from './destination.ts';
import { isDuplicateKey } from './errors.ts';
import type { Fences } from './fences.ts';
import { type Step, stepsOf } from './fold.ts';
import type { HeldLetters } from './held-letters.ts';
import { type RefusedWrite, RowsRefused } from './refused.ts';
import { applySchemaChange, stepName, truncate, truncateSome } from './schema.ts';
import type { Expect } from './statements.ts';
import { inTransaction, takeOver } from './transaction.ts';
import { hasInserts, writeCascade, writeInside, writeOutside } from './writes.ts';

/** How many transactions of one lane are under way at once where their order does not matter: one is written while another one is committed. */
const inFlight = 2;

/** How many documents of a cascade are written in one transaction. */
const cascadesAtOnce = 1_000;

/** Says that a cascade goes beyond one transaction. */
class TooMany extends Error {}

/** What the batches of all lanes are written with. */
export interface Shared {
  readonly connection: Connection;
  readonly checkpoints: Checkpoints;
  readonly fences: Fences;
  readonly destination: (table: TableSchema) => Destination;
  readonly letters: HeldLetters;
}

export interface Writing {
  readonly lane: Pick<Lane, 'name' | 'kind'>;
  readonly draft: HeldDraft;
  readonly signal: AbortSignal;
}

/**
 * Writes one batch. On a replica set every row is written in a transaction that also proves that the lane is still this process's (G8): a
 * small batch is one transaction together with its checkpoint; a large one, and parts without a checkpoint, are several, and the checkpoint comes
 * with the last (G1; in between readers see a part of a large source transaction). On a standalone server the lane is claimed, the
 * rows are written, then the checkpoint: a process that was overtaken between its claim and its rows can overwrite newer rows.
 * Truncates, which can be too large for one, and schema changes are no part of the batch's transactions: each is noted in the lane once it is done, so that a batch that comes again
 * goes on behind it.
 */
export class BatchWriter {
  readonly #connection: Connection;
  readonly #checkpoints: Checkpoints;
  readonly #fences: Fences;
  readonly #destination: Shared['destination'];
  readonly #letters: HeldLetters;
  readonly #of: Writing['lane'];
  readonly #lane: string;
  readonly #draft: HeldDraft;
  readonly #signal: AbortSignal;
  readonly #changed = new Counts();

  constructor({ connection, checkpoints, fences, destination, letters }: Shared, { lane, draft, signal }: Writing) {
    this.#connection = connection;
    this.#checkpoints = checkpoints;
    this.#fences = fences;
    this.#destination = destination;
    this.#letters = letters;
    this.#of = lane;
    this.#lane = lane.name;
    this.#draft = draft;
    this.#signal = signal;
  }

  /** Gives the values that policies changed. Errors: RowsRefused with nothing of the last transaction written. */
  async write(batch: Batch): Promise<Counts> {
    const { checkpoint, bytes } = batch;
    const all = stepsOf(batch, this.#destination);
    // A copy's truncate belongs to the rows that come with it, and so is done again with them.
    const steps = this.#of.kind === 'copy' ? all : this.#ahead(all);
    if (steps.length > 0) await this.#takeOver();
    if (checkpoint !== null && (await this.#atOnce(steps, bytes, checkpoint))) return this.#changed;
    const last = await this.#applyBut(steps, bytes, checkpoint !== null);
    if (checkpoint !== null) await this.#finish(last, checkpoint);
    else if (this.#draft.touched) await this.#finishPart();
    return this.#changed;
  }

  /**
   * Before the first rows: what another process has left of the lane is committed before this or not at all (G8). The lane comes first, for then that process
   * begins nothing new. Both in transactions, which do not wait for others.
   */
  async #takeOver(): Promise<void> {
    if (!this.#connection.transactions) return;
    if (this.#checkpoints.isHeld(this.#lane) && this.#fences.isRaised(this.#of)) return;
    const { client } = this.#connection;
    const move = this.#checkpoints.hold(this.#lane);
    const claim = async (session: ClientSession): Promise<void> => await this.#checkpoints.write(move, session);
    await takeOver(client, claim, this.#signal);
    this.#checkpoints.moved(move);
    await this.#fences.raise(this.#of, async (take) => {
      await takeOver(client, take, this.#signal);
    });
  }

  /** Without what the lane has done of them already: up to the last truncate or schema change that it noted. */
  #ahead(steps: readonly Step[]): readonly Step[] {
    const done = this.#checkpoints.step(this.#lane);
    return done === null ? steps : steps.slice(steps.findLastIndex((step) => stepName(step) === done) + 1);
  }

  /** Does all steps in one transaction where cascades are among them, they are few and set nothing aside; false where they are not. */
  async #atOnce(steps: readonly Step[], bytes: number, checkpoint: Checkpoint): Promise<boolean> {
    if (!this.#connection.transactions || this.#draft.touched || !isSmall(steps, bytes)) return false;
    const move = this.#checkpoints.move(this.#lane, checkpoint);
    try {
      await this.#inTransaction(async (session, counts) => {
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
  async #cascade(change: Cascade): Promise<void> {
    const { transactions } = this.#connection;
    await this.#take();
    const writes = await expand(change, this.#destination, null);
    for (let at = 0; at < writes.length; at += cascadesAtOnce) {
      const some: readonly CascadeWrite[] = writes.slice(at, at + cascadesAtOnce);
      this.#signal.throwIfAborted();
      if (transactions) await this.#inOwnTransaction(async (session) => await writeCascade(session, some));
      else await writeCascade(null, some);
    }
  }

  /** Applies the steps, but leaves the last chunk for the checkpoint's transaction where there is one to come. */
  async #applyBut(steps: readonly Step[], bytes: number, keep: boolean): Promise<Chunk | null> {
    for (const [index, step] of steps.entries()) {
      this.#signal.throwIfAborted();
      if (step.kind === 'rows') {
        const chunks = chunksOf(step.segment, bytes);
        const last = keep && index === steps.length - 1 ? chunks.pop() : undefined;
        await this.#writeChunks(chunks);
        if (last !== undefined) return last;
        continue;
      }
      if (step.kind === 'cascade') {
        await this.#cascade(step.change);
        continue;
      }
      await this.#checkpoints.claim(this.#lane);
      if (step.kind === 'truncate') await this.#truncate(this.#destination(step.change.table).collection);
      else await applySchemaChange(this.#connection, step.change);
      await this.#checkpoints.claim(this.#lane, stepName(step));
    }
    return null;
  }

  /**
   * In transactions that prove that the lane is ours, and that see the documents of their beginning only: what a process that was killed still has
   * running must not delete what its successor writes.
   */
  async #truncate(collection: Collection): Promise<void> {
    if (!this.#connection.transactions) return await truncate(collection);
    for (;;) {
      let deleted = 0;
      await this.#inOwnTransaction(async (session) => {
        deleted = await truncateSome(collection, session);
      });
      if (deleted === 0) return;
    }
  }

  async #writeChunks(chunks: readonly Chunk[]): Promise<void> {
    if (chunks.length === 0) return;
    await this.#take();
    const waiting = chunks.filter(({ unkeyed }) => unkeyed.length === 0);
    const refused: RefusedWrite[] = [];
    const work = async (): Promise<void> => {
      for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
        this.#signal.throwIfAborted();
        refused.push(...(await this.#refusedOf(chunk)));
      }
    };
    const writers = await Promise.allSettled(Array.from({ length: inFlight }, work));
    for (const writer of writers) if (writer.status === 'rejected') throw writer.reason;
    if (refused.length > 0) throw new RowsRefused(refused);
    for (const chunk of chunks) if (chunk.unkeyed.length > 0) await this.#writeChunk(chunk);
  }

  /**
   * Writes a chunk and gives what was refused of it. Without that the rest is tried, to find all that is refused; but no deletes, for one may belong
   * to a change of a key whose new row is among the refused.
   */
  async #refusedOf(chunk: Chunk): Promise<readonly RefusedWrite[]> {
    const refused: RefusedWrite[] = [];
    for (let { keyed } = chunk; ;) {
      try {
        await this.#writeChunk({ keyed, unkeyed: [] });
        return refused;
      } catch (error) {
        if (!(error instanceof RowsRefused) || !this.#draft.sets) throw error;
        refused.push(...error.refused);
        const known = new Set(refused.map(({ write }) => write));
        keyed = keyed.filter((write) => write.fate !== 'delete' && !known.has(write));
      }
    }
  }

  /** Makes sure that a transaction can prove that the lane is ours. */
  async #take(): Promise<void> {
    if (!this.#connection.transactions || !this.#checkpoints.isHeld(this.#lane))
      await this.#checkpoints.claim(this.#lane);
  }

  #writeChunk(chunk: Chunk): Promise<void> {
    if (!this.#connection.transactions) return writeOutside(chunk, this.#changed);
    return optimistic(chunk, (expect) =>
      this.#inOwnTransaction(async (session, counts) => await writeInside(session, chunk, expect, counts)),
    );
  }

  /** On a standalone server the letters come before the checkpoint: after a crash between the two they are written once more. */
  async #finish(last: Chunk | null, checkpoint: Checkpoint): Promise<void> {
    if (!this.#connection.transactions && last !== null) await this.#writeChunks([last]);
    const move = this.#checkpoints.move(this.#lane, checkpoint);
    await this.#letters.move(this.#draft, async (writeLetters) => {
      if (!this.#connection.transactions) {
        await writeLetters(null);
        await this.#checkpoints.write(move, null);
      } else if (last === null) await this.#commit(move, null, 'any', writeLetters);
      else await optimistic(last, (expect) => this.#commit(move, last, expect, writeLetters));
    });
    this.#checkpoints.moved(move);
  }

  /** What a part of a large transaction sets aside is kept at once, as its rows are; a part that comes again adds the same again. */
  async #finishPart(): Promise<void> {
    await this.#take();
    await this.#letters.move(this.#draft, async (writeLetters) => {
      if (!this.#connection.transactions) return await writeLetters(null);
      await this.#inTransaction(async (session) => {
        await this.#checkpoints.verify(this.#lane, session);
        await writeLetters(session);
      });
    });
  }

  /** The checkpoint goes first: who lost the lane waits for nothing else. */
  #commit(
    move: Move,
    chunk: Chunk | null,
    expect: Expect,
    writeLetters: (session: ClientSession) => Promise<void>,
  ): Promise<void> {
    return this.#fences.with(this.#of, async (hold) => {
      await this.#inTransaction(async (session, counts) => {
        await this.#checkpoints.write(move, session);
        if (chunk !== null) {
          await hold(session);
          await writeInside(session, chunk, expect, counts);
        }
        await writeLetters(session);
      });
    });
  }

  /** For rows without their checkpoint. Errors: CHECKPOINT_MOVED where the lane is not this process's any more. */
  #inOwnTransaction(work: (session: ClientSession, counts: Counts) => Promise<void>): Promise<void> {
    return this.#fences.with(this.#of, async (hold) => {
      await this.#inTransaction(async (session, counts) => {
        await this.#checkpoints.verify(this.#lane, session);
        await hold(session);
        await work(session, counts);
      });
    });
  }

  /** Counts the values that policies changed in the one attempt that succeeds. */
  async #inTransaction(work: (session: ClientSession, counts: Counts) => Promise<void>): Promise<void> {
    let counts = new Counts();
    const attempt = async (session: ClientSession): Promise<void> => {
      counts = new Counts();
      await work(session, counts);
    };
    await inTransaction(this.#connection.client, attempt, this.#signal);
    this.#changed.addAll(counts.take());
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
