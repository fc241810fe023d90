import { toLockstepError } from '../../core/errors.ts';
import type { Check, SourceOptions, SourcePlugin } from '../../core/plugin.ts';
import { openCluster, type ClusterOptions } from '../../codec/kafka/cluster.ts';
import { kafkaError } from '../../codec/kafka/errors.ts';
import { consumerGroup } from '../../codec/kafka/names.ts';
import { openRegistry } from '../../codec/kafka/open-registry.ts';
import type { Registry } from '../../codec/registry/registry.ts';
import { takeInstance } from './instance.ts';
import { describe } from './lane-names.ts';
import { KafkaSource } from './source.ts';
import { Topology } from './topology.ts';

export interface KafkaSourceOptions extends SourceOptions, Pick<ClusterOptions, 'tls' | 'sasl'> {
  /** `host:port`, some of the brokers. */
  readonly brokers: readonly string[];
  /** A schema registry that the caller opened and closes, the URL of one, or null for the built-in one. */
  readonly registry: Registry | string | null;
  /**
   * The prefix of the topics, `{prefix}.{database}.{table}`: the pipeline's name where left out, Debezium's `topic.prefix` for topics
   * that Debezium wrote in Avro. Which of the tables are wanted is for transforms to say; `tables` is not looked at.
   */
  readonly topics?: string;
  /** A process not heard of for so long loses its partitions. Default 10,000 ms. */
  readonly sessionMs?: number;
}

const SESSION_MS = 10_000;
const REBALANCE_MS = 60_000;
const MEMORY_BYTES = 64 * 1024 * 1024;

/** Kafka as a source: every partition of a table's topic is a lane, shared among processes by a consumer group. */
export const kafka: SourcePlugin<KafkaSourceOptions> = {
  async open(options) {
    const signal = new AbortController().signal;
    const cluster = await openCluster(clusterOptions(options), signal);
    const groupCluster = await openCluster(clusterOptions(options), signal);
    try {
      const registry = await openRegistry(
        options.registry,
        { ...clusterOptions(options), pipeline: options.pipeline, replicationFactor: null },
        signal,
      );
      const sessionMs = options.sessionMs ?? SESSION_MS;
      const group = consumerGroup(options.pipeline, options.target);
      return new KafkaSource({
        cluster,
        groupCluster,
        registry,
        prefix: options.topics ?? options.pipeline,
        group: {
          group,
          instance: await takeInstance(options.brokers, group),
          sessionMs,
          rebalanceMs: REBALANCE_MS,
          heartbeatMs: Math.min(1000, sessionMs / 4),
        },
        until: options.until,
        progress: options.progress,
        memoryBytes: options.memoryBytes ?? MEMORY_BYTES,
      });
    } catch (error) {
      await Promise.all([cluster.close(), groupCluster.close()]);
      throw error;
    }
  },

  async check(options, signal) {
    try {
      const cluster = await openCluster(clusterOptions(options), signal);
      try {
        return [await topicsCheck(new Topology(cluster, options.topics ?? options.pipeline), signal)];
      } finally {
        await cluster.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      const { message, fix } = toLockstepError(kafkaError(error, 'cannot list the topics'));
      return [{ name: 'kafka topics', outcome: 'fail', detail: message, fix: fix === '' ? null : fix }];
    }
  },

  describe,
};

async function topicsCheck(topology: Topology, signal: AbortSignal): Promise<Check> {
  await topology.look(signal);
  const count = topology.topics.size;
  const name = 'kafka topics';
  if (count > 0) return { name, outcome: 'pass', detail: `${count} topics of tables`, fix: null };
  const fix = 'they appear when the source is published; start with --only source';
  return { name, outcome: 'warn', detail: 'no topics of tables yet', fix };
}

function clusterOptions(options: KafkaSourceOptions): ClusterOptions {
  const { brokers, tls, sasl } = options;
  return {
    brokers,
    clientId: `lockstep-${options.pipeline}-${options.target}`,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}
