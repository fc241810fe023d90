import { randomUUID } from 'node:crypto';
import { toLockstepError } from '../../core/errors.ts';
import type { Check } from '../../core/plugin.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { kafkaError } from '../../codec/kafka/errors.ts';
import { markerSubject } from '../../codec/kafka/names.ts';
import { openRegistry } from '../../codec/kafka/open-registry.ts';
import { registryOptions, type KafkaTargetOptions } from './options.ts';
import { takeOver, transactionalIds } from './transaction.ts';

const LIST_TRANSACTIONS = 66;

/** What `doctor` asks of Kafka and the registry before anything is published. Leaves nothing behind but an unused transactional id. */
export async function checkKafka(
  cluster: Cluster,
  options: KafkaTargetOptions,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const { nodes } = cluster;
  const checks: Check[] = [
    pass(
      'kafka brokers',
      `${nodes.length} ${nodes.length === 1 ? 'broker' : 'brokers'} at ${options.brokers.join(', ')}`,
    ),
  ];
  checks.push(await versionCheck(cluster, nodes[0] ?? -1));
  checks.push(replicationCheck(options, nodes.length));
  const transactions = {
    name: 'kafka transactions',
    success: 'a transactional producer works',
    failure: 'cannot use transactions',
  };
  checks.push(
    await attempt(transactions, signal, async () => {
      await transactionalIds(cluster, `${options.pipeline}/`, signal);
      await takeOver(cluster, `${options.pipeline}.doctor-${randomUUID()}`, signal);
    }),
  );
  const topics = { name: 'kafka topics', success: 'topics can be listed', failure: 'cannot list the topics' };
  checks.push(await attempt(topics, signal, async () => void (await cluster.topics(null, signal))));
  const registry = {
    name: 'schema registry',
    success: 'the schema registry answers',
    failure: 'cannot use the schema registry',
  };
  checks.push(
    await attempt(registry, signal, async () => {
      const opened = await openRegistry(options.registry, registryOptions(options), signal);
      try {
        await opened.registry.latest(markerSubject(options.pipeline), signal);
      } finally {
        await opened.close();
      }
    }),
  );
  return checks;
}

/** A failed check out of an error, with the error's own fix. */
export function failedCheck(name: string, error: unknown): Check {
  const { message, fix } = toLockstepError(error);
  return { name, outcome: 'fail', detail: message, fix: fix === '' ? null : fix };
}

function pass(name: string, detail: string): Check {
  return { name, outcome: 'pass', detail, fix: null };
}

async function versionCheck(cluster: Cluster, node: number): Promise<Check> {
  const name = 'kafka version';
  if ((await cluster.versions(node, LIST_TRANSACTIONS)) !== null) return pass(name, '3.0 or newer');
  return { name, outcome: 'fail', detail: 'older than 3.0', fix: 'use brokers of Kafka 3.0 or newer' };
}

function replicationCheck({ replicationFactor }: KafkaTargetOptions, brokers: number): Check {
  const name = 'kafka replication';
  const wanted = replicationFactor ?? Math.min(3, brokers);
  if (wanted > brokers) {
    const detail = `${wanted} copies are asked for, and there ${brokers === 1 ? 'is 1 broker' : `are ${brokers} brokers`}`;
    return { name, outcome: 'fail', detail, fix: `set via.replication to ${brokers} or add brokers` };
  }
  if (wanted > 1) return pass(name, `${wanted} copies`);
  const fix = 'for production use three brokers';
  return { name, outcome: 'warn', detail: 'one copy: a broker that is lost takes its messages along', fix };
}

async function attempt(
  what: { readonly name: string; readonly success: string; readonly failure: string },
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<Check> {
  try {
    await work();
    return pass(what.name, what.success);
  } catch (error) {
    signal.throwIfAborted();
    return failedCheck(what.name, kafkaError(error, what.failure));
  }
}
