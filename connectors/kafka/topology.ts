import { sleep } from '../../core/signals.ts';
import type { Cluster, TopicPlace } from '../../codec/kafka/cluster.ts';
import { isPassing, kafkaError } from '../../codec/kafka/errors.ts';
import { checkpointTopic, deadLetterTopic, schemaTopic } from '../../codec/kafka/names.ts';

const PATIENCE_MS = 15_000;
const RETRY_MS = 100;

/** The topics to read, as of the last look: those of tables, by prefix. */
export class Topology {
  readonly #cluster: Cluster;
  readonly #prefix: string;
  #topics: ReadonlyMap<string, readonly number[]> = new Map();
  #looked: (changed: boolean) => void = () => undefined;

  /** `prefix` is the pipeline's name, or that of the connector that wrote them: the topics are `{prefix}.{database}.{table}`. */
  constructor(cluster: Cluster, prefix: string) {
    this.#cluster = cluster;
    this.#prefix = prefix;
  }

  /** The leader's node id per partition. */
  get topics(): ReadonlyMap<string, readonly number[]> {
    return this.#topics;
  }

  leader(topic: string, partition: number): number {
    return this.#topics.get(topic)?.[partition] ?? -1;
  }

  /** `looked` is called after each look; `changed` says that a topic or a partition has come or gone. */
  listen(looked: (changed: boolean) => void): void {
    this.#looked = looked;
  }

  async look(signal: AbortSignal): Promise<void> {
    const places = (await this.#cluster.topics(null, signal)).filter((place) => this.#isOurs(place));
    const before = this.#topics;
    this.#topics = new Map(places.map(({ topic, leaders }) => [topic, leaders]));
    const changed =
      before.size !== this.#topics.size ||
      places.some(({ topic, leaders }) => before.get(topic)?.length !== leaders.length);
    this.#looked(changed);
  }

  /**
   * Asks leaders, and again after another look while they move, or do not know yet that they lead: the metadata names the leader of a new
   * topic some milliseconds before. `doing` says what fails when it has failed for 15 s: `cannot read`.
   */
  async askLeaders<T>(doing: string, ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let failingSinceMs: number | null = null; ;) {
      try {
        return await ask();
      } catch (error) {
        signal.throwIfAborted();
        failingSinceMs ??= Date.now();
        if (!isPassing(error) || Date.now() - failingSinceMs > PATIENCE_MS) throw kafkaError(error, doing);
      }
      await sleep(RETRY_MS, signal);
      await this.#lookAgain(signal);
    }
  }

  async #lookAgain(signal: AbortSignal): Promise<void> {
    try {
      await this.#cluster.refresh(signal);
      await this.look(signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw kafkaError(error, 'cannot find the partitions');
    }
  }

  #isOurs({ topic }: TopicPlace): boolean {
    const others = [checkpointTopic, deadLetterTopic, schemaTopic].map((topicOf) => topicOf(this.#prefix));
    return topic.startsWith(`${this.#prefix}.`) && !others.includes(topic);
  }
}
