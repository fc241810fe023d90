import { createHash } from 'node:crypto';
import type { TableSchema } from '../../core/table.ts';

/** The names of everything that one pipeline keeps in Kafka. */

/** Checkpoints of the publisher: compacted, one partition. */
export function checkpointTopic(pipeline: string): string {
  return `${pipeline}.checkpoints`;
}

/** Dead letters of the publisher: compacted, one partition. */
export function deadLetterTopic(pipeline: string): string {
  return `${pipeline}.dead_letters`;
}

/** What the built-in schema registry knows: compacted, one partition. */
export function schemaTopic(pipeline: string): string {
  return `${pipeline}.schemas`;
}

const MAX_TOPIC = 249;

/**
 * `{pipeline}.{database}.{table}`. What a topic's name may not hold becomes `_`, as Debezium does it; a name that was changed or is
 * longer than 249 characters ends in a hash, so that two tables never share a topic.
 */
export function tableTopic(pipeline: string, table: Pick<TableSchema, 'database' | 'name'>): string {
  const wanted = `${pipeline}.${table.database}.${table.name}`;
  const legal = wanted.replaceAll(/[^a-zA-Z0-9._-]/g, '_');
  if (legal === wanted && legal.length <= MAX_TOPIC) return legal;
  const hash = createHash('sha256').update(wanted).digest('hex').slice(0, 8);
  return `${legal.slice(0, MAX_TOPIC - 9)}_${hash}`;
}

/** The consumer group of one target. */
export function consumerGroup(pipeline: string, target: string): string {
  return `${pipeline}.${target}`;
}

export function keySubject(topic: string): string {
  return `${topic}-key`;
}

export function valueSubject(topic: string): string {
  return `${topic}-value`;
}

/** The subject of the keys of markers, truncates and schema changes, which have no row's key. */
export function markerSubject(pipeline: string): string {
  return `${pipeline}.markers-key`;
}
