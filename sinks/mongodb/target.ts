import type { Batch, Change, Lane, Target } from '../../core/contracts.ts';
import { type LockstepError, toLockstepError } from '../../core/errors.ts';
import { keyName } from '../../core/dead-letter.ts';
import type { TargetOptions } from '../../core/plugin.ts';
import type { Progress } from '../../core/progress.ts';
import { untilAborted } from '../../core/signals.ts';
import type { IndexedTable, LostIndex } from '../../core/secondary-index.ts';
import type { TableSchema } from '../../core/table.ts';
import { endAbandoned } from './abandoned.ts';
import { BatchWriter, type Shared } from './batch-writer.ts';
import { Checkpoints, collectionName } from './checkpoints.ts';
import { connect, type Connection } from './connect.ts';
import { type Destination, destinations } from './destination.ts';
import { Fences } from './fences.ts';
import { targetError } from './errors.ts';
import { HeldLetters } from './held-letters.ts';
import { letterCollections, StoredLetters } from './letters.ts';
import { keyOfWrite, RowsRefused } from './refused.ts';
import { makeIndexes } from './make-indexes.ts';
import { checkNames } from './names.ts';
import { createCollection, createCollections } from './schema.ts';

/** On a connection that works, several times what the largest transaction takes. */
const endWithinMs = 2_000;

/** Connects. Errors: TARGET_UNREACHABLE, TARGET_HOST_UNKNOWN, TARGET_AUTH, CONFIG_INVALID. */
export async function openTarget(options: TargetOptions): Promise<Target> {
  const connection = await connect(options);
  if (connection.transactions) await endAbandoned(connection.client);
  const checkpoints = new Checkpoints(connection.metadata, options.pipeline, options.target);
  return new MongoTarget(connection, checkpoints, options);
}

/** Rows as documents; what `BatchWriter` refuses of a batch is set aside, and the rest written. */
class MongoTarget implements Target {
  readonly #shared: Shared;
  readonly #progress: Progress;
  readonly #writing = new Set<Promise<void>>();

  constructor(connection: Connection, checkpoints: Checkpoints, options: TargetOptions) {
    const stored = new StoredLetters(connection.metadata, options);
    this.#shared = {
      connection,
      checkpoints,
      fences: new Fences(connection.metadata, options),
      destination: destinations(connection, options.values),
      letters: new HeldLetters(stored, options.deadLetterLimit ?? 0),
    };
    this.#progress = options.progress;
  }

  prepare(tables: readonly TableSchema[], signal: AbortSignal): Promise<void> {
    return this.#run(
      () => 'preparing',
      signal,
      async () => {
        checkNames(this.#shared.connection, tables);
        for (const name of [collectionName, ...letterCollections])
          await createCollection(this.#shared.connection.metadata, name);
        const { client } = this.#shared.connection;
        const places = tables.map((table) => this.#shared.destination(table).collection);
        for (const [database, ofIt] of Map.groupBy(places, ({ dbName }) => dbName)) {
          const names = ofIt.map(({ collectionName }) => collectionName);
          await createCollections(client.db(database), names, signal);
        }
      },
    );
  }

  load(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    return this.#run(
      () => 'reading checkpoints',
      signal,
      async () => {
        await this.#shared.letters.refresh();
        return await this.#shared.checkpoints.load(prefix);
      },
    );
  }

  apply(lane: Pick<Lane, 'name' | 'kind'>, batch: Batch, signal: AbortSignal): Promise<void> {
    const doing = (): string => `writing ${placesOf(batch, this.#shared.destination)}`;
    return this.#run(doing, signal, async () => {
      const writing = this.#write(lane, batch, signal, doing);
      this.#writing.add(writing);
      await writing.finally(() => this.#writing.delete(writing));
    });
  }

  async #write(
    lane: Pick<Lane, 'name' | 'kind'>,
    batch: Batch,
    signal: AbortSignal,
    doing: () => string,
  ): Promise<void> {
    const refused = new Map<string, LockstepError>();
    for (;;) {
      const draft = await this.#shared.letters.draft();
      try {
        const changes = draft.sift(batch.changes, refused);
        const made = await new BatchWriter(this.#shared, { lane, draft, signal }).write({ ...batch, changes });
        this.#progress.made({ setAside: draft.takeCounts(), changed: made.take() });
        return;
      } catch (error) {
        if (!(error instanceof RowsRefused)) throw error;
        if (!draft.sets || !this.#learn(refused, error, doing())) throw error.cause;
      }
    }
  }

  createIndexes(wanted: IndexedTable, onMade: () => void, signal: AbortSignal): Promise<readonly LostIndex[]> {
    return this.#run(
      () => `making indexes of ${wanted.table.name}`,
      signal,
      async () => await makeIndexes(this.#shared.connection, wanted, onMade, signal),
    );
  }

  /** Takes note of the keys whose rows were refused; false where none is new. */
  #learn(known: Map<string, LockstepError>, { refused }: RowsRefused, doing: string): boolean {
    const before = known.size;
    for (const { write, error } of refused) {
      const { origin, key } = keyOfWrite(write);
      known.set(
        keyName(origin, key),
        toLockstepError(targetError(error, { server: this.#shared.connection.server, doing })),
      );
    }
    return known.size > before;
  }

  /** A transaction that is cut off between its statements may stay open in the server, and keep its successor waiting: what is under way ends first. */
  async close(): Promise<void> {
    const ended = Promise.allSettled(this.#writing);
    await untilAborted(AbortSignal.timeout(endWithinMs), ended).catch(() => undefined);
    await this.#shared.connection.client.close();
  }

  async #run<T>(doing: () => string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await untilAborted(signal, work());
    } catch (error) {
      throw signal.aborted ? error : targetError(error, { server: this.#shared.connection.server, doing: doing() });
    }
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
