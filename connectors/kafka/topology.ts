import type { Cluster, TopicPlace } from '../../codec/kafka/cluster.ts';
import { checkpointTopic, deadLetterTopic, schemaTopic } from '../../codec/kafka/names.ts';

/** The topics to read, as of the last look: those of tables, by prefix. */
export class Topology {
  readonly #cluster: Cluster;
  readonly #prefix: string;
  #topics: ReadonlyMap<string, readonly number[]> = new Map();

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

  /** Looks again; true when a topic or a partition has come or gone. */
  async look(signal: AbortSignal): Promise<boolean> {
    const places = (await this.#cluster.topics(null, signal)).filter((place) => this.#isOurs(place));
    const before = this.#topics;
    this.#topics = new Map(places.map(({ topic, leaders }) => [topic, leaders]));
    return (
      before.size !== this.#topics.size ||
      places.some(({ topic, leaders }) => before.get(topic)?.length !== leaders.length)
    );
  }

  #isOurs({ topic }: TopicPlace): boolean {
    const others = [checkpointTopic, deadLetterTopic, schemaTopic].map((topicOf) => topicOf(this.#prefix));
    return topic.startsWith(`${this.#prefix}.`) && !others.includes(topic);
  }
}
