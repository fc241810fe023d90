import { sleep } from '../../core/signals.ts';
import type { Cluster, TopicPlace } from './cluster.ts';
import { isPassing, KafkaProtocolError, throwIfError } from './errors.ts';
import { partitionOffsets } from './log.ts';
import { Writer, type Api } from './protocol.ts';

const api = {
  createTopics: { key: 19, version: 4, name: 'CreateTopics' },
  describeConfigs: { key: 32, version: 2, name: 'DescribeConfigs' },
} as const satisfies Record<string, Api>;

const TOPIC_ALREADY_EXISTS = 36;
const NOT_CONTROLLER = 41;
const TOPIC = 2;

export interface NewTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** The default replication factor: three copies, or as many as there are brokers. */
export function defaultReplication(cluster: Cluster): number {
  return Math.min(3, Math.max(1, cluster.nodes.length));
}

/**
 * Creates a topic unless it exists and waits until every partition has a leader. Throws the broker's refusal.
 *   CreateTopics v4 => [topic partitions replication [assignment] [name value?]] timeout validate_only
 */
export async function createTopic(cluster: Cluster, topic: NewTopic, signal: AbortSignal): Promise<TopicPlace> {
  let refusal: unknown = new KafkaProtocolError(NOT_CONTROLLER);
  for (const node of cluster.nodes) {
    try {
      await createAt(cluster, node, topic, signal);
      return await ledTopic(cluster, topic.topic, signal);
    } catch (error) {
      // Before KRaft only the controller creates topics; any broker may just have gone.
      if (!isPassing(error)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

async function createAt(cluster: Cluster, node: number, topic: NewTopic, signal: AbortSignal): Promise<void> {
  const request = new Writer().int32(1).string(topic.topic).int32(topic.partitions).int16(topic.replicationFactor);
  request.int32(0).array(Object.entries(topic.settings), ([name, value]) => request.string(name).string(value));
  request.int32(30_000).int8(0);
  const answer = await cluster.call(node, api.createTopics, request, signal);
  // => throttle [topic error message?]
  answer.int32();
  const [error = 0] = answer.array(() => {
    answer.string();
    const code = answer.int16();
    answer.string();
    return code;
  });
  if (error !== TOPIC_ALREADY_EXISTS) throwIfError(error);
}

/** The metadata names a leader some milliseconds before that broker knows that it leads: ask it. */
async function ledTopic(cluster: Cluster, topic: string, signal: AbortSignal): Promise<TopicPlace> {
  for (;;) {
    const [place] = await cluster.topics([topic], signal);
    if (place !== undefined && (await areLed(cluster, place, signal))) return place;
    await sleep(20, signal);
  }
}

async function areLed(cluster: Cluster, { topic, leaders }: TopicPlace, signal: AbortSignal): Promise<boolean> {
  if (leaders.some((leader) => leader < 0)) return false;
  try {
    await partitionOffsets(cluster, topic, leaders, 'end', signal);
    return true;
  } catch (error) {
    if (!isPassing(error)) throw error;
    return false;
  }
}

/**
 * The effective settings of a topic.
 *   DescribeConfigs v2 => [type name [setting]?] synonyms
 */
export async function topicSettings(
  cluster: Cluster,
  topic: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const node = await cluster.anyNode(signal);
  const request = new Writer().int32(1).int8(TOPIC).string(topic).int32(-1).int8(0);
  const answer = await cluster.call(node, api.describeConfigs, request, signal);
  // => throttle [error message? type name [name value? read_only source sensitive [name value? source]]]
  const settings = new Map<string, string>();
  answer.int32();
  answer.array(() => {
    throwIfError(answer.int16());
    answer.string();
    answer.int8();
    answer.string();
    answer.array(() => {
      settings.set(answer.text(), answer.text());
      answer.skip(3);
      answer.array(() => void (answer.string(), answer.string(), answer.int8()));
    });
  });
  return settings;
}
