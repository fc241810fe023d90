import type { Cluster } from './cluster.ts';
import { KafkaProtocolError } from './errors.ts';
import { Writer, type Api } from './protocol.ts';

const produceApi = { key: 0, version: 7, name: 'Produce' } as const satisfies Api;
const ALL_REPLICAS = -1;
const TIMEOUT_MS = 30_000;

/** One record batch for one partition, as `BatchWriter.finish` makes it. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: Buffer;
}

/**
 * Sends at most one batch per partition to the node that leads them all. The batches' bytes are not copied: they must stay as they are until this
 * resolves, which it does once all replicas in sync have them; where it fails, for ever. Throws what the broker answers for the first partition that it refuses.
 *   Produce v7 => transactional_id? acks timeout [topic [partition records]]
 */
export async function produce(
  cluster: Cluster,
  node: number,
  transactionalId: string | null,
  batches: readonly PartitionBatch[],
  signal: AbortSignal,
): Promise<void> {
  const request = new Writer();
  request.string(transactionalId).int16(ALL_REPLICAS).int32(TIMEOUT_MS);
  request.array(batches, ({ topic, partition, records }) => {
    request.string(topic).int32(1).int32(partition).borrowed(records);
  });
  const answer = await cluster.call(node, produceApi, request, signal);
  // => [topic [partition error base_offset append_time log_start]] throttle
  answer.array(() => {
    const topic = answer.text();
    answer.array(() => {
      answer.int32();
      const error = answer.int16();
      if (error !== 0) throw new KafkaProtocolError(error, topic);
      answer.skip(24);
    });
  });
}
