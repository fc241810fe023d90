import type { PlannedColumn, PlannedTable } from '../../core/plugin.ts';
import type { TableSchema } from '../../core/table.ts';
import { valueSchema } from '../../codec/avro/schema.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { kafkaError } from '../../codec/kafka/errors.ts';
import { tableTopic } from '../../codec/kafka/names.ts';
import { topicSettings } from '../../codec/kafka/topics.ts';
import { DEFAULT_PARTITIONS, type KafkaTargetOptions } from './options.ts';
import { tableTopicSettings } from './published-tables.ts';

/** Which topic each table gets and what it will look like; changes nothing. */
export async function planTables(
  cluster: Cluster,
  options: KafkaTargetOptions,
  tables: readonly TableSchema[],
  signal: AbortSignal,
): Promise<PlannedTable[]> {
  const planned: PlannedTable[] = [];
  try {
    for (const table of tables) planned.push(await planTable(cluster, options, table, signal));
  } catch (error) {
    signal.throwIfAborted();
    throw kafkaError(error, 'cannot look at the topics');
  }
  return planned;
}

async function planTable(
  cluster: Cluster,
  options: KafkaTargetOptions,
  table: TableSchema,
  signal: AbortSignal,
): Promise<PlannedTable> {
  const topic = tableTopic(options.pipeline, table);
  const [place] = await cluster.topics([topic], signal);
  const notes: string[] = [];
  if (table.key.length === 0)
    notes.push('The table has no key: its messages have none, stay in one partition, and are not compacted.');
  if (place !== undefined) {
    const settings = await topicSettings(cluster, topic, signal);
    notes.push(...topicNotes(table, place.leaders.length, settings));
  } else if (table.key.length > 0) {
    notes.push(`The topic gets ${options.partitions ?? DEFAULT_PARTITIONS} partitions and is compacted.`);
  }
  return {
    origin: table.origin,
    name: topic,
    exists: place !== undefined,
    columns: planColumns(table, topic),
    indexes: [],
    notes,
  };
}

/** What is worth knowing about a topic that exists: it is used as it is, never changed. */
export function topicNotes(table: TableSchema, partitions: number, settings: ReadonlyMap<string, string>): string[] {
  const notes: string[] = [];
  const policy = settings.get('cleanup.policy') ?? '';
  const wanted = tableTopicSettings(table)['cleanup.policy'] ?? '';
  if (table.key.length === 0 && partitions > 1) notes.push(`Only one of the topic's ${partitions} partitions is used.`);
  if (policy === wanted) return notes;
  if (wanted === 'delete')
    notes.push('The topic is compacted, but messages without a key cannot be: the brokers will refuse them.');
  else
    notes.push(
      `The topic has cleanup.policy=${policy}: a target that starts later misses the rows that the brokers have removed by then.`,
    );
  return notes;
}

function planColumns(table: TableSchema, topic: string): PlannedColumn[] {
  const types = avroTypes(valueSchema(table, topic));
  return table.columns.map((column, i) => ({
    name: column.name,
    from: column.declared,
    to: types[i] ?? null,
    note: null,
  }));
}

/** The types of the row record's fields inside an envelope schema: the semantic name where there is one, else Avro's. */
function avroTypes(schema: string): string[] {
  const envelope: unknown = JSON.parse(schema);
  const before = fieldsOf(envelope).find((field) => field.name === 'before');
  const row = Array.isArray(before?.type) ? before.type.find((branch: unknown) => branch !== 'null') : before?.type;
  return fieldsOf(row).map(({ type }) => typeName(type));
}

function fieldsOf(record: unknown): { name: unknown; type: unknown }[] {
  if (typeof record !== 'object' || record === null || !('fields' in record) || !Array.isArray(record.fields))
    return [];
  return record.fields.filter(
    (field: unknown) => typeof field === 'object' && field !== null && 'name' in field && 'type' in field,
  );
}

function typeName(type: unknown): string {
  if (Array.isArray(type)) return typeName(type.find((branch: unknown) => branch !== 'null'));
  if (typeof type !== 'object' || type === null) return String(type);
  if ('connect.name' in type) return String(type['connect.name']);
  if ('logicalType' in type) return String(type.logicalType);
  return 'type' in type ? typeName(type.type) : 'record';
}
