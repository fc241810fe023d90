import type { Batch, Checkpoint, Lane, Target } from '../../core/contracts.ts';
import type { Progress } from '../../core/progress.ts';
import type { TableSchema } from '../../core/table.ts';
import { checkpointTopic } from '../../codec/kafka/names.ts';
import type { CheckpointRecord } from './checkpoints.ts';
import { writeBeside } from './ownership.ts';
import type { Publisher, Destination } from './publisher.ts';
import { Publishing, type PublishingParts } from './publishing.ts';

const PREPARED_SIDE_BY_SIDE = 8;
const CLOSE_MS = 2000;
const noneChanged: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map();

/**
 * Publishes to Kafka. Rows, dead letters and checkpoint of a batch are one Kafka transaction (G1); a lane has a transactional id of its own. The
 * first write makes this process the owner of the pipeline (G8); reading checkpoints does not.
 */
export class KafkaTarget implements Target {
  readonly #parts: PublishingParts;
  readonly #publishing: Publishing;
  readonly #progress: Progress;

  constructor(parts: PublishingParts, progress: Progress) {
    this.#parts = parts;
    this.#publishing = new Publishing(parts, 'publisher');
    this.#progress = progress;
  }

  async load(prefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const { log, owning } = this.#publishing;
    return await this.#publishing.guarded('cannot read the checkpoints', signal, async () => {
      await owning;
      await log.catchUp(this.#parts.cluster, signal);
      return log.entries(prefix);
    });
  }

  async prepare(tables: readonly TableSchema[], signal: AbortSignal): Promise<void> {
    await this.#publishing.guarded('cannot prepare the topics', signal, async () => {
      await this.#publishing.own(signal);
      const waiting = [...tables];
      const work = async (): Promise<void> => {
        for (let table = waiting.shift(); table !== undefined; table = waiting.shift()) {
          await this.#publishing.tables.open(table, signal);
        }
      };
      await Promise.all(Array.from({ length: PREPARED_SIDE_BY_SIDE }, work));
    });
  }

  async apply(lane: Pick<Lane, 'name' | 'kind'>, batch: Batch, signal: AbortSignal): Promise<void> {
    const doing = `cannot publish lane ${lane.name} of ${this.#parts.pipeline}`;
    await this.#publishing.guarded(doing, signal, async () => {
      const { checkpoints } = await this.#publishing.own(signal);
      const { transaction, publisher, encoder, letters } = await this.#publishing.lane(lane.name, signal);
      await encoder.publish(batch.changes, letters.draft, signal);
      await letters.write(publisher, signal);
      if (batch.checkpoint === null) await publisher.settle(signal);
      else {
        const records = await this.#appendCheckpoint(publisher, checkpoints, batch.checkpoint, signal);
        await publisher.settle(signal);
        await transaction.end('commit', signal);
        this.#publishing.log.moved(records);
        letters.committed();
      }
      this.#progress.made({ setAside: letters.draft.takeCounts(), changed: noneChanged });
    });
  }

  /** Does not make this process the owner. */
  async note(name: string, token: string, signal: AbortSignal): Promise<void> {
    const { cluster, pipeline } = this.#parts;
    const topic = checkpointTopic(pipeline);
    await this.#publishing.guarded('cannot write a request', signal, async () => {
      const [place] = await cluster.topics([topic], signal);
      await writeBeside({ cluster, pipeline, topic, leader: place?.leaders[0] ?? -1 }, name, token, signal);
    });
  }

  /** Gives up what is not committed. */
  async close(): Promise<void> {
    await this.#publishing.abort(AbortSignal.timeout(CLOSE_MS));
    await Promise.all([this.#parts.cluster.close(), this.#parts.registry.close()]);
  }

  async #appendCheckpoint(
    publisher: Publisher,
    to: Destination,
    checkpoint: Checkpoint,
    signal: AbortSignal,
  ): Promise<readonly CheckpointRecord[]> {
    const records = this.#publishing.log.records(checkpoint);
    for (const { key, value } of records)
      await publisher.put(to, key, value === null ? null : Buffer.from(value), signal);
    return records;
  }
}
