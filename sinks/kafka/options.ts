import type { TargetOptions } from '../../core/plugin.ts';
import type { Compression } from '../../codec/kafka/compression.ts';
import type { ClusterOptions } from '../../codec/kafka/cluster.ts';
import type { RegistryStoreOptions } from '../../codec/kafka/registry-store.ts';
import type { Level } from '../../codec/registry/levels.ts';
import type { Registry } from '../../codec/registry/registry.ts';

export interface KafkaTargetOptions extends TargetOptions, Pick<ClusterOptions, 'tls' | 'sasl'> {
  /** `host:port`, some of the brokers. */
  readonly brokers: readonly string[];
  /** A schema registry that the caller opened and closes, the URL of one, or null for the built-in one. */
  readonly registry: Registry | string | null;
  /** The compatibility that each subject is given; null or left out: the one that the registry has. */
  readonly compatibility?: Level | null;
  /** Of a table's topic that is created. Default 4. */
  readonly partitions?: number;
  /** Of a topic that is created; null or left out: 3, or the number of brokers if smaller. */
  readonly replicationFactor?: number | null;
  /** Of the records that are published. Default none. */
  readonly compression?: Compression;
}

export const DEFAULT_PARTITIONS = 4;
export const DEFAULT_COMPRESSION = 'none';

export function clusterOptions(options: KafkaTargetOptions): ClusterOptions {
  const { brokers, tls, sasl } = options;
  return {
    brokers,
    clientId: `lockstep-${options.pipeline}`,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

/** Of the built-in registry. */
export function registryOptions(options: KafkaTargetOptions): RegistryStoreOptions {
  const { pipeline, replicationFactor = null } = options;
  return { ...clusterOptions(options), pipeline, replicationFactor };
}
