import type { TargetPlugin } from '../../core/plugin.ts';
import { openCluster } from '../../codec/kafka/cluster.ts';
import { openRegistry } from '../../codec/kafka/open-registry.ts';
import { withLevel } from '../../codec/registry/levelled.ts';
import { checkKafka, failedCheck } from './check.ts';
import { KafkaDeadLetters } from './dead-letters.ts';
import {
  clusterOptions,
  DEFAULT_COMPRESSION,
  DEFAULT_PARTITIONS,
  registryOptions,
  type KafkaTargetOptions,
} from './options.ts';
import { foreseeMessages } from './foresee.ts';
import { planTables } from './plan.ts';
import type { PublishingParts } from './publishing.ts';
import { KafkaTarget } from './target.ts';

export type { KafkaTargetOptions } from './options.ts';

/** Kafka as a target: one topic per table, Avro in Debezium's envelope, exactly once. */
export const kafka: TargetPlugin<KafkaTargetOptions> = {
  open: async (options) => new KafkaTarget(await openParts(options), options.progress),
  deadLetters: async (options) => new KafkaDeadLetters(await openParts(options)),

  async check(options, signal) {
    const cluster = await openCluster(clusterOptions(options), signal).catch((error: unknown) => {
      signal.throwIfAborted();
      return failedCheck('kafka brokers', error);
    });
    if ('outcome' in cluster) return [cluster];
    try {
      return await checkKafka(cluster, options, signal);
    } finally {
      await cluster.close();
    }
  },

  foresee: (options, changes) => Promise.resolve(foreseeMessages(options, changes)),

  async plan(options, tables, signal) {
    const cluster = await openCluster(clusterOptions(options), signal);
    try {
      return await planTables(
        cluster,
        options,
        tables.map(({ table }) => table),
        signal,
      );
    } finally {
      await cluster.close();
    }
  },
};

async function openParts(options: KafkaTargetOptions): Promise<PublishingParts> {
  const signal = new AbortController().signal;
  const cluster = await openCluster(clusterOptions(options), signal);
  try {
    const replicationFactor = options.replicationFactor ?? null;
    const opened = await openRegistry(options.registry, registryOptions(options), signal);
    const level = options.compatibility ?? null;
    const registry = level === null ? opened : { ...opened, registry: withLevel(opened.registry, level) };
    const {
      pipeline,
      partitions = DEFAULT_PARTITIONS,
      compression = DEFAULT_COMPRESSION,
      deadLetterLimit = 0,
    } = options;
    return { cluster, registry, pipeline, partitions, replicationFactor, compression, deadLetterLimit };
  } catch (error) {
    await cluster.close();
    throw error;
  }
}
