import { qualifiedName, type TableSchema } from '../../core/table.ts';
import { schemaIdOf } from '../../codec/avro/decode.ts';
import { BARRIER_HEADER, parseBarrier } from '../../codec/kafka/barrier.ts';
import type { KafkaRecord } from '../../codec/kafka/batch-reader.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { fetchRecords, partitionOffsets } from '../../codec/kafka/log.ts';
import type { Schemas } from './schemas.ts';

const FETCH_BYTES = 64 * 1024;
const WAIT_MS = 100;

/**
 * The table as it was where a topic begins: a new target starts there and gets every schema change after it from the topic. `none` where
 * the topic begins with the change that makes the table, `empty` where it holds no message. Any partition will do: schema changes travel
 * all of them and are never compacted away, so each begins with a row of the first schema or with the first change.
 */
export async function firstTable(
  cluster: Cluster,
  topic: string,
  leaders: readonly number[],
  schemas: Schemas,
  signal: AbortSignal,
): Promise<TableSchema | 'none' | 'empty'> {
  const beginnings = await partitionOffsets(cluster, topic, leaders, 'beginning', signal);
  const ends = await partitionOffsets(cluster, topic, leaders, 'end', signal);
  for (const [partition, node] of leaders.entries()) {
    const end = ends[partition] ?? 0;
    for (let offset = beginnings[partition] ?? 0; offset < end;) {
      const wanted = [{ topic, partition, offset, maxBytes: FETCH_BYTES }];
      const [fetched] = await fetchRecords(cluster, node, wanted, WAIT_MS, signal);
      if (fetched?.error) throw fetched.error;
      if (fetched === undefined || fetched.nextOffset === offset) break;
      const record = fetched.records.find(({ value }) => value !== null);
      if (record !== undefined) return await tableAt(topic, record, schemas, signal);
      offset = fetched.nextOffset;
    }
  }
  return 'empty';
}

async function tableAt(
  topic: string,
  record: KafkaRecord,
  schemas: Schemas,
  signal: AbortSignal,
): Promise<TableSchema | 'none' | 'empty'> {
  const { key, value, headers } = record;
  await schemas.prepare(topic, [record], signal);
  const valueId = value === null ? null : schemaIdOf(value);
  const reader = valueId === null ? undefined : schemas.reader(key === null ? null : schemaIdOf(key), valueId);
  if (reader === undefined) return 'empty';
  const header = headers?.get(BARRIER_HEADER);
  const barrier = header === undefined ? null : parseBarrier(header, `message ${record.offset} of ${topic}`);
  if (barrier?.kind !== 'schema') return reader.table;
  const { before = null, after = null } = barrier;
  // A rename stands in the topics of both names; only the old one's table is there before it.
  if (
    before === null ||
    (after !== null && qualifiedName(before) !== qualifiedName(after) && isOf(reader.table, after))
  ) {
    return 'none';
  }
  return before;
}

function isOf(table: TableSchema, other: TableSchema): boolean {
  return qualifiedName(table) === qualifiedName(other);
}
